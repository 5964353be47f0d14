import Causality
import Content
import Merkle
import Objects

/// A file or link that differs between two states.
public struct FileChange: Sendable {
    public var path: TreePath
    public var before: FileInfo?
    public var after: FileInfo?
}

extension TreeView {
    /// The files and links at and below a path that have other content in another view, in order of path, from the first behind
    /// `after` on. Directories show through what is in them. O(differences × log n). Blocks.
    ///
    /// - Parameters:
    ///   - shows: whether a path may be shown.
    ///   - showsBelow: whether anything below one may be.
    public func changes(
        to other: TreeView, at path: TreePath = .root, after last: TreePath? = nil, limit: Int,
        where shows: (TreePath) -> Bool = { _ in true }, below showsBelow: @escaping (TreePath) -> Bool = { _ in true }
    ) throws -> (items: [FileChange], isComplete: Bool) {
        try asDatabaseErrors {
            let (old, new) = (try entry(at: path), try other.entry(at: path))
            var items: [FileChange] = []
            /// False if the page is full.
            func add(_ place: TreePath, _ before: Entry?, _ after: Entry?) -> Bool {
                guard shows(place) else { return true }
                func file(_ entry: Entry?) -> FileInfo? {
                    entry.flatMap { FileInfo(place, $0) }.flatMap { $0.kind == .directory ? nil : $0 }
                }
                let change = FileChange(path: place, before: file(before), after: file(after))
                switch (change.before?.version?.value, change.after?.version?.value) {
                case (nil, nil): return true
                // Saved again, or put back by a restore: another version of the same.
                case (let before?, let after?) where before.hasSameContent(as: after): return true
                default: break
                }
                if items.count == limit { return false }
                items.append(change)
                return true
            }
            if last == nil, !path.isRoot, !add(path, old, new) { return (items, false) }
            guard old?.subtree?.root != new?.subtree?.root else { return (items, true) }
            var walk = try TreeDiff(
                from: old?.subtree ?? .empty, to: new?.subtree ?? .empty, at: path, in: nodes, tellsVisibility: true,
                after: last == path ? nil : last, descend: showsBelow)
            while let difference = try walk.next() {
                let name = difference.path.name ?? ""
                let isRoom = add(
                    difference.path, Entry(name: name, register: difference.before, subtree: difference.subtreeBefore),
                    Entry(name: name, register: difference.after, subtree: difference.subtreeAfter))
                if !isRoom { return (items, false) }
            }
            return (items, true)
        }
    }
}
