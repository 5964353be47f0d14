import Causality
import Content

extension Subtree {
    /// How many edits a join gathers before it applies them, so that its memory does not grow with the trees.
    private static var batchSize: Int { 8192 }

    /// The tree of a node that knows what these two know: every register joined.
    ///
    /// Associative, commutative and idempotent, as the join of registers is. Subdirectories that only one side has are
    /// taken whole; O(differences × log n).
    ///
    /// The other tree's own sums are not looked at: a root is enough.
    ///
    /// - Parameter changed: told each path whose register in this tree changes, or which comes in as a whole.
    public func joined(
        with other: Subtree, in store: inout some NodeStore, changed: (TreeDifference) throws -> Void = { _ in }
    ) throws -> Subtree {
        if root == other.root || other.root == TreeNode.empty.hash { return self }
        var result = self
        var edits: [TreeEdit] = []
        var diff = try TreeDiff(from: self, to: other, in: store, keepsAddedWhole: true)
        while var difference = try diff.next() {
            guard let edit = difference.resolveToJoin() else { continue }
            try changed(difference)
            edits.append(edit)
            if edits.count == Subtree.batchSize {
                result = try result.applying(edits, in: &store)
                edits.removeAll(keepingCapacity: true)
            }
        }
        return try result.applying(edits, in: &store)
    }
}

extension TreeDifference {
    /// Makes `after` the join of both sides; nil if that leaves the first side as it is.
    fileprivate mutating func resolveToJoin() -> TreeEdit? {
        switch (before, after) {
        case (let before?, let after?): self.after = before.joined(with: after)
        case (let before?, nil): after = before
        case (nil, _): break
        }
        if let added { return TreeEdit(path, .adopt(added, after)) }
        guard let after, after != before else { return nil }
        return TreeEdit(path, .set(after))
    }
}
