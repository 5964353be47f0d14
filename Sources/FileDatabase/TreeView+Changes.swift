import Access
import Merkle

extension TreeView {
    /// The first paths that differ between two states and may be read or listed, in order, and whether there are more than `limit`.
    public func changes(
        from before: Subtree, to after: Subtree, within prefix: TreePath?, rules: RuleSet, limit: Int
    ) throws -> (paths: [TreePath], isMore: Bool) {
        try asDatabaseErrors {
            var paths: [TreePath] = []
            let shown = ShownChanges(rules)
            var diff = try TreeDiff(from: before, to: after, in: nodes) { path in
                (prefix.map { path.isWithin($0) || $0.isWithin(path) } ?? true)
                    && shown.isShown(below: path)
            }
            while let difference = try diff.next() {
                guard prefix.map({ difference.path.isWithin($0) }) ?? true,
                    shown.isShown(difference.path)
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
            if !path.isRoot, !top.losers.isEmpty, rules.allows(.list, path) { return true }
            guard let directory = top.subtree else { return false }
            let shown = Shown(rules)
            var walk = try directory.walk(at: path, in: nodes, where: { $0.conflicts > 0 }) { shown.isShown(below: $0) }
            while let (place, entry) = try walk.next() {
                if !entry.losers.isEmpty, shown.isShown(place) { return true }
            }
            return false
        }
    }
}

/// Which differences may be told of: a class, because the walk and its reader look at it in turn. Compares each path from the directory
/// on that the last one was in.
public final class ShownChanges {
    private var rules: RuleCursor
    private var globs: GlobCursor?

    /// - Parameter globs: of which one must match; none for all paths.
    public init(_ rules: RuleSet, globs: [Glob] = []) {
        self.rules = RuleCursor(rules)
        self.globs = globs.isEmpty ? nil : GlobCursor(globs)
    }

    public func isShown(_ path: TreePath) -> Bool {
        (globs?.matches(path) ?? true) && (rules.allows(.list, path) || rules.allows(.read, path))
    }

    /// Whether anything at or below the path may be.
    public func isShown(below path: TreePath) -> Bool {
        (globs?.canMatch(below: path) ?? true) && (rules.mayAllow(.list, below: path) || rules.mayAllow(.read, below: path))
    }
}
