import Causality
import Content
import Merkle
import Objects

/// A change that somebody made to a copy of the tree, who may not have seen what the tree holds by now.
public struct FolderEdit: Sendable {
    public var path: TreePath
    public var value: Value
    /// What the copy held at the path when it was changed: what the change replaces. Nil for nothing.
    public var base: Register?

    public init(path: TreePath, value: Value, base: Register?) {
        self.path = path
        self.value = value
        self.base = base
    }
}

/// What became of an edit.
public struct FolderEditResult: Sendable {
    /// What the copy holds now.
    public var own: Register
    /// What the tree holds now: the same, joined with what the copy had not seen.
    public var joined: Register

    /// Whether the edit is what users see.
    public var isCurrent: Bool { joined.winner.value == own.winner.value }
}

extension FileDatabase {
    /// Writes edits of a copy in one commit. Each replaces only what its maker had seen; the rest stays beside it, as when two
    /// nodes meet.
    ///
    /// - Parameter objects: written with the commit.
    /// - Returns: what became of each, in the order given.
    public func commit(_ edits: [FolderEdit], objects: [PreparedObject], cause: String) async throws -> [FolderEditResult] {
        try await write { draft in
            let tree = try draft.settled(.files)
            for edit in edits {
                guard !edit.path.isRoot else { throw DatabaseError(.conflict, "the root is a directory", path: edit.path) }
                if let fault = edit.value.fault { throw DatabaseError(.invalid, fault, path: edit.path) }
            }
            let known = try edits.map { try tree.entry(at: $0.path, in: draft.nodes)?.register }
            var results: [FolderEditResult] = []
            for (edit, old) in zip(edits, known) {
                let dot = draft.nextDot()
                // Who has seen what the tree shows now has seen it, by whatever name it was written.
                let base = if let old, let base = edit.base, old.winner.value.hasSameContent(as: base.winner.value) { old } else { edit.base }
                let own = base?.writing(edit.value, at: dot)
                    ?? Register(Version(dot: dot, past: VersionVector(), value: edit.value))
                let joined = old?.joined(with: own) ?? own
                draft.set(edit.path, to: joined)
                results.append(FolderEditResult(own: own, joined: joined))
            }
            draft.add(objects)
            draft.note(cause: cause)
            return results
        }
    }

    /// A tree after edits, kept beside the database's own: a folder's, which lags behind. Its nodes are durable after the next
    /// sync of the store. Blocks.
    public func edited(_ tree: Subtree, _ edits: [TreeEdit]) throws -> Subtree {
        let hold = holdObjects()
        defer { hold.end() }
        return try asDatabaseErrors {
            var draft = DraftNodes(over: nodes)
            let result = try tree.applying(edits, in: &draft)
            try store.append(draft.made.values.map { PreparedObject(.tree, $0.bytes, hash: $0.hash) })
            return result
        }
    }
}
