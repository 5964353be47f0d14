import Merkle
import Platform

/// Goes through what was in directories that are gone, some rows at a time: a directory before what was in it. What stands
/// elsewhere now is left out.
struct LostWalk: Sendable {
    private struct Level {
        var directory: UInt64
        var path: TreePath
        /// The last name that was told.
        var last: [UInt8] = []
        /// What stands in the directory's place now, if that is one.
        var now: DirectoryHandle?
    }

    private let folder: DirectoryHandle
    private let movedIDs: Set<UInt64>
    private var roots: ArraySlice<ScanResult.Item>
    private var levels: [Level] = []

    init(_ scan: ScanResult, in folder: DirectoryHandle) {
        self.folder = folder
        movedIDs = scan.movedIDs
        roots = scan.vanished[...]
    }

    /// The next names that are gone; none at the end.
    mutating func next(_ limit: Int, in view: IndexView) throws -> [ScanResult.Item] {
        var items: [ScanResult.Item] = []
        while items.count < limit {
            guard var level = levels.last else {
                guard let root = roots.popFirst() else { break }
                add(root, root.replacement.flatMap { $0.kind == .directory ? directory($0.local) : nil }, &items)
                continue
            }
            let rows = try view.rows(in: level.directory, after: level.last, limit: limit - items.count)
            guard let last = rows.last else {
                levels.removeLast()
                continue
            }
            level.last = last.name
            levels[levels.count - 1] = level
            for (name, row) in rows {
                var item = ScanResult.Item(
                    directory: level.directory, name: name,
                    path: level.path.appending(row.treeName ?? String(decoding: name, as: UTF8.self)), row: row)
                if let kind = try level.now?.status(name)?.kind, kind != .special { item.replacement = ScanResult.Replacement(kind: kind, local: [], hasOwnRow: true) }
                add(item, row.status.kind == .directory ? (try? level.now?.directory(name)) ?? nil : nil, &items)
            }
        }
        return items
    }

    private mutating func add(_ item: ScanResult.Item, _ now: DirectoryHandle?, _ items: inout [ScanResult.Item]) {
        let isDirectory = item.row.status.kind == .directory
        if isDirectory, movedIDs.contains(item.row.id) { return }
        items.append(item)
        if isDirectory { levels.append(Level(directory: item.row.id, path: item.path, now: now)) }
    }

    private func directory(_ local: [[UInt8]]) -> DirectoryHandle? {
        var handle = folder
        for name in local {
            guard let next = (try? handle.directory(name)) ?? nil else { return nil }
            handle = next
        }
        return handle
    }
}

/// The files that are gone from where they were, by inode, so that they are known at another name. A few bytes each.
struct LostFiles: Sendable {
    /// How many there are in whose place nothing stands.
    private(set) var count = 0
    /// Those that were found at another name.
    private(set) var found: Set<UInt64> = []
    private var idsByInode: [UInt64: UInt64] = [:]
    /// Those in whose place something stands.
    private var replaced: Set<UInt64> = []
    private let roots: [UInt64: ScanResult.Item]

    /// None.
    init() {
        roots = [:]
    }

    /// - Parameter isSought: whether any of them can be at another name.
    init(_ walk: LostWalk, _ scan: ScanResult, isSought: Bool, in view: IndexView) throws {
        roots = Dictionary(scan.vanished.map { ($0.row.id, $0) }) { first, _ in first }
        var walk = walk
        while case let items = try walk.next(4096, in: view), !items.isEmpty {
            for item in items where item.row.status.kind != .directory {
                if item.replacement == nil { count += 1 } else { replaced.insert(item.row.id) }
                if isSought, item.row.status.kind == .file { idsByInode[item.row.status.inode] = item.row.id }
            }
        }
    }

    var isEmpty: Bool { idsByInode.isEmpty }

    /// The lost file that has the inode and the bytes of this one, as far as a status tells.
    func file(like item: ScanResult.Item, in view: IndexView) throws -> ScanResult.Item? {
        guard item.row.status.kind == .file, let id = idsByInode[item.row.status.inode], !found.contains(id), let old = try self.item(id, in: view),
            old.path != item.path, old.row.status.isSameContent(as: item.row.status)
        else { return nil }
        return old
    }

    mutating func note(found item: ScanResult.Item) {
        found.insert(item.row.id)
        if !replaced.contains(item.row.id) { count -= 1 }
    }

    /// Up through what is gone, to where that stood in the tree.
    private func item(_ id: UInt64, in view: IndexView) throws -> ScanResult.Item? {
        if let root = roots[id] { return root }
        guard let place = try view.place(of: id), let row = try view.row(place.directory, place.name), row.id == id,
            let parent = try item(place.directory, in: view)
        else { return nil }
        let treeName = row.treeName ?? String(decoding: place.name, as: UTF8.self)
        return ScanResult.Item(directory: place.directory, name: place.name, path: parent.path.appending(treeName), row: row)
    }
}
