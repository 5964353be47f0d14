import Causality
import Content

/// Replicas that write one path and tell each other of it, beside a model that knows nothing of version vectors: it
/// remembers of each write the set of all writes before it, and the set of those that it replaced.
public struct ReplicaGroup: Sendable {
    public struct Replica: Sendable {
        public var actor: Actor
        public var clock = HybridClock()
        /// How far its wall clock is off, in microseconds.
        var skew: Int64
        public var state: State?
        var backups: [State] = []
    }

    /// What a replica knows: its register, and in the model, the writes it has seen.
    public struct State: Sendable {
        public var register: Register
        public var seen: Set<Dot>
    }

    struct Write {
        var value: Value
        var seen: Set<Dot>
        var replaced: Set<Dot>
    }

    public private(set) var replicas: [Replica]
    /// Every state that any replica was ever in.
    public private(set) var history: [State] = []
    private var writes: [Dot: Write] = [:]
    private var microseconds: Int64 = 1_700_000_000_000_000

    public init(_ count: Int, _ random: inout SplitMix64) {
        let hour: Int64 = 3_600_000_000
        replicas = (0..<count).map { number in
            Replica(actor: .numbered(number), skew: Int64.random(in: -hour...hour, using: &random))
        }
    }

    /// The states of random registers that replicas can get into.
    public static func states(steps: Int, _ random: inout SplitMix64) -> [State] {
        var group = ReplicaGroup(2 + random.below(4), &random)
        for _ in 0..<steps { group.step(&random) }
        return group.history
    }

    /// One replica writes, resolves, hears of another's state, or is put back from a backup.
    public mutating func step(_ random: inout SplitMix64) {
        microseconds += Int64(random.below(3))
        let index = random.below(replicas.count)
        switch random.below(20) {
        case 0: restore(index, &random)
        case 1: resolve(index, &random)
        case 2...9: write(.random(&random), at: index)
        default:
            // Often an old state: messages come late and out of order.
            let sent = random.once(in: 3) ? history.randomElement(using: &random) : random.pick(replicas).state
            if let sent { deliver(sent, to: index) }
        }
    }

    public mutating func write(_ value: Value, at index: Int) {
        var replaced: Set<Dot> = []
        if let seen = replicas[index].state?.seen, let winner = winner(of: seen) {
            let kinds = [kind(of: writes[winner]!.value), kind(of: value)]
            replaced = survivors(of: seen).filter { $0 == winner || kinds.contains(kind(of: writes[$0]!.value)) }
        }
        write(value, at: index, replaced: replaced) { $0.writing(value, at: $1) }
    }

    mutating func resolve(_ index: Int, _ random: inout SplitMix64) {
        guard let state = replicas[index].state else { return }
        let value = random.pick(state.register.versions).value
        write(value, at: index, replaced: survivors(of: state.seen)) { $0.resolving(to: value, at: $1) }
    }

    private mutating func write(_ value: Value, at index: Int, replaced: Set<Dot>, _ change: (Register, Dot) -> Register) {
        let timestamp = replicas[index].clock.tick(microseconds: UInt64(microseconds + replicas[index].skew))
        let dot = Dot(timestamp: timestamp, actor: replicas[index].actor)
        let seen = replicas[index].state?.seen ?? []
        writes[dot] = Write(value: value, seen: seen, replaced: replaced)
        let register = replicas[index].state.map { change($0.register, dot) }
            ?? Register(Version(dot: dot, past: VersionVector(), value: value))
        enter(State(register: register, seen: seen.union([dot])), index)
    }

    public mutating func deliver(_ state: State, to index: Int) {
        replicas[index].clock.observe(state.register.latest)
        guard let old = replicas[index].state else { return enter(state, index) }
        enter(State(register: old.register.joined(with: state.register), seen: old.seen.union(state.seen)), index)
    }

    /// A backup has forgotten writes that others have seen, and the clock with them.
    private mutating func restore(_ index: Int, _ random: inout SplitMix64) {
        guard let backup = replicas[index].backups.randomElement(using: &random) else { return }
        replicas[index].actor.incarnation += 1
        replicas[index].clock = HybridClock(last: backup.register.latest)
        replicas[index].state = backup
    }

    private mutating func enter(_ state: State, _ index: Int) {
        replicas[index].state = state
        replicas[index].backups.append(state)
        history.append(state)
    }
}

// MARK: - The model

extension ReplicaGroup {
    /// The writes that nobody among these replaced.
    public func survivors(of seen: Set<Dot>) -> Set<Dot> {
        seen.subtracting(seen.reduce(into: Set<Dot>()) { $0.formUnion(writes[$1]!.replaced) })
    }

    /// The rule of what is current, on sets.
    public func winner(of seen: Set<Dot>) -> Dot? {
        let survivors = survivors(of: seen)
        let heads = survivors.filter { candidate in !survivors.contains { writes[$0]!.seen.contains(candidate) } }
        func rank(_ dot: Dot) -> Int {
            switch writes[dot]!.value {
            case .directory: 2
            case .file, .symlink: 1
            case .tombstone: 0
            }
        }
        return heads.max { (rank($0), $0) < (rank($1), $1) }
    }

    /// What users see beside the winner.
    public func losers(of seen: Set<Dot>) -> Set<Dot> {
        guard let winner = winner(of: seen) else { return [] }
        let value = writes[winner]!.value
        return survivors(of: seen).filter { dot in
            let other = writes[dot]!.value
            return kind(of: other) != kind(of: value) && !(value == .directory && other == .tombstone)
        }
    }

    public func value(of dot: Dot) -> Value? { writes[dot]?.value }

    /// All that its writer had seen.
    public func past(of dot: Dot) -> Set<Dot>? { writes[dot]?.seen }

    /// What two values have in common if a user who has one misses nothing of the other.
    private func kind(of value: Value) -> String {
        switch value {
        case .tombstone: "nothing"
        case .directory: "directory"
        case .symlink(let target): "link to \(target)"
        case .file(let file): "file \(file.content.root) \(file.isExecutable) \(file.attributes?.description ?? "")"
        }
    }
}
