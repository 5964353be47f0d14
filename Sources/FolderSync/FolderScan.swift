import Content
import FileDatabase
import Merkle
import Platform

/// A walk through the folder, or through some of its directories, beside the index: names whose status is that of their row are
/// passed by, and nothing is read.
struct FolderScan {
    let root: DirectoryHandle
    let view: IndexView
    let scope: FolderScope
    let newID: () -> UInt64
    /// Files that the result holds at the most.
    let limit: Int
    /// Told each directory that is gone through.
    let visit: (DirectoryHandle, UInt64) -> Void
    private let device: UInt64
    private(set) var result = ScanResult()
    private var visited: Set<UInt64> = []
    /// Made when the first new directory is met.
    private var inodes: [UInt64: UInt64]?
    /// Whether this is about files alone, since all else was found before.
    private var isResuming = false

    init(
        root: DirectoryHandle, view: IndexView, scope: FolderScope, limit: Int, newID: @escaping () -> UInt64,
        visit: @escaping (DirectoryHandle, UInt64) -> Void
    ) throws {
        self.root = root
        self.view = view
        self.scope = scope
        self.limit = limit
        self.newID = newID
        self.visit = visit
        device = try root.status().device
    }

    private struct Place {
        var handle: DirectoryHandle
        var id: UInt64
        /// The names from the folder down.
        var local: [[UInt8]]
        var path: TreePath
        var movedFrom: TreePath?
        var rules: IgnoreStack
    }

    /// Looks at everything.
    mutating func scanAll() throws {
        try scan(Place(handle: root, id: FolderIndex.rootID, local: [], path: .root, rules: IgnoreStack()), isDeep: true)
    }

    /// Looks at these directories, and at all that is in new ones.
    mutating func scan(_ directories: Set<UInt64>) throws {
        var places: [(id: UInt64, local: [[UInt8]], tree: [String])] = []
        for id in directories {
            if let path = try view.path(of: id) { places.append((id, path.local, path.tree)) }
        }
        // From the top, so that what has moved is found before what is in it.
        for place in places.sorted(by: { $0.local.count < $1.local.count }) where !visited.contains(place.id) {
            if let place = try open(place.id, place.local, place.tree) { try scan(place, isDeep: false) }
        }
    }

    /// Looks at what an earlier look left, for as much as one result holds.
    mutating func resume(_ rest: [ScanResult.Rest]) throws {
        isResuming = true
        for (index, part) in rest.enumerated() {
            if isFull { return result.rest += rest[index...] }
            guard var place = try open(part.directory, part.local, part.path.names) else {
                result.unsettled.insert(part.directory)
                continue
            }
            place.movedFrom = part.movedFrom
            try scan(place, isDeep: false, part)
        }
    }

    private var isFull: Bool { result.changed.count + result.moved.count >= limit }

    /// Goes down to a directory; nil if it is not there, or nothing in it takes part.
    private func open(_ id: UInt64, _ local: [[UInt8]], _ tree: [String]) throws -> Place? {
        var handle = root
        var rules = IgnoreStack()
        var names: [String] = []
        for (name, treeName) in zip(local, tree) {
            do throws(DiskError) { rules = rules.adding(try list(in: handle, names)) } catch { return nil }
            if rules.ignores(names + [treeName], isDirectory: true) { return nil }
            guard let next = (try? handle.directory(name)) ?? nil else { return nil }
            handle = next
            names.append(treeName)
        }
        guard try handle.status().device == device else { return nil }
        return Place(handle: handle, id: id, local: local, path: try TreePath(names: tree), rules: rules)
    }

    private func list(in handle: DirectoryHandle, _ names: [String]) throws(DiskError) -> IgnoreList? {
        try IgnoreList(in: handle, names: names)
    }

    // MARK: One directory

    private mutating func scan(_ place: Place, isDeep: Bool, _ rest: ScanResult.Rest? = nil) throws {
        visited.insert(place.id)
        if !isResuming { visit(place.handle, place.id) }
        let names: NameList
        let rules: IgnoreStack
        do throws(DiskError) {
            names = if let known = rest?.names { known } else { try place.handle.names() }
        } catch {
            return note(place.path, nil, "cannot be read: \(error.reason)")
        }
        do throws(DiskError) {
            rules = place.rules.adding(try list(in: place.handle, place.path.names))
        } catch {
            // Without its patterns, what they hide would be sent.
            return note(place.path, nil, FolderScan.hidden(by: error))
        }
        if !isResuming, names.isEmpty, !place.path.isRoot, let (directory, name) = try view.place(of: place.id), let row = try view.row(directory, name) {
            result.emptied.append(ScanResult.Item(directory: directory, name: name, path: place.path, row: row))
        }
        var twins = Twins(names: names, aliases: try view.aliases(in: place.id))
        let rows = try view.cursor(in: place.id, from: rest?.name ?? [])
        var row = try rows.next()
        var below: [(Place, Bool)] = []
        var missed: [(name: [UInt8], row: IndexRow)] = []
        for index in (rest.map { names.position(of: $0.name) } ?? 0)..<names.count {
            let name = names[index]
            while let known = row, known.name.lexicographicallyPrecedes(name) {
                missed.append((Array(known.name), known.row))
                row = try rows.next()
            }
            var known: IndexRow?
            if let found = row, found.name.elementsEqual(name) {
                known = found.row
                row = try rows.next()
            }
            if name.elementsEqual(FolderLayout.name.utf8) {
                // Another folder's keys are in its state, which is good for one place only.
                if !place.path.isRoot { note(place.path, name, "is the state of another folder that is kept in sync") }
                continue
            }
            if let found = try look(at: index, names, known, place, rules, isDeep, &twins) { below.append(found) }
            if isResuming, result.rest.last?.directory == place.id {
                result.rest[result.rest.count - 1].names = names
                return
            }
        }
        while let known = row {
            missed.append((Array(known.name), known.row))
            row = try rows.next()
        }
        for (name, row) in missed { try miss(name, row, place, rules, twins) }
        for (place, isDeep) in below { try scan(place, isDeep: isDeep) }
    }

    /// Compares a name with its row.
    /// - Returns: the directory to go on with.
    private mutating func look(
        at index: Int, _ names: NameList, _ row: IndexRow?, _ place: Place, _ rules: IgnoreStack, _ isDeep: Bool, _ twins: inout Twins
    ) throws -> (Place, Bool)? {
        guard var status = try place.handle.status(names, index) else { return nil }
        // What is as it was needs nothing more, whatever the rules say of it by now.
        if let row, row.treeName == nil, status.kind != .directory, status.device == device, row.status == status.asRow, place.movedFrom == nil {
            if !isResuming { result.count += 1 }
            return nil
        }
        let name = names[index]
        let treeName: String
        if let known = row?.treeName {
            treeName = known
        } else {
            switch TreeName(of: name) {
            case .name(let name): treeName = name
            case .fault(let reason):
                note(place.path, name, reason)
                return nil
            }
        }
        let isDirectory = status.kind == .directory
        if rules.decision(Array(treeName.utf8)[...], in: place.path.names[...], isDirectory: isDirectory)?.isIgnored == true { return nil }
        if !isResuming { result.count += 1 }
        let path = place.path.appending(treeName)
        if !scope.globs.isEmpty, !scope.includes(path), !(isDirectory && scope.includesBelow(path)) { return nil }
        if place.path.isRoot, FolderScope.isReserved(path) {
            note(place.path, name, "the name is the database's own; rename it")
            return nil
        }
        if row == nil, path.length > TreePath.maximumLength {
            note(place.path, name, "its path is longer than \(TreePath.maximumLength) bytes")
            return nil
        }
        if status.kind == .special {
            note(place.path, name, "is neither a file, a folder nor a link")
            if let row { try lose(row, name, place, by: nil) }
            return nil
        }
        if status.device != device {
            note(place.path, name, "another file system is mounted there")
            return nil
        }
        if row == nil || row?.treeName != nil, let twin = twins.twin(of: name, treeName) {
            note(place.path, name, "is '\(twin)' in another Unicode form or under another name; rename one of them")
            return nil
        }
        status = status.asRow
        var item = ScanResult.Item(
            directory: place.id, name: Array(name), path: path,
            row: IndexRow(id: row?.id ?? 0, status: status, treeName: name.elementsEqual(treeName.utf8) ? nil : treeName))
        let isKnown = row.map { $0.status.isSameThing(as: status) } ?? false
        if let row, !isKnown {
            try lose(row, name, place, by: ScanResult.Replacement(kind: status.kind, local: place.local + [Array(name)], hasOwnRow: false))
        }
        if isDirectory { return isResuming ? nil : try lookAtDirectory(&item, isKnown ? row : nil, place, rules, isDeep) }
        if let row, isKnown, row.status == status {
            if let from = place.movedFrom {
                item.movedFrom = from.appending(treeName)
                take(item, \.moved, place)
            }
            return nil
        }
        // Its old place in a directory that has moved is as gone as that.
        if isKnown { item.movedFrom = place.movedFrom?.appending(treeName) }
        if !isResuming {
            if treeName == IgnoreList.fileName { result.rulesChanged = true }
            result.changedCount += 1
            if status.kind == .file { result.changedBytes += status.size }
        }
        if !isKnown { item.row.id = 0 }
        take(item, \.changed, place)
        return nil
    }

    /// Notes a file, or where it is if there is no room for it.
    private mutating func take(_ item: ScanResult.Item, _ list: WritableKeyPath<ScanResult, [ScanResult.Item]>, _ place: Place) {
        if !isFull {
            var item = item
            if item.row.id == 0 { item.row.id = newID() }
            result[keyPath: list].append(item)
        } else if result.rest.last?.directory != place.id {
            result.rest.append(ScanResult.Rest(
                directory: place.id, local: place.local, path: place.path, movedFrom: place.movedFrom, name: item.name))
        }
    }

    private mutating func lookAtDirectory(
        _ item: inout ScanResult.Item, _ row: IndexRow?, _ place: Place, _ rules: IgnoreStack, _ isDeep: Bool
    ) throws -> (Place, Bool)? {
        let handle: DirectoryHandle
        do {
            guard let opened = try place.handle.directory(item.name) else { return nil }
            handle = opened
        } catch {
            note(place.path, item.name[...], "cannot be read: \(error.reason)")
            return nil
        }
        // Without its patterns nothing is known of what is in it.
        if row == nil {
            do throws(DiskError) {
                _ = try list(in: handle, item.path.names)
            } catch {
                note(item.path, nil, FolderScan.hidden(by: error))
                if let moved = try movedDirectory(inode: item.row.status.inode) { result.movedIDs.insert(moved.id) }
                return nil
            }
        }
        if let row {
            item.movedFrom = place.movedFrom?.appending(item.path.name ?? "")
            if row.status != item.row.status || item.movedFrom != nil { result.directories.append(item) }
        } else if let (id, from) = try movedDirectory(inode: item.row.status.inode) {
            result.movedIDs.insert(id)
            item.row.id = id
            item.movedFrom = from
            result.directories.append(item)
        } else {
            item.row.id = newID()
            result.directories.append(item)
        }
        if isDeep || row == nil || item.movedFrom != nil {
            if row == nil, (try? handle.names().isEmpty) == true { result.empty.append(item) }
            return (Place(
                handle: handle, id: item.row.id, local: place.local + [item.name], path: item.path, movedFrom: item.movedFrom, rules: rules), true)
        }
        // Its own number is among the directories to look at if anything in it has changed.
        return nil
    }

    /// The row of a directory that has this inode and is not where its row says.
    private mutating func movedDirectory(inode: UInt64) throws -> (id: UInt64, from: TreePath)? {
        let known = try inodes ?? view.directoriesByInode()
        inodes = known
        guard let id = known[inode], !result.movedIDs.contains(id), !visited.contains(id), let path = try view.path(of: id) else { return nil }
        var handle = root
        for name in path.local.dropLast() {
            guard let next = try handle.directory(name) else { return (id, try TreePath(names: path.tree)) }
            handle = next
        }
        if let name = path.local.last, let status = try handle.status(name), status.inode == inode, status.device == device { return nil }
        return (id, try TreePath(names: path.tree))
    }

    // MARK: What is gone

    /// A row whose name is not in the directory any more.
    private mutating func miss(_ name: [UInt8], _ row: IndexRow, _ place: Place, _ rules: IgnoreStack, _ twins: Twins) throws {
        if isResuming { return }
        let treeName = row.treeName ?? String(decoding: name, as: UTF8.self)
        let isDirectory = row.status.kind == .directory
        // What is ignored now was not deleted, whatever became of it.
        if rules.ignores(place.path.names + [treeName], isDirectory: isDirectory) { return }
        if treeName == IgnoreList.fileName { result.rulesChanged = true }
        // Written in another Unicode form it is the same name in the tree.
        if let twin = twins.other(for: treeName, than: name), let kind = try place.handle.status(twin)?.kind, kind != .special {
            return try lose(row, name[...], place, by: ScanResult.Replacement(kind: kind, local: place.local + [twin], hasOwnRow: true))
        }
        try lose(row, name[...], place, by: nil)
    }

    private mutating func lose(_ row: IndexRow, _ name: ArraySlice<UInt8>, _ place: Place, by replacement: ScanResult.Replacement?) throws {
        if isResuming { return }
        let treeName = row.treeName ?? String(decoding: name, as: UTF8.self)
        let path = (place.movedFrom ?? place.path).appending(treeName)
        guard scope.globs.isEmpty || scope.includes(path) || row.status.kind == .directory && scope.includesBelow(path) else { return }
        result.vanished.append(ScanResult.Item(
            directory: place.id, name: Array(name), path: path, row: row, replacement: replacement))
    }

    // MARK: Words

    private static func hidden(by error: DiskError) -> String {
        "is left alone, since its \(IgnoreList.fileName) cannot be read: \(error.reason)"
    }

    private mutating func note(_ directory: TreePath, _ name: ArraySlice<UInt8>?, _ reason: String) {
        if isResuming { return }
        let path = directory.names.joined(separator: "/")
        guard let name else { return result.notices.append(FolderNotice(.skipped, path.isEmpty ? "." : path, reason)) }
        let shown = String(decoding: name, as: UTF8.self)
        result.notices.append(FolderNotice(.skipped, path.isEmpty ? shown : "\(path)/\(shown)", reason))
    }
}

/// Names of one directory that would be one name of the tree.
private struct Twins {
    private let names: NameList
    /// By the tree's name, the folder's, where they differ.
    private var aliases: [[UInt8]: [UInt8]]

    init(names: NameList, aliases: [[UInt8]: [UInt8]]) {
        self.names = names
        self.aliases = aliases
    }

    /// Another name that is the same one in the tree and comes before this one; nil if there is none.
    mutating func twin(of name: ArraySlice<UInt8>, _ treeName: String) -> String? {
        let tree = Array(treeName.utf8)
        if let other = aliases[tree] {
            if other.elementsEqual(name) { return nil }
            if contains(other) { return String(decoding: other, as: UTF8.self) }
        }
        if name.elementsEqual(tree) { return nil }
        // The one that has the tree's own form comes first.
        if contains(tree) { return treeName }
        aliases[tree] = Array(name)
        return nil
    }

    /// The name that stands for one of the tree, if it is not this one. All names must have been looked at.
    func other(for treeName: String, than name: [UInt8]) -> [UInt8]? {
        let tree = Array(treeName.utf8)
        if tree != name, contains(tree) { return tree }
        return aliases[tree].flatMap { $0 != name && contains($0) ? $0 : nil }
    }

    private func contains(_ name: [UInt8]) -> Bool {
        let position = names.position(of: name)
        return position < names.count && names[position].elementsEqual(name)
    }
}

extension FileStatus {
    /// Whether a name that had this status still stands for the same thing. A file that is saved anew is the same; a directory that
    /// another has taken the place of is not.
    fileprivate func isSameThing(as other: FileStatus) -> Bool {
        kind == other.kind && (kind != .directory || inode == other.inode)
    }

    /// As a row has it: a directory's times change with whatever is in it, and say nothing of itself.
    var asRow: FileStatus {
        var status = self
        status.device = 0
        if kind == .directory {
            status.size = 0
            status.modifiedAt = 0
            status.changedAt = 0
        }
        return status
    }
}

extension IgnoreList {
    /// The list that stands in a directory; nil if none does.
    init?(in handle: DirectoryHandle, names: [String]) throws(DiskError) {
        guard let file = try handle.file(Array(IgnoreList.fileName.utf8)) else { return nil }
        let size = try file.status().size
        guard size <= UInt64(IgnoreList.maximumSize) else {
            throw DiskError(code: .other, operation: "read \(file.path)", reason: "it is larger than \(IgnoreList.maximumSize) bytes")
        }
        if size == 0 { return nil }
        var bytes = [UInt8](repeating: 0, count: Int(size))
        let result = bytes.withUnsafeMutableBytes { buffer in Result { () throws(DiskError) in try file.read(into: buffer, at: 0) } }
        let count = try result.get()
        self.init(Array(bytes[..<count]), source: (names + [IgnoreList.fileName]).joined(separator: "/"), depth: names.count)
    }
}
