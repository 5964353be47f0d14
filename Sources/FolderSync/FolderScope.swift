import FileDatabase
import Merkle

/// Which paths of the tree a folder takes part in.
public struct FolderScope: Sendable {
    /// Patterns, or none for everything.
    public let globs: [Glob]

    public init(_ globs: [Glob] = []) {
        self.globs = globs
    }

    public static let everything = FolderScope()

    func includes(_ path: TreePath) -> Bool {
        globs.isEmpty || globs.contains { $0.matches(path) }
    }

    func includesBelow(_ path: TreePath) -> Bool {
        globs.isEmpty || globs.contains { $0.canMatch(below: path) }
    }

    /// Whether a path is the tree's own affair, or a folder's state, and never the folder's.
    static func isReserved(_ path: TreePath) -> Bool {
        TreeView.isReserved(path) || path.names.contains(FolderLayout.name)
    }
}
