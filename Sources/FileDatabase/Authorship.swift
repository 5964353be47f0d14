import Causality
import Content
import Merkle
import Platform
import Synchronization

/// In whose name a process writes, and what it has written: enough to tell its own writes from ones that it has forgotten.
public struct Authorship: Sendable, Hashable {
    public var actor: Actor
    /// The clock before the first write: what the actor wrote up to here is in the log that the process began with.
    public var start: Timestamp
    /// The first write behind it.
    public private(set) var first: Timestamp?
    public private(set) var last: Timestamp?
    /// The same of the processes before this one, since which nobody has told whether the log is an old copy, ascending.
    public internal(set) var earlier: [WriteGap] = []

    /// The clock before the first write of all these processes.
    public var earliestStart: Timestamp { earlier.first?.start ?? start }

    init(actor: Actor, start: Timestamp) {
        self.actor = actor
        self.start = start
    }

    mutating func note(_ timestamp: Timestamp) {
        if first == nil { first = timestamp }
        last = timestamp
    }

    /// Whether writes of the actor that somebody has seen are none of this process, nor of those before it that it knows of:
    /// then the log is an old copy.
    ///
    /// - Parameters:
    ///   - earliest: the first write behind `start` that was seen.
    ///   - latest: the last one.
    public func hasForgotten(earliest: Timestamp, latest: Timestamp) -> Bool {
        guard let first, let last else { return true }
        return earliest < first || latest > last
    }
}

/// How processes began that have met nobody yet: all that is needed to name anew, later, what has been written since.
public struct Beginning: Sendable, Hashable {
    /// One for each of them, ascending.
    public var gaps: [WriteGap]
    /// The roots that were there when the first one began.
    public var files: ContentHash
    public var system: ContentHash

    public init(gaps: [WriteGap], files: ContentHash, system: ContentHash) {
        (self.gaps, self.files, self.system) = (gaps, files, system)
    }
}

/// What the database has promised of the times of its coming writes.
struct Promises {
    /// Later than this are the writes of the batch that is under way; nil if none is.
    private var floor: Timestamp?
    /// Later than this are all coming writes.
    private var given = Timestamp.zero

    /// - Returns: what the batch's clock has to be beyond.
    mutating func begin(_ clock: Timestamp) -> Timestamp {
        floor = max(clock, given)
        return given
    }

    mutating func end() {
        floor = nil
    }

    /// - Parameter now: microseconds since 1970.
    mutating func promise(now: () -> UInt64) -> Timestamp {
        if let floor { return floor }
        // A microsecond ago, or a write of the same microsecond could still come.
        given = max(given, Timestamp(microseconds: max(now(), 1) - 1))
        return given
    }
}

extension FileDatabase {
    /// In whose name this process writes.
    public var actor: Actor { authorship.withLock { $0.actor } }

    /// What this process has written up to now.
    public var written: Authorship { authorship.withLock { $0 } }

    /// A time for which it holds that every write of this database up to it is in whatever `head` says from now on.
    public var promisedTime: Timestamp {
        promises.withLock { $0.promise { time.wallMicroseconds() } }
    }

    /// How this process has begun, if it has written nothing yet.
    public var beginning: Beginning {
        let head = head.commit
        let first = max(Timestamp(microseconds: now), head.time.next)
        return Beginning(gaps: [WriteGap(start: head.time, first: first)], files: head.files.root, system: head.system.root)
    }

    /// Writes in the name of another incarnation from now on. To be called before the first write.
    ///
    /// - Parameter earlier: the processes before this one that nobody has told yet whether their log is an old copy; nil if there are none.
    public func begin(incarnation: UInt32, after earlier: Beginning? = nil) {
        authorship.withLock { authorship in
            precondition(authorship.last == nil, "an incarnation begins before the first write")
            authorship.actor.incarnation = incarnation
            if let earlier { authorship.earlier = earlier.gaps }
        }
        if let earlier { opened.withLock { $0 = [.files: earlier.files, .system: earlier.system] } }
    }

    /// Takes up a fresh incarnation, because this process runs on an old copy of its log: others know writes in its name that
    /// it does not. What it has written since is named anew, for it has not seen what was forgotten.
    ///
    /// - Returns: how many paths were renamed.
    @discardableResult
    public func takeUp(incarnation: UInt32) async throws -> Int {
        let opened = self.opened.withLock { $0 }
        // From outside: a draft that failed leaves the new name behind.
        let old = written
        return try await write { draft in
            var written: [(tree: Tree, differences: [TreeDifference], base: VersionVector)] = []
            for tree in Tree.allCases {
                let current = try draft.settled(tree)
                let past = opened[tree].map { Subtree(root: $0, aggregates: .zero) } ?? .empty
                if let differences = try? FileDatabase.written(by: old, from: past, to: current, in: draft.nodes) {
                    written.append((tree, differences, VersionVector()))
                } else {
                    // What was there then is not here any more. Then the new names say only that they have seen what this node had written by then.
                    let base = VersionVector([Dot(timestamp: old.earliestStart, actor: old.actor)])
                    written.append((tree, try FileDatabase.written(by: old, from: .empty, to: current, in: draft.nodes), base))
                }
            }
            draft.takeUp(incarnation: incarnation)
            var renamed = 0
            for (tree, differences, base) in written {
                for difference in differences {
                    let base = difference.before?.context ?? base
                    let register = difference.after?.renamed(old.actor, since: old.earliestStart, over: base) { draft.nextDot() }
                    draft.set(difference.path, to: register, in: tree)
                    renamed += 1
                }
            }
            if renamed > 0 { draft.note(cause: "a fresh incarnation") }
            return renamed
        }
    }

    /// Where a tree has versions of a process that another did not have.
    private static func written(
        by authorship: Authorship, from old: Subtree, to new: Subtree, in nodes: DraftNodes
    ) throws -> [TreeDifference] {
        var result: [TreeDifference] = []
        var diff = try TreeDiff(from: old, to: new, in: nodes)
        while let difference = try diff.next() {
            let isWritten = difference.after?.versions.contains { $0.dot.actor == authorship.actor && $0.dot.timestamp > authorship.earliestStart }
            if isWritten == true { result.append(difference) }
        }
        return result
    }

    /// Keeps what a draft says of the writer itself, whatever becomes of its commit.
    func note(_ draft: Draft) {
        authorship.withLock { $0 = draft.authorship }
        purgedUpTo.withLock { $0 = max($0, draft.horizon) }
    }
}
