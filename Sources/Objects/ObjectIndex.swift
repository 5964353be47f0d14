import Content
import Synchronization

/// What the index knows of the log: everything before `position` is indexed and durable.
public struct Checkpoint: Hashable, Sendable {
    public var position: LogPosition
    /// The last head record before the position.
    public var head: ContentHash?
}

/// Where each object is. An index only: it can be made again from the log at any time.
public protocol ObjectIndex: Sendable {
    func checkpoint() throws(StoreError) -> Checkpoint?
    func location(of hash: ContentHash) throws(StoreError) -> Location?
    /// The locations of several objects, in one read.
    func locations(of hashes: [ContentHash]) throws(StoreError) -> [Location?]
    /// Adds the entries and moves the checkpoint, all or nothing; durable on return.
    func insert(_ entries: [(ContentHash, Location)], checkpoint: Checkpoint) throws(StoreError)
    func forgetEverything() throws(StoreError)
    /// How many objects are indexed.
    func count() throws(StoreError) -> Int
    /// Calls `body` with each entry, in any order, until it returns false. What is put in or taken out meanwhile may or may not
    /// be seen.
    func forEach(_ body: (ContentHash, Location) -> Bool) throws(StoreError)
    /// Takes out the entries that are still as given, all or nothing; durable on return.
    func remove(_ entries: [(ContentHash, Location)]) throws(StoreError)
}

/// An index in memory: for simulations and tests.
public final class MemoryIndex: ObjectIndex {
    private let state = Mutex<(entries: [ContentHash: Location], checkpoint: Checkpoint?)>(([:], nil))

    public init() {}

    public func checkpoint() -> Checkpoint? { state.withLock { $0.checkpoint } }
    public func location(of hash: ContentHash) -> Location? { state.withLock { $0.entries[hash] } }
    public func locations(of hashes: [ContentHash]) -> [Location?] { state.withLock { state in hashes.map { state.entries[$0] } } }
    public func count() -> Int { state.withLock { $0.entries.count } }

    public func insert(_ entries: [(ContentHash, Location)], checkpoint: Checkpoint) {
        state.withLock { state in
            for (hash, location) in entries { state.entries[hash] = location }
            state.checkpoint = checkpoint
        }
    }

    public func forgetEverything() {
        state.withLock { $0 = ([:], nil) }
    }

    public func forEach(_ body: (ContentHash, Location) -> Bool) {
        for (hash, location) in state.withLock({ $0.entries }) where !body(hash, location) { return }
    }

    public func remove(_ entries: [(ContentHash, Location)]) {
        state.withLock { state in
            for (hash, location) in entries where state.entries[hash] == location { state.entries[hash] = nil }
        }
    }
}
