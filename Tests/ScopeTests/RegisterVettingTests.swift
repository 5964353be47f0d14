import Access
import Causality
import Content
import Merkle
import Replication
import TestSupport
import Testing

@Suite("Vetting of registers")
struct RegisterVettingTests {
    static let path = TreePath.root.appending("f")
    static let now: UInt64 = 1_700_000_000_000_000
    static let horizon = Timestamp(microseconds: now + 60_000_000)

    static func vetting(_ allow: Set<Permission> = Set(Permission.allCases), node: Int = 9) throws -> RegisterVetting {
        RegisterVetting(rules: RuleSet([Rule(path: try Glob("/**"), allow: allow)]), node: Actor.numbered(node).node, horizon: horizon)
    }

    static func dot(_ time: UInt64, _ node: Int) -> Dot { Dot(timestamp: Timestamp(microseconds: now + time), actor: .numbered(node)) }

    static func refusal(
        _ register: Register, over current: Register?, _ allow: Set<Permission> = Set(Permission.allCases)
    ) throws -> Refusal.Code? {
        try vetting(allow).refusal(of: register, at: path, over: current)?.code
    }

    /// What node 1 has written.
    static let first = Register(Version(dot: dot(1, 1), past: VersionVector(), value: .file("first")))
    /// The same, and what node 2 wrote beside it, which wins.
    static let conflicted = first.joined(with: Register(Version(dot: dot(2, 2), past: VersionVector(), value: .file("second"))))

    @Test func honestWrites() throws {
        let new = Register(Version(dot: Self.dot(5, 9), past: VersionVector(), value: .file("mine")))
        #expect(try Self.refusal(new, over: nil, [.write]) == nil)
        // Beside what it has not seen.
        #expect(try Self.refusal(new, over: Self.first, [.write]) == nil)
        let edited = Self.first.writing(.file("mine"), at: Self.dot(5, 9))
        #expect(try Self.refusal(edited, over: Self.first, [.read, .write]) == nil)
        #expect(try Self.refusal(edited.writing(.file("again"), at: Self.dot(6, 9)), over: Self.first, [.read, .write]) == nil)
        #expect(try Self.refusal(Self.first.writing(.tombstone, at: Self.dot(5, 9)), over: Self.first, [.read, .delete]) == nil)
        // The loser stays.
        #expect(try Self.refusal(Self.conflicted.writing(.file("mine"), at: Self.dot(5, 9)), over: Self.conflicted, [.read, .write]) == nil)
        let resolved = Self.conflicted.resolving(to: .file("first"), at: Self.dot(5, 9))
        #expect(try Self.refusal(resolved, over: Self.conflicted) == nil)
        // Sent twice, or after others went on.
        #expect(try Self.refusal(edited, over: edited, [.read, .write]) == nil)
        #expect(try Self.refusal(edited, over: edited.writing(.file("theirs"), at: Self.dot(8, 1)), [.read, .write]) == nil)
    }

    @Test func rights() throws {
        let edited = Self.first.writing(.file("mine"), at: Self.dot(5, 9))
        let deleted = Self.first.writing(.tombstone, at: Self.dot(5, 9))
        for current in [Self.first, nil] {
            #expect(try Self.refusal(edited, over: current, [.read, .list]) == .forbidden)
            #expect(try Self.refusal(deleted, over: current, [.read]) == .forbidden)
            #expect(try Self.refusal(edited, over: current, []) == .forbidden)
        }
        #expect(try Self.refusal(deleted, over: Self.first, [.read, .write]) == .forbidden)
        #expect(try Self.refusal(edited, over: Self.first, [.read, .delete]) == .forbidden)
        #expect(try Self.refusal(Self.conflicted.resolving(to: .file("x"), at: Self.dot(5, 9)), over: Self.conflicted, [.read, .write]) == .discards)
    }

    @Test("In another's name, from the future, or forged")
    func lies() throws {
        let foreign = Self.first.writing(.file("forged"), at: Self.dot(5, 1))
        #expect(try Self.refusal(foreign, over: Self.first) == .unseen)
        #expect(try Self.refusal(foreign, over: Self.first, [.write, .delete]) == .foreign)
        let twin = Register(Version(dot: Self.dot(1, 1), past: VersionVector(), value: .file("forged")))
        #expect(try Self.refusal(twin, over: Self.first) == .foreign)
        let future = Register(Version(dot: Self.dot(60_000_001, 9), past: VersionVector(), value: .file("x")))
        #expect(try Self.refusal(future, over: nil) == .future)
        // The past may not lie in the future either.
        let claimed = Register(Version(dot: Self.dot(5, 9), past: VersionVector([Self.dot(60_000_001, 1)]), value: .file("x")))
        #expect(try Self.refusal(claimed, over: Self.first) == .future)
    }

    @Test("Claims of what was seen cannot suppress what this node has not got yet")
    func claims() throws {
        let claimed = Register(Version(dot: Self.dot(5, 9), past: VersionVector([Self.dot(4, 1)]), value: .file("x")))
        #expect(try Self.refusal(claimed, over: Self.first) == .unseen)
        #expect(try Self.refusal(claimed, over: nil) == .unseen)
        let stranger = Register(Version(dot: Self.dot(5, 9), past: VersionVector([Self.dot(1, 1), Self.dot(1, 7)]), value: .file("x")))
        #expect(try Self.refusal(stranger, over: Self.first) == .unseen)
        // Who may not read cannot have seen anything, and is told the same whatever is there.
        let edited = Self.first.writing(.file("mine"), at: Self.dot(5, 9))
        for current in [Self.first, nil, Self.conflicted] { #expect(try Self.refusal(edited, over: current, [.write, .delete]) == .unseen) }
    }

    @Test("Nothing goes for which nothing comes")
    func losses() throws {
        // What node 1 wrote, without what it does not like: a state that nobody was in.
        let seen = VersionVector([Self.dot(1, 1), Self.dot(2, 2), Self.dot(5, 9)])
        let pruned = try Self.forged([Version(dot: Self.dot(1, 1), past: VersionVector(), value: .file("first"))], context: seen)
        #expect(try Self.refusal(pruned, over: Self.conflicted) == .discards)
        let beside = try Self.forged(
            [
                Version(dot: Self.dot(1, 1), past: VersionVector(), value: .file("first")),
                Version(dot: Self.dot(5, 9), past: VersionVector(), value: .file("mine")),
            ], context: seen)
        #expect(try Self.refusal(beside, over: Self.conflicted) == .discards)
    }

    @Test("Old versions do not come back after deleted paths were forgotten")
    func forgotten() throws {
        var vetting = try Self.vetting()
        vetting.forgotten = Timestamp(microseconds: Self.now + 10)
        let old = Register(Version(dot: Self.dot(5, 9), past: VersionVector(), value: .file("old")))
        #expect(vetting.refusal(of: old, at: Self.path, over: nil)?.code == .stale)
        let new = Register(Version(dot: Self.dot(20, 9), past: VersionVector([Self.dot(5, 1)]), value: .file("new")))
        #expect(vetting.refusal(of: new, at: Self.path, over: nil) == nil)
    }

    /// A register as a liar encodes it.
    static func forged(_ versions: [Version], context: VersionVector) throws -> Register {
        var encoder = CanonicalEncoder()
        encoder.write(versions.count)
        for version in versions { Register.encode(version, to: &encoder) }
        encoder.write(byte: 1)
        Register.encode(context, to: &encoder)
        var decoder = CanonicalDecoder(encoder.bytes)
        return try Register(from: &decoder)
    }

    @Test("Whatever honest replicas come to is taken, and adds no more than it says", arguments: 0..<30)
    func histories(seed: UInt64) throws {
        var random = SplitMix64(seed: seed)
        let states = ReplicaGroup.states(steps: 40, &random).map(\.register)
        // A client that has seen one state of the server writes some times; the server has gone on meanwhile.
        for _ in 0..<50 {
            var server = random.pick(states)
            var client = server
            let seen = server
            var clock: UInt64 = 0
            for _ in 0...random.below(3) {
                clock += 1
                let value = Value.random(&random)
                let dot = Dot(timestamp: Timestamp(rawValue: max(client.latest.rawValue + 1, Timestamp(microseconds: Self.now).rawValue)), actor: .numbered(9))
                client = random.once(in: 5) ? client.resolving(to: value, at: dot) : client.writing(value, at: dot)
            }
            if random.once(in: 2) { server = server.joined(with: random.pick(states)) }
            var vetting = try Self.vetting()
            vetting.horizon = .latestAllowed
            let refusal = vetting.refusal(of: client, at: Self.path, over: server)
            #expect(refusal == nil, "\(refusal.map { "\($0)" } ?? "")")
            let joined = server.joined(with: client)
            // What others wrote and the client has not seen is there still.
            for version in server.versions where !seen.context.covers(version.dot) { #expect(joined.version(version.dot) != nil) }
        }
    }
}

extension Register {
    fileprivate static func encode(_ vector: VersionVector, to encoder: inout CanonicalEncoder) {
        encoder.write(vector.elements.count)
        for element in vector.elements {
            encoder.write(element.actor.node.hash)
            encoder.write(UInt64(element.actor.incarnation))
            encoder.write(element.timestamp.rawValue)
        }
    }

    fileprivate static func encode(_ version: Version, to encoder: inout CanonicalEncoder) {
        encoder.write(version.dot.timestamp.rawValue)
        encoder.write(version.dot.actor.node.hash)
        encoder.write(UInt64(version.dot.actor.incarnation))
        encode(version.past, to: &encoder)
        version.value.encode(to: &encoder)
    }
}
