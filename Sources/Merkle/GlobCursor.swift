/// Compares many paths with a list of patterns one after another, most of which share their directory: what the patterns make of a
/// directory is worked out once for all names in it, so that a walk costs the same at every depth.
///
/// Says the same as `Glob`, which looks at a single path.
public struct GlobCursor {
    private let globs: [Glob]
    /// The directories on the way to the present one, from the root down, and what the patterns make of each.
    private var levels: [(name: String, globs: DirectoryGlobs)]

    public init(_ globs: [Glob]) {
        self.globs = globs
        levels = [("", DirectoryGlobs(globs))]
    }

    /// Whether one of the patterns matches the path.
    public mutating func matches(_ path: TreePath) -> Bool {
        guard let name = enterDirectory(of: path) else { return globs.contains { $0.matches(path) } }
        return levels[levels.count - 1].globs.first(matching: GlobName(name)) != nil
    }

    /// Whether one of them can match anything below the path.
    public mutating func canMatch(below path: TreePath) -> Bool {
        guard let name = enterDirectory(of: path).map({ GlobName($0) }) else { return globs.contains { $0.canMatch(below: path) } }
        return levels[levels.count - 1].globs.open.contains { $0.below(name).canMatch }
    }

    /// - Returns: the path's name in its directory; nil for the root.
    private mutating func enterDirectory(of path: TreePath) -> String? {
        guard let name = path.name else { return nil }
        let depth = path.depth - 1
        // A walk goes on in the same directory, or in one nearby.
        var common = 0
        while common < min(depth, levels.count - 1), levels[common + 1].name.isSameName(as: path.names[common]) { common += 1 }
        levels.removeLast(levels.count - 1 - common)
        for directory in path.names[common..<depth] {
            levels.append((directory, levels[levels.count - 1].globs.entering(GlobName(directory))))
        }
        return name
    }
}
