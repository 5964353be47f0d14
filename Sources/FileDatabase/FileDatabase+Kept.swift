import Causality
import Content
import Merkle
import Objects

/// For which paths an old state is kept.
public struct KeptScope: Sendable {
    struct Decision: Sendable {
        var glob: Glob
        var isKept: Bool
    }

    /// The strongest reason.
    public var reason: KeptReason
    /// The rules of each policy in force, in order; nil where everything is kept.
    let decisions: [[Decision]]?

    init(reason: KeptReason, decisions: [[Decision]]? = nil) {
        self.reason = reason
        self.decisions = decisions
    }

    /// Whether all paths are.
    public var isEverything: Bool { decisions == nil }

    /// Whether the state of a path is kept: what its register names must stay.
    public func keeps(_ path: TreePath) -> Bool {
        guard let decisions else { return true }
        return decisions.contains { rules in rules.first { $0.glob.matches(path) }?.isKept ?? true }
    }

    /// Whether everything below a directory is.
    func keepsAll(below path: TreePath) -> Bool {
        guard let decisions else { return true }
        return decisions.contains { rules in
            for rule in rules {
                if rule.glob.matchesAll(below: path) { return rule.isKept }
                if !rule.isKept, rule.glob.canMatch(below: path) { return false }
            }
            return true
        }
    }

    /// A hash of what it keeps: alike for scopes that keep the same.
    var identity: ContentHash {
        let text = (decisions ?? []).map { rules in rules.map { "\($0.isKept ? "+" : "-")\($0.glob)" }.joined(separator: "\n") }
        return ContentHash(sha256: text.joined(separator: "\n\n").utf8)
    }

    /// Whether anything below a directory may be kept: its tree nodes must stay, so that it can be found.
    public func mayKeep(below path: TreePath) -> Bool {
        guard let decisions else { return true }
        return decisions.contains { rules in
            for rule in rules {
                if rule.isKept, rule.glob.matches(path) || rule.glob.canMatch(below: path) { return true }
                if rule.glob.matchesAll(below: path) { return rule.isKept }
            }
            return true
        }
    }
}

/// A state of the files that is kept, and why.
public struct KeptState: Sendable {
    /// The commit, which is kept with it; nil for a snapshot.
    public var commit: ContentHash?
    /// A snapshot's name; nil for a commit.
    public var snapshot: String?
    /// The root of the files' tree.
    public var root: ContentHash
    /// When it came to be. Microseconds since 1970.
    public var time: UInt64
    /// The commit's own time, by which history knows it; nil for a snapshot.
    var timestamp: Timestamp?
    public var scope: KeptScope

    /// In words, for people.
    public var why: String {
        switch scope.reason {
        case .newest: "the newest state"
        case .recent: "one of the late states, all of which are kept"
        case .daily: "the last of its day"
        case .weekly: "the last of its week"
        case .snapshot: "snapshot '\(snapshot ?? "")'"
        }
    }
}

extension FileDatabase {
    /// Calls `body` with the states that garbage collection must keep: HEAD, the commits that the retention policy keeps, and
    /// the snapshots. The newest commit first, snapshots last. Blocks.
    ///
    /// Of a state whose `scope` is not everything, only what the scope keeps has to stay. The system tree is kept as HEAD has
    /// it: nothing shows an older one. Commits that are not named, and what only they lead to, can go.
    ///
    /// - Parameters:
    ///   - now: microseconds since 1970; the database's own clock if nil.
    ///   - last: commits up to this time are passed over.
    ///   - letsGo: told of each commit that is not kept.
    ///   - body: ends the walk by returning false.
    public func eachKeptState(
        now: UInt64? = nil, after last: Timestamp? = nil, letsGo: (PastCommit) -> Void = { _ in }, _ body: (KeptState) throws -> Bool
    ) throws {
        try update()
        let (settings, now, head) = (try retention(), now ?? self.now, self.head)
        try asDatabaseErrors {
            if let hash = head.hash {
                let state = KeptState(
                    commit: hash, root: head.commit.files.root, time: head.commit.time.microseconds,
                    timestamp: head.commit.time, scope: KeptScope(reason: .newest))
                guard try body(state) else { return }
            }
            // In batches, so that no reader of the table lasts for as long as its caller works.
            var (until, upTo): (Timestamp?, Timestamp) = (nil, HistoryTable.allTimes.upperBound)
            while true {
                var kept: [(commit: PastCommit, scope: KeptScope)] = []
                var seen = 0
                try history.eachCommit(notAfter: upTo) { commit in
                    if let last, commit.time <= last { return false }
                    if let scope = settings.scope(from: commit.time, until: until, now: now) {
                        kept.append((commit, scope))
                    } else {
                        letsGo(commit)
                    }
                    until = commit.time
                    seen += 1
                    return seen < 10_000
                }
                for (past, scope) in kept where past.hash != head.hash {
                    // Collected already, under another policy.
                    guard let commit = try history.commit(past.hash) else { continue }
                    let state = KeptState(commit: past.hash, root: commit.files.root, time: past.time.microseconds, timestamp: past.time,
                        scope: scope)
                    guard try body(state) else { return }
                }
                guard seen == 10_000, let until, until > .zero else { break }
                upTo = Timestamp(rawValue: until.rawValue - 1)
            }
            for snapshot in try snapshots() {
                let state = KeptState(
                    snapshot: snapshot.name, root: snapshot.root, time: snapshot.time, scope: KeptScope(reason: .snapshot))
                guard try body(state) else { return }
            }
        }
    }

    /// The commit that had a snapshot's files when it was made here; nil if it is not here, or was made elsewhere.
    func commit(of snapshot: KeptState) throws -> PastCommit? {
        let time = Moment.timestamp(snapshot.time)
        let next = try history.nextTime(after: time).flatMap { try history.commit(at: $0) }
        for case let past? in [try history.lastCommit(notAfter: time), next] {
            if try history.commit(past.hash)?.files.root == snapshot.root { return past }
        }
        return nil
    }

    /// The states of `eachKeptState`, in memory.
    public func keptStates(now: UInt64? = nil) throws -> [KeptState] {
        var states: [KeptState] = []
        try eachKeptState(now: now) { state in
            states.append(state)
            return true
        }
        return states
    }
}
