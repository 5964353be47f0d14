import Causality
import Content
import Merkle
import Objects

/// A point of this node's past.
public enum Moment: Sendable, Hashable {
    case now
    case commit(ContentHash)
    /// The last microsecond that is meant, since 1970.
    case time(UInt64)
    case snapshot(String)

    /// Whether a text is to be taken for a time: it begins with a date.
    static func looksLikeTime(_ text: String) -> Bool {
        let bytes = Array(text.utf8.prefix(11))
        guard bytes.count >= 10 else { return false }
        for (index, byte) in bytes.prefix(10).enumerated() {
            if index == 4 || index == 7 {
                if byte != UInt8(ascii: "-") { return false }
            } else if !(UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) {
                return false
            }
        }
        return bytes.count == 10 || [UInt8(ascii: "T"), UInt8(ascii: "t"), UInt8(ascii: " ")].contains(bytes[10])
    }

    /// Reads `now`, a commit's hash, a time or a snapshot's name.
    ///
    /// - Parameters:
    ///   - fault: says why `time` cannot read a text, as words behind it.
    ///   - time: reads an RFC 3339 time to nanoseconds since 1970. What it leaves unsaid is meant as a whole:
    ///     `10:11:12Z` is the end of that second, so that a time copied from a listing shows what the listing showed.
    /// - Throws: `DatabaseError`: `invalid` for what begins like a time and is none.
    public init(_ text: String, fault: (String) -> String? = { _ in nil }, time: (String) -> Int64?) throws {
        if text == "now" {
            self = .now
        } else if let hash = ContentHash(text) {
            self = .commit(hash)
        } else if Moment.looksLikeTime(text) {
            guard let nanoseconds = time(text) else {
                throw DatabaseError(.invalid, "'\(text.prefix(80))' \(fault(text) ?? "is no time; write it like 2026-05-01T10:11:12Z")")
            }
            let digits = text.firstIndex(of: ".").map { text[text.index(after: $0)...].prefix { $0.isNumber }.count } ?? 0
            var unsaid: Int64 = 1
            for _ in min(digits, 6)..<6 { unsaid *= 10 }
            self = .time(UInt64(clamping: nanoseconds < 0 ? 0 : nanoseconds / 1000 + unsaid - 1))
        } else {
            guard !text.isEmpty else {
                throw DatabaseError(.invalid, "a moment is a snapshot's name, a commit's hash, a time like 2026-05-01T10:11:12Z, or now")
            }
            self = .snapshot(text)
        }
    }
}

/// The state of the files at a moment.
public struct PastView: Sendable {
    public var view: TreeView
    /// Nil for a snapshot, and before the first commit.
    public var commit: ContentHash?
    /// When the state came to be on this node; of a snapshot, when it was made. Microseconds since 1970.
    public var time: UInt64
}

extension FileDatabase {
    /// The state of the files at a moment, as this node had it then. O(log commits). Blocks.
    ///
    /// A time that the retention policy has let go leads to the last state before it that is kept.
    /// - Parameter path: whose retention rule counts.
    /// - Throws: `DatabaseError`: `notFound` for an unknown snapshot or commit, or a time before the first; `gone` where
    ///   nothing that old is kept; `unavailable` for a snapshot that is still being fetched.
    public func view(at moment: Moment, for path: TreePath = .root) throws -> PastView {
        switch moment {
        case .now:
            let view = self.view
            return PastView(view: view, commit: view.head.hash, time: view.head.commit.time.microseconds)
        case .commit(let hash): return try view(atCommit: hash, for: path)
        case .time(let microseconds): return try view(atTime: microseconds, for: path)
        case .snapshot(let name): return try view(of: snapshot(name))
        }
    }

    private func view(atCommit hash: ContentHash, for path: TreePath) throws -> PastView {
        let head = self.head
        if hash == head.hash { return try view(at: .now) }
        guard let commit = try asDatabaseErrors({ try history.commit(hash) }) else {
            throw DatabaseError(.notFound, "this node has no commit \(hash), or has let it go; a commit is known on the node that made it")
        }
        try update()
        let until = try asDatabaseErrors { try history.nextTime(after: commit.time) }
        guard try retention().reason(for: path, from: commit.time, until: until, now: now) != nil else {
            throw DatabaseError(.gone, "the retention policy has let go the state of commit \(hash)")
        }
        return try past(hash, commit)
    }

    private func view(atTime microseconds: UInt64, for path: TreePath) throws -> PastView {
        let head = self.head
        let wanted = Moment.timestamp(microseconds)
        if head.commit.time <= wanted { return try view(at: .now) }
        try update()
        return try asDatabaseErrors {
            guard var found = try history.lastCommit(notAfter: wanted) else {
                throw DatabaseError(.notFound, "this node has nothing from before that time")
            }
            let (retention, now) = (try retention(), now)
            if try retention.reason(for: path, from: found.time, until: history.nextTime(after: found.time), now: now) == nil {
                guard let moment = retention.keptMoment(for: path, notAfter: microseconds, now: now),
                    let earlier = try history.lastCommit(notAfter: Moment.timestamp(moment))
                else {
                    throw DatabaseError(.gone, "the retention policy keeps nothing from that time or before; snapshots keep what they name")
                }
                found = earlier
            }
            guard let commit = try history.commit(found.hash) else {
                throw DatabaseError(.gone, "the state of that time is not kept any more")
            }
            return try past(found.hash, commit)
        }
    }

    /// What this node had at a time, or, where that is not kept any more, at the first time after it that is; nil if none is. Blocks.
    ///
    /// - Returns: the files, and whether they are those of that very time.
    func files(at time: Timestamp) throws -> (files: Subtree, isExact: Bool)? {
        let head = self.head
        if head.commit.time <= time { return (head.commit.files, true) }
        try update()
        return try asDatabaseErrors {
            var next = try history.nextTime(after: time).flatMap { try history.commit(at: $0) }
            // Commits between the two may have been let go.
            if let last = try history.lastCommit(notAfter: time), let first = try next.flatMap({ try history.commit($0.hash) }),
                first.parents.contains(last.hash), let files = try keptFiles(of: last) { return (files, true) }
            while let commit = next {
                if let files = try keptFiles(of: commit) { return (files, false) }
                next = try history.nextTime(after: commit.time).flatMap { try history.commit(at: $0) }
            }
            return nil
        }
    }

    private func keptFiles(of commit: PastCommit) throws -> Subtree? {
        do {
            return try view(atCommit: commit.hash, for: .root).view.head.commit.files
        } catch let error as DatabaseError where error.code == .gone || error.code == .notFound {
            return nil
        }
    }

    private func view(of snapshot: Snapshot) throws -> PastView {
        guard let root = try storedNode(snapshot.root) else {
            throw DatabaseError(
                .unavailable, "the content of snapshot '\(snapshot.name)' is not all here yet; it comes from the other members")
        }
        return try asDatabaseErrors {
            let files = Subtree(root: snapshot.root, aggregates: try root.aggregates())
            let commit = Commit(
                files: files, system: .empty, parents: [], actor: actor, time: Moment.timestamp(snapshot.time), cause: "")
            return PastView(view: try view(of: Head(hash: nil, commit: commit)), commit: nil, time: snapshot.time)
        }
    }

    private func past(_ hash: ContentHash, _ commit: Commit) throws -> PastView {
        PastView(view: try view(of: Head(hash: hash, commit: commit)), commit: hash, time: commit.time.microseconds)
    }

    /// A view of the files of a past state. Its system tree is not kept.
    private func view(of head: Head) throws -> TreeView {
        let root = head.commit.files.root
        let view = TreeView(head: head, nodes: nodes, store: store, hold: hold(.tree(root)), isPast: true)
        // Held first: what is here now stays for as long as the view does.
        guard try root == TreeNode.empty.hash || store.contains(root) else {
            throw DatabaseError(.gone, "that state is not kept any more: the retention policy has let it go")
        }
        return view
    }

    /// Makes the history know of all commits so far.
    func update() throws {
        let head = self.head
        try asDatabaseErrors { try history.update(to: head) }
    }
}

extension Moment {
    /// The last timestamp of a microsecond.
    static func timestamp(_ microseconds: UInt64) -> Timestamp {
        let last = Timestamp.latestAllowed
        if microseconds >= last.microseconds { return last }
        return Timestamp(rawValue: ((microseconds + 1) << Timestamp.counterBits) - 1)
    }
}
