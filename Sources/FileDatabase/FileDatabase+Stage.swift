import Causality
import Content
import Merkle
import Objects

extension FileDatabase {
    /// Joins registers into a tree that is put together beside the database's own, so that what comes in many parts can become
    /// a part of it in one commit, with `join`. Blocks.
    ///
    /// The tree's nodes are stored and not durable; whoever puts it together keeps its root.
    /// - Returns: the tree with the registers.
    public func stage(_ registers: [(path: TreePath, register: Register)], onto tree: Subtree) throws -> Subtree {
        var losses: [Loss] = []
        return try stage(registers, onto: tree, shedding: .zero, losses: &losses)
    }

    /// The same, of a tree that another has told of before.
    ///
    /// - Parameters:
    ///   - dropped: up to which deletions have been dropped where the registers come from.
    ///   - losses: gets where something is gone there, though nothing of what stands there now has seen it.
    public func stage(
        _ registers: [(path: TreePath, register: Register)], onto tree: Subtree, shedding dropped: Timestamp, losses: inout [Loss]
    ) throws -> Subtree {
        let hold = holdObjects()
        defer { hold.end() }
        return try asDatabaseErrors {
            var draft = DraftNodes(over: nodes)
            let edits = try registers.map { path, register in
                var staged = register
                if let known = try tree.entry(at: path, in: draft)?.register {
                    staged = known.joined(with: register).shedding(upTo: dropped)
                    if staged.versions != register.versions { losses.append(Loss(path: path, told: register, had: known)) }
                }
                return TreeEdit(path, .set(staged))
            }
            let staged = try tree.applying(edits, in: &draft)
            try store.append(draft.made.values.map { PreparedObject(.tree, $0.bytes, hash: $0.hash) })
            return staged
        }
    }

    /// The directory of a root, with its sums; nil if it is not here. Blocks.
    public func subtree(_ root: ContentHash) throws -> Subtree? {
        guard let node = try storedNode(root) else { return nil }
        return Subtree(root: root, aggregates: try asDatabaseErrors { try node.aggregates() })
    }
}
