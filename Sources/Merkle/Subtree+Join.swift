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
    /// - Parameters:
    ///   - horizon: up to which deletions have been dropped here; the other tree may still hold them.
    ///   - dropped: up to which the other tree's node has dropped deletions, where this tree's does not.
    ///   - changed: told each path whose register in this tree changes, or which comes in as a whole.
    public func joined(
        with other: Subtree, purgedUpTo horizon: Timestamp = .zero, shedding dropped: Timestamp = .zero, in store: inout some NodeStore,
        changed: (TreeDifference) throws -> Void = { _ in }
    ) throws -> Subtree {
        if root == other.root || other.root == TreeNode.empty.hash { return self }
        var result = self
        var edits: [TreeEdit] = []
        var diff = try TreeDiff(from: self, to: other, in: store, keepsAddedWhole: true)
        while var difference = try diff.next() {
            difference.added = try difference.added?.purged(upTo: horizon, in: &store)
            guard let edit = difference.resolveToJoin(purgedUpTo: horizon, shedding: dropped) else { continue }
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
    fileprivate mutating func resolveToJoin(purgedUpTo horizon: Timestamp, shedding dropped: Timestamp) -> TreeEdit? {
        switch (before, after) {
        case (let before?, let after?): self.after = before.joined(with: after)
        case (let before?, nil): after = before
        case (nil, _): break
        }
        after = after?.shedding(upTo: dropped).purged(upTo: horizon)
        if let added, added.root != TreeNode.empty.hash { return TreeEdit(path, .adopt(added, after)) }
        if after == before { return nil }
        return TreeEdit(path, after.map { .set($0) } ?? .forget)
    }
}
