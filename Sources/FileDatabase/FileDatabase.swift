import Causality
import Content
import Foundation
import Merkle
import Objects
import Platform
import Synchronization

/// A file database in a directory: what a node, or any program, embeds.
///
/// Reads work on a `TreeView`, an immutable state, and never wait. Writes go through one thread that takes all waiting
/// requests into one commit and one sync to disk; a call returns when its commit is durable.
public final class FileDatabase: Sendable {
    /// Sizes, and why.
    public enum Limits {
        /// Decoded tree nodes in memory: the working set of a few hundred directories.
        public static let cachedNodes = 24 << 20
        /// Requests that one commit takes; more wait for the next.
        static let maximumBatch = 1024
        /// Threads for reads and hashing. More than cores, since they also wait for the disk.
        public static let threads = max(4, ProcessInfo.processInfo.activeProcessorCount * 2)
        /// How far ahead of this node's clock a version from elsewhere may be. Heartbeats keep nodes far closer.
        public static let maximumDrift: UInt64 = 60_000_000
        /// A document of the system tree.
        public static let maximumDocumentSize = 64 << 10
    }

    public let directory: String
    public let store: ObjectStore
    /// For blocking work of this database's users, too.
    public let threads: BlockingThreads
    let nodes: StoredNodes
    let time: any TimeSource
    let history: HistoryIndex
    private let lock: DirectoryLock?
    let mailbox = Mailbox<WriteRequest>()
    private let current: Mutex<Current>
    /// Who needs what a collection might remove.
    let holds = Holds()
    let isCollecting = Atomic(false)
    /// Whether the standard policy holds where none is set.
    let keepsPast = Atomic(true)
    /// In whose name this process writes, and what it has written.
    let authorship: Mutex<Authorship>
    /// Deletions up to here have been dropped.
    let purgedUpTo = Mutex(Timestamp.zero)
    let promises = Mutex(Promises())
    /// The roots that this process began with, or one before it: what has been written since may have to be named anew.
    let opened: Mutex<[Tree: ContentHash]>
    /// Why the state that this process began with may not be the last that was acknowledged, in words; nil if it is.
    ///
    /// Then writes were lost here that others may have seen, and this node must go on as another actor.
    public let lostHead: String?
    private let observers = Mutex<[Int: @Sendable (Head) -> Void]>([:])
    private let writerDone = DispatchSemaphore(value: 0)
    /// Of the writer, where it has no thread of its own.
    private let inlineClock = Mutex<HybridClock?>(nil)

    /// Opens the database in a directory, made if it is missing, and recovers what a crash left behind.
    ///
    /// - Parameters:
    ///   - actor: in whose name this process writes; never used by another process at the same time.
    ///   - mayBeginAnew: whether to begin with nothing where no commit can be read any more; for whoever gets its files back from others.
    /// - Throws: `DirectoryInUse`, `DatabaseError`.
    public convenience init(directory: String, actor: Actor, time: any TimeSource = SystemTime(), mayBeginAnew: Bool = false) throws {
        do {
            _ = try OperatingSystemDisk(path: directory)
            let lock = try DirectoryLock(directory: directory)
            let disk = try OperatingSystemDisk(path: directory + "/segments")
            _ = try OperatingSystemDisk(path: directory + "/index")
            _ = try OperatingSystemDisk(path: directory + "/history")
            let index = try FileDatabase.openAnew(directory + "/index") { try LMDBIndex(directory: $0) }
            let history = try FileDatabase.openAnew(directory + "/history") { try LMDBTable(directory: $0) }
            try self.init(
                directory: directory, store: ObjectStore(disk: disk, index: index), actor: actor, time: time, lock: lock,
                history: history, mayBeginAnew: mayBeginAnew)
        } catch let error as DirectoryInUse {
            throw error
        } catch {
            throw DatabaseError(error)
        }
    }

    /// An index that cannot even be opened is made again from the log.
    private static func openAnew<Index>(_ path: String, _ open: (String) throws -> Index) throws -> Index {
        do {
            return try open(path)
        } catch {
            let disk = try OperatingSystemDisk(path: path)
            for name in try disk.names() { try disk.remove(name) }
            return try open(path)
        }
    }

    /// A database over any store: for simulations and tests.
    ///
    /// - Parameter threads: for reads and hashing. Where they are none (`isInline`), the writer has no thread either: requests
    ///   are taken by a task, together with whatever else waits by then.
    public init(
        directory: String = "", store: ObjectStore, actor: Actor, time: any TimeSource, lock: DirectoryLock? = nil,
        threads: BlockingThreads = BlockingThreads(count: Limits.threads, name: "database"),
        history: any OrderedTable = MemoryTable(), mayBeginAnew: Bool = false
    ) throws {
        self.directory = directory
        self.store = store
        self.time = time
        self.lock = lock
        nodes = StoredNodes(store: store, cache: NodeCache(limit: Limits.cachedNodes))
        self.threads = threads
        let (head, isLost) = try FileDatabase.findHead(in: store, actor: actor, mayBeginAnew: mayBeginAnew)
        if head.hash == nil, isLost != nil {
            // What the index still has of such a log may be damaged as well, and would pass for here: it is brought anew.
            _ = try store.sweep(before: store.startOfCollection(), except: Marks(), removes: true) { _ in }
        }
        current = Mutex(Current(head, holds))
        opened = Mutex([.files: head.commit.files.root, .system: head.commit.system.root])
        lostHead = isLost
        authorship = Mutex(Authorship(actor: actor, start: head.commit.time))
        self.history = try HistoryIndex(table: history, nodes: nodes, store: store, isInline: threads.isInline)
        self.history.start(head)
        startWriter(clock: HybridClock(last: head.commit.time))
    }

    deinit {
        mailbox.close()
    }

    /// Finishes the requests that wait, and closes. Later requests are refused.
    public func close() {
        mailbox.close()
        if threads.isInline {
            commitWaiting()
        } else {
            writerDone.wait()
            writerDone.signal()
        }
        history.close(head)
        store.close()
    }

    /// The newest durable state.
    public var head: Head { current.withLock { $0.head } }

    /// A view of the newest durable state, which stays what it is.
    public var view: TreeView {
        let current = current.withLock { $0 }
        return TreeView(head: current.head, nodes: nodes, store: store, hold: current.hold)
    }

    /// Microseconds since 1970, on this node's clock.
    public var now: UInt64 { time.wallMicroseconds() }

    /// A tree node that may or may not belong to a tree of this database; nil if it is not here whole, or is about to be removed.
    /// Blocks.
    public func storedNode(_ hash: ContentHash) throws -> TreeNode? {
        do {
            // It may be in memory and not in the log any more.
            guard try hash == TreeNode.empty.hash || store.contains(hash) else { return nil }
            return try nodes.node(hash)
        } catch let error as StoreError where error.code == .missing || error.code == .damaged {
            return nil
        } catch {
            throw DatabaseError(error)
        }
    }

    /// Calls `body` after each commit, in order, on the writer's thread; it must not block.
    /// - Returns: what to give to `removeObserver`.
    public func addObserver(_ body: @escaping @Sendable (Head) -> Void) -> Int {
        observers.withLock { observers in
            let key = (observers.keys.max() ?? 0) + 1
            observers[key] = body
            return key
        }
    }

    public func removeObserver(_ key: Int) {
        observers.withLock { $0[key] = nil }
    }
}

// MARK: - The writer

/// A request to the writer: what it does to the draft, and whom it tells.
struct WriteRequest: Sendable {
    /// Changes the draft, or throws and leaves it; returns what to call once the commit is durable or has failed.
    var apply: @Sendable (inout Draft) throws -> @Sendable ((any Error)?) -> Void
    /// Called instead where `apply` throws.
    var refuse: @Sendable (any Error) -> Void
}

extension FileDatabase {
    /// Runs `body` in the writer and returns its result when the commit that holds its changes is durable.
    ///
    /// - Parameter body: reads first and changes last: if it throws, it must not have changed the draft.
    func write<Result: Sendable>(_ body: @escaping @Sendable (inout Draft) throws -> Result) async throws -> Result {
        try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<Result, any Error>) in
            let request = WriteRequest(
                apply: { draft in
                    let result = try body(&draft)
                    return { error in
                        if let error { continuation.resume(throwing: error) } else { continuation.resume(returning: result) }
                    }
                },
                refuse: { continuation.resume(throwing: DatabaseError($0)) })
            guard mailbox.add(request) else {
                return continuation.resume(throwing: DatabaseError(.unavailable, "the database is closed"))
            }
            if threads.isInline { threads.soon { self.commitWaiting() } }
        }
    }

    /// What the writer's thread does, where there is none.
    private func commitWaiting() {
        inlineClock.withLock { clock in
            guard clock != nil else { return }
            let batch = mailbox.takeWaiting(limit: Limits.maximumBatch)
            if !batch.isEmpty { commit(batch, &clock!) }
        }
    }

    private func startWriter(clock: HybridClock) {
        if threads.isInline { return inlineClock.withLock { $0 = clock } }
        let (mailbox, writerDone) = (mailbox, writerDone)
        // Weak, so that a database that nobody holds goes, and with it the lock of its directory: at once after `close`.
        let thread = Thread { [weak self] in
            var clock = clock
            while let batch = mailbox.takeAll(limit: Limits.maximumBatch) { self?.commit(batch, &clock) }
            writerDone.signal()
        }
        thread.name = "writer"
        thread.stackSize = BlockingThreads.stackSize
        thread.start()
    }

    /// One batch, one commit, one sync.
    ///
    /// A request refuses with a `DatabaseError`, before it has changed anything. Any other error may stem from another
    /// request's edits, which are applied late: then each request of the batch is tried by itself, so that none fails for
    /// another's sake.
    private func commit(_ batch: [WriteRequest], _ clock: inout HybridClock) {
        let hold = holdObjects()
        defer { hold.end() }
        clock.observe(promises.withLock { $0.begin(clock.last) })
        defer { promises.withLock { $0.end() } }
        var draft = Draft(
            head: head, nodes: nodes, clock: clock, authorship: authorship.withLock { $0 }, horizon: horizon, time: time)
        // Timestamps given out are never given out again, whatever becomes of the commit.
        defer { clock.observe(draft.clock.last) }
        var open: [(request: WriteRequest, finish: @Sendable ((any Error)?) -> Void)] = []
        var refused: [(WriteRequest, DatabaseError)] = []
        let head: Head
        let objects: [PreparedObject]
        do {
            for request in batch {
                do {
                    open.append((request, try request.apply(&draft)))
                } catch let error as DatabaseError {
                    refused.append((request, error))
                }
            }
            (head, objects) = draft.isChanged ? try draft.finish() : (draft.head, [])
            note(draft)
        } catch {
            note(draft)
            guard batch.count > 1 else { return batch[0].refuse(error) }
            clock.observe(draft.clock.last)
            for request in batch { commit([request], &clock) }
            return
        }
        for (request, error) in refused { request.refuse(error) }
        do {
            if draft.isChanged, let hash = head.hash {
                try store.commit(objects, head: hash)
                for node in draft.nodes.made.values { nodes.cache.insert(node) }
                let new = Current(head, holds)
                current.withLock { $0 = new }
                history.add(CommitChanges(head: head, registers: draft.registers))
                for observer in observers.withLock({ $0.values.map { $0 } }) { observer(head) }
            }
            for (_, finish) in open { finish(nil) }
        } catch {
            let error = DatabaseError(error)
            for (_, finish) in open { finish(error) }
        }
    }
}
