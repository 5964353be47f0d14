import Access
import Merkle

extension TreeView {
    /// The first paths that differ between two states and may be read or listed, in order, and whether there are more than `limit`.
    public func changes(
        from before: Subtree, to after: Subtree, within prefix: TreePath?, rules: RuleSet, limit: Int
    ) throws -> (paths: [TreePath], isMore: Bool) {
        try asDatabaseErrors {
            var paths: [TreePath] = []
            var diff = try TreeDiff(from: before, to: after, in: nodes) { path in
                (prefix.map { path.isWithin($0) || $0.isWithin(path) } ?? true)
                    && (rules.mayAllow(.list, below: path) || rules.mayAllow(.read, below: path))
            }
            var cursor = RuleCursor(rules)
            while let difference = try diff.next() {
                guard prefix.map({ difference.path.isWithin($0) }) ?? true,
                    cursor.allows(.list, difference.path) || cursor.allows(.read, difference.path)
                else { continue }
                if paths.count == limit { return (paths, true) }
                paths.append(difference.path)
            }
            return (paths, false)
        }
    }

    /// Whether a path, or something below it, is conflicted and may be listed. A walk through conflicted directories.
    public func hasConflict(at path: TreePath, rules: RuleSet) throws -> Bool {
        try asDatabaseErrors {
            guard let top = try entry(at: path), top.aggregates.conflicts > 0 else { return false }
            if rules.allowsAll(.list, below: path) { return true }
            func isShown(_ entry: Entry, _ path: TreePath) -> Bool { rules.allows(.list, path) && !entry.losers.isEmpty }
            if !path.isRoot, isShown(top, path) { return true }
            guard let directory = top.subtree else { return false }
            var walk = try directory.walk(at: path, in: nodes, where: { $0.conflicts > 0 }) { rules.mayAllow(.list, below: $0) }
            while let (place, entry) = try walk.next() {
                if isShown(entry, place) { return true }
            }
            return false
        }
    }
}
