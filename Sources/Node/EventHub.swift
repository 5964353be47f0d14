import Causality
import Content
import FileDatabase
import Merkle
import Platform
import Synchronization

/// What happened at this node, for whoever wants to be told.
public struct Event: Sendable {
    public enum Payload: Sendable {
        case commit(CommitNotice)
        /// A path that is conflicted now and was not, or not in this way.
        case conflict(TreePath, losers: Int)
        /// A path that is conflicted no more.
        case resolved(TreePath)
        case peer(PeerInfo)
        /// What a sync with a peer brought.
        case progress(SyncReport)
        /// How far a task has come, or how it ended.
        case care(CareTask)
    }

    /// Rises by one with each event of this run.
    public var number: UInt64
    public var payload: Payload
}

/// A new state of the database; several commits that came together are one.
public struct CommitNotice: Sendable {
    public var head: Head
    /// The files before it.
    public var before: Subtree
    /// What changed, in order; the first so many.
    public var paths: [TreePath] = []
    /// Whether more changed than `paths` tells.
    public var hasMore = false
}

/// The events of the recent past, which readers go through at their own pace.
///
/// Readers hold nothing but a number: one that is slow finds that what it has not read is gone, and costs no memory.
public final class EventHub: Sendable {
    public enum Limits {
        /// Events that are kept for readers who come back: minutes of work, in some hundred kilobytes.
        static let events = 4096
        /// Paths in all events that are kept. Each has at most 4,096 bytes and commonly fifty.
        static let paths = 65_536
        /// Paths that one commit tells. Whoever wants all asks for the difference.
        static let pathsOfCommit = 100
    }

    public enum Reading: Sendable {
        case events([Event])
        /// Some are not kept any more; go on from this number, having looked at everything anew.
        case missed(newest: UInt64)
        /// The node is closing.
        case closed
    }

    private struct State {
        var events: [Event] = []
        var pathCount = 0
        /// The number of the first that is kept.
        var first: UInt64 = 1
        var next: UInt64 = 1
        var readers: [Int: Alarm] = [:]
        var readersOfPaths = 0
        var nextReader = 0
        var isClosed = false
    }

    /// Part of each event's name, so that a reader of an earlier run is not taken for one of this.
    public let run: String
    private let state = Mutex(State())
    private let database: FileDatabase
    private let newHead = Alarm()
    private let last: Mutex<Head>
    private let time: any TimeSource

    init(database: FileDatabase, run: String, time: any TimeSource) {
        self.database = database
        self.time = time
        self.run = run
        last = Mutex(database.head)
        let newHead = newHead
        _ = database.addObserver { _ in newHead.ring() }
    }

    /// Tells of new states until the task is cancelled.
    func run() async {
        while !Task.isCancelled {
            await newHead.wait()
            let head = database.head
            let before = last.withLock { last in
                defer { last = head }
                return last
            }
            if head.hash == before.hash { continue }
            let wantsPaths = state.withLock { $0.readersOfPaths > 0 }
            var changes = Changes(from: before, to: head)
            if wantsPaths {
                // Without the paths the event is still true, and says that there is more.
                changes = (try? await database.threads.run { [database] in try Changes(from: before, to: head, in: database) }) ?? changes
            }
            publish([.commit(changes.notice)] + changes.conflicts)
        }
    }

    func publish(_ payloads: [Event.Payload]) {
        let readers = state.withLock { state in
            for payload in payloads {
                state.events.append(Event(number: state.next, payload: payload))
                state.next += 1
                state.pathCount += payload.pathCount
            }
            var excess = 0
            while state.events.count - excess > Limits.events || state.pathCount > Limits.paths {
                state.pathCount -= state.events[excess].payload.pathCount
                excess += 1
            }
            // In bulk, since each removal moves the rest.
            if excess > 0 { state.events.removeFirst(excess) }
            state.first += UInt64(excess)
            return Array(state.readers.values)
        }
        for reader in readers { reader.ring() }
    }

    /// Ends all reading.
    public func close() {
        let readers = state.withLock { state in
            state.isClosed = true
            return Array(state.readers.values)
        }
        for reader in readers { reader.ring() }
    }

    // MARK: Reading

    /// One who reads the events. Ends with `leave`.
    public struct Reader: Sendable {
        fileprivate let name: Int
        fileprivate let alarm: Alarm
        fileprivate let wantsPaths: Bool
        fileprivate let time: any TimeSource
        /// The number of the last event before it came.
        public let start: UInt64

        /// Returns when there may be something to read, or when the time is over.
        public func wait(upTo duration: Duration) async { await alarm.wait(upTo: duration, by: time) }
    }

    public func join(wantsPaths: Bool) -> Reader {
        state.withLock { state in
            state.nextReader += 1
            let alarm = Alarm()
            state.readers[state.nextReader] = alarm
            if wantsPaths { state.readersOfPaths += 1 }
            return Reader(name: state.nextReader, alarm: alarm, wantsPaths: wantsPaths, time: time, start: state.next - 1)
        }
    }

    public func leave(_ reader: Reader) {
        state.withLock { state in
            guard state.readers.removeValue(forKey: reader.name) != nil else { return }
            if reader.wantsPaths { state.readersOfPaths -= 1 }
        }
    }

    /// The events behind a number, the oldest first, at most `limit`.
    public func events(after number: UInt64, limit: Int = 64) -> Reading {
        state.withLock { state in
            if state.isClosed { return .closed }
            let newest = state.next - 1
            guard number <= newest, number + 1 >= state.first else { return .missed(newest: newest) }
            let index = Int(number + 1 - state.first)
            return .events(Array(state.events[index..<min(index + limit, state.events.count)]))
        }
    }
}

extension Event.Payload {
    fileprivate var pathCount: Int {
        switch self {
        case .commit(let notice): notice.paths.count
        case .conflict, .resolved: 1
        case .peer, .progress, .care: 0
        }
    }
}

/// What changed between two states, as far as it is told.
private struct Changes {
    /// Entries that are looked at; where more changed, the rest is not told.
    private static let maximumEntries = 1000

    var notice: CommitNotice
    var conflicts: [Event.Payload] = []

    /// Nothing is known of what changed.
    init(from before: Head, to head: Head) {
        notice = CommitNotice(head: head, before: before.commit.files, hasMore: true)
    }

    init(from before: Head, to after: Head, in database: FileDatabase) throws {
        notice = CommitNotice(head: after, before: before.commit.files)
        var diff = try TreeDiff(from: before.commit.files, to: after.commit.files, in: database.view.reader)
        var looked = 0
        while let difference = try diff.next() {
            looked += 1
            guard looked <= Changes.maximumEntries else {
                notice.hasMore = true
                break
            }
            if notice.paths.count < EventHub.Limits.pathsOfCommit { notice.paths.append(difference.path) } else { notice.hasMore = true }
            let name = difference.path.name ?? ""
            let old = Entry(name: name, register: difference.before, subtree: difference.subtreeBefore).losers
            let new = Entry(name: name, register: difference.after, subtree: difference.subtreeAfter).losers
            if new.isEmpty, !old.isEmpty { conflicts.append(.resolved(difference.path)) }
            if !new.isEmpty, new.map(\.dot) != old.map(\.dot) { conflicts.append(.conflict(difference.path, losers: new.count)) }
        }
    }
}
