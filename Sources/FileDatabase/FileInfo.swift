import Causality
import Content
import Merkle

/// What listings and answers tell of a name.
public struct FileInfo: Sendable, Hashable {
    public enum Kind: String, Sendable {
        case file
        case directory
        case symlink
    }

    public var path: TreePath
    public var kind: Kind
    /// The current version; nil for a directory that stands because something is in it.
    public var version: Version?
    /// What is below, for a directory.
    public var aggregates: Aggregates
    /// Losing versions: of a file its own, of a directory the paths below that have some.
    public var conflicts: UInt64

    /// What a user sees at an entry; nil if that is nothing.
    public init?(_ path: TreePath, _ entry: Entry) {
        self.path = path
        if path.isRoot || entry.isDirectory {
            kind = .directory
            version = entry.register?.winner.value == .directory ? entry.register?.winner : nil
            aggregates = entry.subtree?.aggregates ?? .zero
            conflicts = aggregates.conflicts &+ (entry.losers.isEmpty ? 0 : 1)
        } else if let current = entry.current {
            kind = if case .symlink = current.value { .symlink } else { .file }
            version = current
            aggregates = .zero
            conflicts = UInt64(entry.losers.count)
        } else {
            return nil
        }
    }

    /// A losing version, at its place under `/.conflicts/`.
    init(loser: Version, at path: TreePath) {
        self.path = path
        version = loser
        aggregates = .zero
        conflicts = 0
        kind = if case .symlink = loser.value { .symlink } else { .file }
    }

    /// A directory of the `/.conflicts/` view.
    init(conflictsDirectory path: TreePath, conflicts: UInt64) {
        self.path = path
        kind = .directory
        version = nil
        aggregates = .zero
        self.conflicts = conflicts
    }

    public var name: String { path.name ?? "" }

    public var file: FileValue? {
        if case .file(let file)? = version?.value { file } else { nil }
    }

    public var symlinkTarget: String? {
        if case .symlink(let target)? = version?.value { target } else { nil }
    }

    /// Bytes of the file, of the link's target, or of all files below.
    public var size: UInt64 {
        switch kind {
        case .file: file?.content.size ?? 0
        case .symlink: UInt64(symlinkTarget?.utf8.count ?? 0)
        case .directory: aggregates.bytes
        }
    }

    /// The hash of the content: of a link, that of its target's bytes. A directory has none here.
    public var contentHash: ContentHash? {
        switch kind {
        case .file: file?.content.root
        case .symlink: symlinkTarget.map { ContentHash(of: .chunk, Array($0.utf8)) }
        case .directory: nil
        }
    }
}
