import Access
import Causality
import Content
import FileDatabase
import Merkle
import Platform

/// Something that goes into an archive.
struct ArchiveItem: Sendable {
    var info: FileInfo
    /// From where the archive begins, with a slash at the end of a directory's.
    var name: String

    var kind: FileInfo.Kind { info.kind }
    /// Bytes of content in the archive.
    var size: UInt64 { kind == .directory ? 0 : info.size }
    /// Seconds since 1970.
    var modifiedAt: Int64 { HTTPTime.seconds(info.modifiedAt ?? 0) }
    /// The mode that it has on a disk (POSIX, `st_mode`).
    var mode: UInt32 {
        switch kind {
        case .directory: 0o040755
        case .symlink: 0o120777
        case .file: info.file?.isExecutable == true ? 0o100755 : 0o100644
        }
    }

    /// Gives the content to `take`, piece by piece: of a link, its target.
    func read(from database: FileDatabase, _ take: (ArraySlice<UInt8>) async throws -> Void) async throws {
        if let target = info.symlinkTarget { return try await take(Array(target.utf8)[...]) }
        guard let content = info.file?.content else { return }
        for try await piece in database.bytes(of: content, 0..<content.size) { try await take(piece) }
    }
}

/// Goes through what an archive holds, in order, a page at a time. Copies of it, made before it has moved, see the same: it
/// looks at one state and goes by one set of rules.
struct ArchiveWalk: Sendable {
    private static let page = 1000

    private let database: FileDatabase
    private let view: TreeView
    private let rules: RuleSet
    /// Names that stand before those in the archive.
    private let depth: Int
    private var selected: ArraySlice<TreePath>
    /// The directory that is being gone through, and where in it.
    private var directory: TreePath?
    private var after: TreePath?
    private var items: ArraySlice<FileInfo> = []

    /// - Parameter paths: in order, none below another.
    init(_ paths: [TreePath], in view: TreeView, of database: FileDatabase, rules: RuleSet) {
        self.database = database
        self.rules = rules
        self.view = view
        selected = paths[...]
        // The deepest directory that holds them all.
        var base = paths.first?.parent ?? .root
        for path in paths { while !path.isWithin(base) { base = base.parent ?? .root } }
        depth = base.depth
    }

    mutating func next() async throws -> ArchiveItem? {
        while true {
            if let info = items.popFirst() {
                if info.path.depth <= depth || info.kind != .directory && !rules.allows(.read, info.path) { continue }
                let name = info.path.names.dropFirst(depth).joined(separator: "/")
                return ArchiveItem(info: info, name: info.kind == .directory ? name + "/" : name)
            }
            if let directory {
                var options = ListOptions()
                options.recursive = true
                options.limit = ArchiveWalk.page
                options.after = after
                if !rules.isUnrestricted { options.rules = rules }
                let page = try await database.threads.run { [view, options] in try view.list(directory, options) }
                items = page.items[...]
                after = page.next
                if page.next == nil { self.directory = nil }
            } else if let path = selected.popFirst() {
                // What is gone since the order is left out.
                guard let info = try await database.threads.run({ [view] in try view.info(at: path) }) else { continue }
                if info.kind == .directory {
                    directory = path
                    after = nil
                }
                items = [info]
            } else {
                return nil
            }
        }
    }
}
