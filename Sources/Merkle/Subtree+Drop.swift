import Causality

/// What of a tree is wanted at a path.
public enum TreePart: Sendable {
    /// The path and everything below it.
    case all
    /// Neither the path nor anything below it.
    case none
    /// Some of what is below; and the path itself or not.
    case some(withPath: Bool)
}

extension Subtree {
    /// This directory without the registers that are not wanted, as if they had never been: nothing is written, so nothing is
    /// deleted anywhere else, and a join with a tree that has them brings them back.
    ///
    /// Goes through what is not wanted, except where the other tree holds the very same directory: O(registers × log n).
    ///
    /// - Parameters:
    ///   - other: a tree of somebody else. A register of which that one does not have every version stays here.
    ///   - path: where this directory is.
    ///   - part: what is wanted; never told `.all` below `.none`.
    ///   - kept: told of each register that is not wanted and stays.
    public func dropping(
        heldBy other: Subtree, at path: TreePath = .root, in store: inout some NodeStore, keeping part: (TreePath) -> TreePart,
        kept: (TreePath) -> Void
    ) throws -> Subtree {
        var changes: [(name: String, entry: Entry?)] = []
        var entries = try self.entries(in: store)
        while let entry = try entries.next() {
            let place = path.appending(entry.name)
            let wanted = part(place)
            if case .all = wanted { continue }
            let theirs = try other.entry(named: entry.name, in: store)
            var left = entry
            if let subtree = entry.subtree {
                if case .none = wanted, theirs?.subtree?.root == subtree.root {
                    left.subtree = nil
                } else {
                    let rest = try subtree.dropping(heldBy: theirs?.subtree ?? .empty, at: place, in: &store, keeping: part, kept: kept)
                    left.subtree = rest.root == TreeNode.empty.hash ? nil : rest
                }
            }
            if case .some(withPath: true) = wanted {} else if let register = entry.register {
                if register.versions.allSatisfy({ theirs?.register?.context.covers($0.dot) == true }) {
                    left.register = nil
                } else {
                    kept(place)
                }
            }
            if left != entry { changes.append((entry.name, left.isEmpty ? nil : left)) }
        }
        return try applying(changes, in: &store)
    }
}
