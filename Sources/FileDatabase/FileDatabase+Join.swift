import Causality
import Content
import Merkle
import Objects
import Platform

/// What a join brought.
public struct JoinResult: Sendable {
    /// Whether anything changed.
    public var isChanged: Bool
    /// Paths that were conflicted before and after.
    public var conflictsBefore: UInt64
    public var conflictsAfter: UInt64
    /// The tree's roots.
    public var before: ContentHash
    public var after: ContentHash
}

extension FileDatabase {
    /// Joins a tree of another node, all of whose objects are here, into one of this database's, in one commit.
    ///
    /// The work is done beside the writer; the writer itself joins only what was written meanwhile.
    ///
    /// - Parameters:
    ///   - latest: the latest timestamp in it; this node's next write is later.
    ///   - horizon: the one that held when the other tree was looked up, which must still hold; nil for the present one.
    ///   - dropped: up to which the other has dropped deletions, where this node does not drop them by itself.
    public func join(
        _ other: ContentHash, into tree: Tree, latest: Timestamp, under horizon: Timestamp? = nil, shedding dropped: Timestamp = .zero,
        cause: String
    ) async throws -> JoinResult {
        let other = Subtree(root: other, aggregates: .zero)
        let horizon = tree == .files ? horizon ?? self.horizon : .zero
        let hold = holdObjects()
        defer { hold.end() }
        let base = head[tree]
        let prepared = try await threads.run { [nodes, store] in
            try asDatabaseErrors {
                var draft = DraftNodes(over: nodes)
                let joined = try base.joined(with: other, purgedUpTo: horizon, shedding: dropped, in: &draft)
                try store.append(draft.made.values.map { PreparedObject(.tree, $0.bytes, hash: $0.hash) })
                return joined
            }
        }
        return try await write { draft in
            try draft.requireHorizon(horizon, of: tree)
            let current = try draft.settled(tree)
            var joined = prepared
            if current.root != base.root { joined = try current.joined(with: prepared, purgedUpTo: horizon, shedding: dropped, in: &draft.nodes) }
            draft.observe(latest)
            let result = JoinResult(
                isChanged: joined.root != current.root, conflictsBefore: current.aggregates.conflicts,
                conflictsAfter: joined.aggregates.conflicts, before: current.root, after: joined.root)
            if result.isChanged {
                draft.replace(tree, with: joined)
                draft.note(cause: cause)
            }
            return result
        }
    }

    /// Joins registers of another node, all of whose objects are here, in one commit.
    public func join(
        _ registers: [(path: TreePath, register: Register)], into tree: Tree, latest: Timestamp, under horizon: Timestamp? = nil,
        shedding dropped: Timestamp = .zero, cause: String
    ) async throws -> JoinResult {
        let horizon = tree == .files ? horizon ?? self.horizon : .zero
        return try await write { draft in
            try draft.requireHorizon(horizon, of: tree)
            let before = try draft.settled(tree)
            var changes: [(TreePath, Register?)] = []
            for (path, register) in registers {
                let old = try before.entry(at: path, in: draft.nodes)?.register
                let joined = (old?.joined(with: register) ?? register).shedding(upTo: dropped).purged(upTo: horizon)
                if joined != old { changes.append((path, joined)) }
            }
            draft.observe(latest)
            for (path, register) in changes { draft.set(path, to: register, in: tree) }
            if !changes.isEmpty { draft.note(cause: cause) }
            let after = try draft.settled(tree)
            return JoinResult(
                isChanged: !changes.isEmpty, conflictsBefore: before.aggregates.conflicts,
                conflictsAfter: after.aggregates.conflicts, before: before.root, after: after.root)
        }
    }

    /// Takes another cluster's system tree, all of whose objects are here, in the place of this one's.
    public func replaceSystem(with root: ContentHash, latest: Timestamp) async throws {
        try await write { draft in
            _ = try draft.settled(.system)
            let sums = try draft.nodes.node(root).aggregates()
            draft.observe(latest)
            draft.replace(.system, with: Subtree(root: root, aggregates: sums))
            draft.note(cause: "join a cluster")
        }
    }

    /// Begins with trees from elsewhere, all of whose nodes are here.
    ///
    /// - Parameter time: later than it are all writes to come.
    public func restore(files: ContentHash, system: ContentHash, time: Timestamp) async throws {
        try await write { draft in
            for (tree, root) in [(Tree.files, files), (.system, system)] {
                _ = try draft.settled(tree)
                let node = try draft.nodes.node(root)
                draft.replace(tree, with: Subtree(root: root, aggregates: try node.aggregates()))
            }
            draft.observe(time)
            draft.note(cause: "restore a backup")
        }
    }

    /// Writes a document of the system tree; nil deletes it.
    public func setDocument(_ bytes: [UInt8]?, at path: TreePath) async throws {
        try await setDocuments([(path, bytes)])
    }

    /// Writes documents of the system tree in one commit; nil deletes one.
    public func setDocuments(_ documents: [(path: TreePath, bytes: [UInt8]?)]) async throws {
        try await write { draft in
            for (path, bytes) in documents where bytes?.count ?? 0 > Limits.maximumDocumentSize {
                throw DatabaseError(.invalid, "a document of \(bytes?.count ?? 0) bytes is too large", path: path)
            }
            var changes: [(TreePath, Value, Register?)] = []
            for (path, bytes) in documents {
                let old = try draft.entry(at: path, in: .system)?.register
                guard let bytes else {
                    if let old, !old.winner.value.isTombstone { changes.append((path, .tombstone, old)) }
                    continue
                }
                let object = PreparedObject(.chunk, bytes)
                draft.add([object])
                let content = FileContent(root: object.hash, height: 0, size: UInt64(bytes.count))
                let value = Value.file(FileValue(
                    content: content, mediaType: "application/json", modifiedAt: Int64(draft.time.wallMicroseconds()) * 1000))
                changes.append((path, value, old))
            }
            for (path, value, old) in changes { draft.write(value, at: path, over: old, in: .system) }
            draft.note(cause: "settings")
        }
    }
}
