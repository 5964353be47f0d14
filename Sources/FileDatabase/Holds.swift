import Content
import Synchronization

/// What a collection must leave alone: who relies on what it was told is here, and who reads what.
final class Holds: Sendable {
    private struct State {
        /// Goes up with each verdict of a collection.
        var epoch: UInt64 = 0
        /// Holds that are open, by the epoch in which they began.
        var objects: [UInt64: Int] = [:]
        var roots: [UInt64: [HeldRoot]] = [:]
        var sources: [Int: @Sendable () throws -> [HeldRoot]] = [:]
        var lastID: UInt64 = 0
    }

    private let state = Mutex(State())

    func begin() -> UInt64 {
        state.withLock { state in
            state.objects[state.epoch, default: 0] += 1
            return state.epoch
        }
    }

    func end(_ epoch: UInt64) {
        state.withLock { state in
            guard let count = state.objects[epoch] else { preconditionFailure("a hold ends once") }
            state.objects[epoch] = count == 1 ? nil : count - 1
        }
    }

    /// - Returns: the new epoch: whoever begins from now on sees the verdict.
    func turn() -> UInt64 {
        state.withLock { state in
            state.epoch += 1
            return state.epoch
        }
    }

    /// Holds that began before an epoch.
    func open(before epoch: UInt64) -> Int {
        state.withLock { $0.objects.reduce(0) { $0 + ($1.key < epoch ? $1.value : 0) } }
    }

    func add(_ roots: [HeldRoot]) -> UInt64 {
        state.withLock { state in
            state.lastID += 1
            state.roots[state.lastID] = roots
            return state.lastID
        }
    }

    func remove(_ id: UInt64) {
        state.withLock { $0.roots[id] = nil }
    }

    func add(_ source: @escaping @Sendable () throws -> [HeldRoot]) -> Int {
        state.withLock { state in
            let key = (state.sources.keys.max() ?? 0) + 1
            state.sources[key] = source
            return key
        }
    }

    func removeSource(_ key: Int) {
        state.withLock { $0.sources[key] = nil }
    }

    /// Everything that is held by its root now.
    func roots() throws -> Set<HeldRoot> {
        let (held, sources) = state.withLock { (Set($0.roots.values.joined()), Array($0.sources.values)) }
        return try sources.reduce(into: held) { $0.formUnion(try $1()) }
    }
}

/// What can be held by its hash.
public enum HeldRoot: Hashable, Sendable {
    /// A tree of either kind: its nodes and the content of all its versions.
    case tree(ContentHash)
    /// A commit's record and both of its trees.
    case commit(ContentHash)
    /// The content of one file.
    case content(FileContent)
}

/// A promise to whoever writes: what the database said is here is not removed before the hold ends, and not afterwards if a
/// commit needs it by then.
///
/// To be taken before the first question of what is here, and kept until the commit that relies on the answers has returned. It
/// costs next to nothing; but a collection waits for it, and gives up where it lasts for long.
public final class ObjectHold: Sendable {
    private let holds: Holds
    private let epoch: UInt64
    private let isOver = Atomic(false)

    init(_ holds: Holds) {
        self.holds = holds
        epoch = holds.begin()
    }

    /// Ends it before its life does.
    public func end() {
        if !isOver.exchange(true, ordering: .relaxed) { holds.end(epoch) }
    }

    deinit {
        end()
    }
}

/// Keeps what is under some roots from being removed while a reader needs it.
public final class RootHold: Sendable {
    private let holds: Holds
    private let id: UInt64

    init(_ holds: Holds, _ roots: [HeldRoot]) {
        self.holds = holds
        id = holds.add(roots)
    }

    /// Ends it before its life does.
    public func end() {
        holds.remove(id)
    }

    deinit {
        end()
    }
}

extension FileDatabase {
    /// Holds what is here, for a writer that relies on it.
    public func holdObjects() -> ObjectHold { ObjectHold(holds) }

    /// Holds what is under a root, for a reader. What is gone already is not brought back by it.
    public func hold(_ root: HeldRoot) -> RootHold { RootHold(holds, [root]) }

    /// Roots that somebody else keeps, asked for at each collection, on its thread. What is not here any more is passed over.
    ///
    /// - Parameter roots: throws to keep the collection from going on.
    /// - Returns: what to give to `removeRootSource`.
    public func addRootSource(_ roots: @escaping @Sendable () throws -> [HeldRoot]) -> Int { holds.add(roots) }

    public func removeRootSource(_ key: Int) {
        holds.removeSource(key)
    }
}
