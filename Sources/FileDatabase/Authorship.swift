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

    /// Writes in the name of another incarnation from now on. To be called before the first write.
    public func begin(incarnation: UInt32) {
        authorship.withLock { authorship in
            precondition(authorship.last == nil, "an incarnation begins before the first write")
            authorship.actor.incarnation = incarnation
        }
    }

    /// Takes up a fresh incarnation, because this process runs on an old copy of its log: others know writes in its name that
    /// it does not. What it has written since it was opened is named anew, for it has not seen what was forgotten.
    ///
    /// - Returns: how many paths were renamed.
    @discardableResult
    public func takeUp(incarnation: UInt32) async throws -> Int {
        let opened = self.opened
        return try await write { draft in
            let old = draft.authorship
            var renamed = 0
            var changes: [(Tree, TreePath, Register)] = []
            let current = try Tree.allCases.map { try draft.settled($0) }
            draft.takeUp(incarnation: incarnation)
            for (tree, subtree) in zip(Tree.allCases, current) {
                var diff = try TreeDiff(from: opened[tree], to: subtree, in: draft.nodes)
                while let difference = try diff.next() {
                    guard let register = difference.after, register.versions.contains(where: { $0.dot.actor == old.actor && $0.dot.timestamp > old.start })
                    else { continue }
                    let base = difference.before?.context ?? VersionVector()
                    changes.append((tree, difference.path, register.renamed(old.actor, since: old.start, over: base) { draft.nextDot() }))
                }
            }
            for (tree, path, register) in changes {
                draft.set(path, to: register, in: tree)
                renamed += 1
            }
            if renamed > 0 { draft.note(cause: "a fresh incarnation") }
            return renamed
        }
    }

    /// Keeps what a draft says of the writer itself, whatever becomes of its commit.
    func note(_ draft: Draft) {
        authorship.withLock { $0 = draft.authorship }
        purgedUpTo.withLock { $0 = max($0, draft.horizon) }
    }
}
