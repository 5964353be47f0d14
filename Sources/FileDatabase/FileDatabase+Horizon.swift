import Causality
import Content
import Merkle
import Objects
import Platform
import Synchronization

extension FileDatabase {
    /// Deletions up to here have been dropped from the files, and are dropped from whatever is joined.
    public var horizon: Timestamp { purgedUpTo.withLock { $0 } }

    /// Drops the deletions up to a time, in one commit if there are any.
    ///
    /// Every node does so by itself, with the same outcome. The work is done beside the writer, which only adds what was written
    /// meanwhile.
    ///
    /// - Parameters:
    ///   - known: the files as they were when somebody last looked for deletions that others lack; nil for now.
    ///   - isLacking: whether others may lack a deletion. If one came since, nothing is dropped.
    /// - Returns: how many deletions were dropped; nil if nothing could be.
    @discardableResult
    public func purge(
        upTo horizon: Timestamp, after known: Subtree? = nil, unless isLacking: @escaping @Sendable (Version) -> Bool = { _ in false }
    ) async throws -> UInt64? {
        let hold = holdObjects()
        defer { hold.end() }
        let base = head.commit.files
        let prepared = try await threads.run { [nodes, store] in
            try asDatabaseErrors {
                var draft = DraftNodes(over: nodes)
                let purged = try base.purged(upTo: horizon, in: &draft)
                try store.append(draft.made.values.map { PreparedObject(.tree, $0.bytes, hash: $0.hash) })
                return purged
            }
        }
        return try await write { draft in
            let current = try draft.settled(.files)
            if let known {
                var came = try TreeDiff(from: known, to: current, in: draft.nodes)
                while let difference = try came.next() {
                    let isNew = difference.after?.versions.contains {
                        $0.value.isTombstone && $0.dot.timestamp <= horizon && difference.before?.context.covers($0.dot) != true && isLacking($0)
                    }
                    if isNew == true { return nil }
                }
            }
            var edits: [TreeEdit] = []
            var diff = try TreeDiff(from: base, to: current, in: draft.nodes)
            while let difference = try diff.next() {
                edits.append(TreeEdit(difference.path, difference.after?.purged(upTo: horizon).map { .set($0) } ?? .forget))
            }
            let purged = try prepared.applying(edits, in: &draft.nodes)
            draft.setHorizon(horizon)
            guard purged.root != current.root else { return 0 }
            draft.replace(.files, with: purged)
            draft.note(cause: "drop old deletions")
            return current.aggregates.tombstones - purged.aggregates.tombstones
        }
    }

    /// Forgets what stood at some paths of somebody else's files, from which it was deleted so long ago that the deletion is dropped.
    ///
    /// A path at which there is anything that the other did not have, or that is later than the horizon, is left as it is.
    ///
    /// - Parameter theirs: the other's files as they were known before.
    public func forget(_ paths: [TreePath], of theirs: Subtree, upTo horizon: Timestamp) async throws {
        try await write { draft in
            var gone: [TreePath] = []
            for path in paths {
                guard let register = try draft.entry(at: path)?.register, let known = try theirs.entry(at: path, in: draft.nodes)?.register,
                    register.versions.allSatisfy({ $0.dot.timestamp <= horizon && known.context.covers($0.dot) })
                else { continue }
                gone.append(path)
            }
            for path in gone { draft.set(path, to: nil) }
            if !gone.isEmpty { draft.note(cause: "follow old deletions") }
        }
    }

    /// Writes anew, in one commit, what nobody else has: what it was made over may be deleted and forgotten elsewhere by now, so that it
    /// is not taken under its old name.
    ///
    /// - Parameter isUnsent: whether nobody else has a version of a path.
    /// - Returns: how many paths were written.
    public func renew(_ paths: [TreePath], where isUnsent: @escaping @Sendable (TreePath, Version) -> Bool) async throws -> Int {
        try await write { draft in
            var renewed: [(path: TreePath, register: Register)] = []
            for path in paths {
                let register = try draft.entry(at: path)?.register?.renewing(where: { isUnsent(path, $0) }) { draft.nextDot() }
                if let register { renewed.append((path, register)) }
            }
            for (path, register) in renewed { draft.set(path, to: register) }
            if !renewed.isEmpty { draft.note(cause: "write anew after a long absence") }
            return renewed.count
        }
    }

    /// Makes deletions up to a time anew, in one commit, so that dropping them does not bring back elsewhere what they deleted.
    ///
    /// - Parameters:
    ///   - since: those that were here at that time stay as they are; nil if none was. Nor was any where what was here then is not known any more.
    ///   - isMeant: whether others may lack a deletion.
    /// - Returns: at how many paths there were any.
    public func renewDeletions(
        upTo horizon: Timestamp, after since: Timestamp? = nil, where isMeant: @escaping @Sendable (Version) -> Bool
    ) async throws -> Int {
        @Sendable func isOld(_ version: Version) -> Bool {
            version.value.isTombstone && version.dot.timestamp <= horizon && isMeant(version)
        }
        let base = head.commit.files
        let known = try await threads.run { [self] in
            let past = try since.flatMap { try files(at: $0) }.flatMap { $0.isExact ? $0.files : nil }
            return try asDatabaseErrors {
                var known: [TreePath: VersionVector] = [:]
                for path in try base.tombstones(in: nodes, where: isOld) {
                    known[path] = try past?.entry(at: path, in: nodes)?.register?.context ?? VersionVector()
                }
                return known
            }
        }
        return known.isEmpty ? 0 : try await renew(known.keys.sorted()) { path, version in isOld(version) && known[path]?.covers(version.dot) == false }
    }

    /// A path at which something is gone at another node: an old copy of itself has lost it, or it was deleted long ago.
    public struct Loss: Sendable {
        public var path: TreePath
        /// What the other has there now,
        public var told: Register?
        /// and what it had before.
        public var had: Register

        public init(path: TreePath, told: Register?, had: Register) {
            self.path = path
            self.told = told
            self.had = had
        }
    }

    /// Lets go, in one commit, of what another node had and let go of long ago, where it has something else now.
    /// - Returns: where there was any.
    public func follow(_ losses: [Loss], upTo horizon: Timestamp) async throws -> [Loss] {
        try await write { draft in
            var gone: [Loss] = []
            for loss in losses {
                guard let told = loss.told, let register = try draft.entry(at: loss.path)?.register,
                    let left = register.following(told, had: loss.had.context, upTo: horizon)
                else { continue }
                draft.set(loss.path, to: left)
                gone.append(loss)
            }
            if !gone.isEmpty { draft.note(cause: "follow what is long gone") }
            return gone
        }
    }

    /// Takes up as new writes, in one commit, what another node has lost and is still here.
    ///
    /// - Parameters:
    ///   - horizon: what is not later may be missing there because it was deleted.
    ///   - mayWrite: whether a version may be written at a path; where one may not, all stays as it is.
    /// - Returns: how many writes there are.
    public func regain(
        _ losses: [Loss], after horizon: Timestamp, mayWrite: @escaping @Sendable (TreePath, Version) -> Bool
    ) async throws -> Int {
        try await write { draft in
            var results: [(path: TreePath, regained: Regained)] = []
            for loss in losses {
                let register = try draft.entry(at: loss.path)?.register
                let regained = register?.regained(
                    over: loss.told, had: loss.had.context, own: draft.authorship.actor.node, after: horizon, where: { mayWrite(loss.path, $0) }
                ) { draft.nextDot() }
                if let regained, regained.register != register { results.append((loss.path, regained)) }
            }
            for (path, regained) in results { draft.set(path, to: regained.register) }
            if !results.isEmpty { draft.note(cause: "take up what another node has lost") }
            return results.reduce(0) { $0 + $1.regained.written }
        }
    }

    /// A tree that is not this database's own, without the registers at some paths. Blocks.
    public func forgetting(_ paths: [TreePath], in tree: Subtree) throws -> Subtree {
        try asDatabaseErrors {
            var draft = DraftNodes(over: nodes)
            let left = try tree.applying(paths.map { TreeEdit($0, .forget) }, in: &draft)
            try store.append(draft.made.values.map { PreparedObject(.tree, $0.bytes, hash: $0.hash) })
            return left
        }
    }

    /// Whether there is any deletion of some kind up to a time. O(deletions). Blocks.
    public func hasDeletions(upTo horizon: Timestamp, where isMeant: (Version) -> Bool) throws -> Bool {
        try asDatabaseErrors {
            try !head.commit.files.tombstones(in: nodes) { $0.value.isTombstone && $0.dot.timestamp <= horizon && isMeant($0) }.isEmpty
        }
    }

    /// The earliest deletion behind a time that is still in the files. Blocks.
    public func earliestTombstone(after time: Timestamp) throws -> Timestamp? {
        try asDatabaseErrors { try head.commit.files.earliestTombstone(after: time, in: nodes) }
    }

    /// Takes another node's files in the place of this one's, and writes anew what nobody else has of this node's.
    ///
    /// For a node that was away for so long that deletions it does not know have been dropped: what it merely still has would
    /// bring them back. Its own writes that never reached anybody are kept as new writes: against what is there now, they win,
    /// lose or stand as conflicts by the usual rules.
    ///
    /// - Parameters:
    ///   - root: of the other node's files, all of whose objects are here.
    ///   - acknowledged: for each node, up to when others have its writes; nil for one that they have not heard of.
    ///   - since: up to when others have all that this node had.
    ///   - horizon: up to which the other node has dropped deletions.
    ///   - latest: the latest timestamp in the other node's files.
    ///   - incarnation: of the new writes, a fresh one.
    /// - Returns: how many writes were kept.
    public func startOver(
        with root: ContentHash, acknowledged: @escaping @Sendable (NodeID) -> Timestamp?, since: Timestamp, horizon: Timestamp,
        latest: Timestamp, incarnation: UInt32
    ) async throws -> Int {
        // What others have of it by then they have, also what was made long before it came here.
        let past = try await threads.run { [self] in try files(at: since) }
        return try await write { draft in
            let mine = try draft.settled(.files)
            let theirs = Subtree(root: root, aggregates: try draft.nodes.node(root).aggregates())
            draft.observe(latest)
            draft.takeUp(incarnation: incarnation)
            // Apart from the draft, which gives out the new names meanwhile.
            var nodes = draft.nodes
            let reader = draft.nodes
            let (files, kept) = try theirs.keeping(
                unsyncedOf: mine, acknowledged: acknowledged,
                isHad: { path, version in
                    guard version.dot.timestamp <= since else { return false }
                    // A path may be kept for a shorter time than others.
                    guard let past, let wasHere = try? past.files.entry(at: path, in: reader)?.register?.context.covers(version.dot) ?? false else { return nil }
                    return wasHere && !past.isExact ? nil : wasHere
                },
                purgedUpTo: horizon, in: &nodes) { draft.nextDot() }
            draft.nodes = nodes
            draft.setHorizon(horizon)
            draft.replace(.files, with: files)
            draft.note(cause: "take up the cluster's state after a long absence")
            return kept
        }
    }
}

extension Draft {
    /// Refuses what was prepared under another horizon: what the other tree held may be older than the deletions that have
    /// been dropped since.
    func requireHorizon(_ horizon: Timestamp, of tree: Tree) throws {
        guard tree == .system || horizon == self.horizon else {
            throw DatabaseError(.conflict, "old deletions were dropped in the meantime; sync again")
        }
    }
}
