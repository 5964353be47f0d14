import Causality
import Content
import FileDatabase
import Merkle
import Objects
import Platform

/// What became of a look at the folder.
struct LocalOutcome: Sendable {
    /// Paths that were written into the tree.
    var edits = 0
    var deletions = 0
    var bytes: UInt64 = 0
    var held: HeldDeletions?
    /// Directories that have to be looked at again: something in them was being written.
    var unsettled: Set<UInt64> = []
    var notices: [FolderNotice] = []
    /// Names that were looked at.
    var looked = 0
    var rulesChanged = false
}

extension FolderState {
    /// Edits of one commit. A burst that has more is written in several.
    private static let maximumEdits = 32_768
    /// Files that one thread reads before it hands on what it found.
    private static let readingSlice = 64

    /// Looks at the folder, or at some directories of it, and makes what has changed a part of the tree.
    ///
    /// - Parameters:
    ///   - directories: nil for all.
    ///   - visit: told each directory that is gone through, before its names are read.
    ///   - takesOpen: whether a file that is held open for writing, and that has been at rest for long, is taken as it is.
    func absorb(
        _ directories: Set<UInt64>?, confirmsDeletions: Bool, visit: @escaping @Sendable (DirectoryHandle, UInt64) -> Void = { _, _ in },
        takesOpen: @escaping @Sendable (ScanResult.Item) -> Bool = { _ in false }
    ) async throws -> LocalOutcome {
        let scan = try await database.threads.run { [self] in
            try requireFolder()
            return try look(directories, visit)
        }
        var outcome = LocalOutcome()
        outcome.notices = scan.notices
        outcome.looked = scan.count
        outcome.rulesChanged = scan.rulesChanged
        try await absorb(scan, confirmsDeletions: confirmsDeletions, takesOpen, &outcome)
        return outcome
    }

    func look(_ directories: Set<UInt64>?, _ visit: @escaping (DirectoryHandle, UInt64) -> Void = { _, _ in }) throws -> ScanResult {
        try index.read { view in
            var scan = try FolderScan(root: root, view: view, scope: scope, newID: { self.index.newID() }, visit: visit)
            if let directories { try scan.scan(directories) } else { try scan.scanAll() }
            return scan.result
        }
    }

    private func absorb(
        _ scan: ScanResult, confirmsDeletions: Bool, _ takesOpen: @escaping @Sendable (ScanResult.Item) -> Bool, _ outcome: inout LocalOutcome
    ) async throws {
        let replacing = try await placeDirectories(scan.directories.filter { $0.movedFrom == nil })
        let moves = Moves(scan, placed: try await placedTree(), database.view)
        var batch = try await newEdits()
        for item in replacing { batch.put(item) }
        for item in scan.directories {
            guard let from = item.movedFrom else { continue }
            batch.put(item)
            try batch.moveMark(from: from, to: item.path)
        }
        for item in scan.moved { if let from = item.movedFrom { try batch.move(item, from: from) } }
        for (item, from, replaced) in moves.renamed { try batch.move(item, from: from, replacing: replaced) }
        for item in scan.empty { try batch.markEmpty(item.path) }
        let lost = scan.deleted.filter { $0.row.status.kind != .directory }.count - moves.renamed.count
        let total = try await placedTree().aggregates.files
        let isHeld = !confirmsDeletions && DeletionGuard.holds(deleting: lost, of: total)
        if isHeld {
            outcome.held = HeldDeletions(direction: .sending, files: lost, total: total)
        }
        for item in scan.deleted {
            let isRenamed = moves.sources.contains(item.path)
            // What something else has taken the place of is gone without a doubt.
            let isReplaced = moves.taken.contains(item.path)
            if isHeld, !isRenamed, !isReplaced { continue }
            if moves.rewritten.contains(item.path) {
                batch.forgetChunks(of: item)
                continue
            }
            try batch.delete(item, keepsChunks: isRenamed, keepsRow: isReplaced)
            outcome.deletions += item.row.status.kind == .directory ? 0 : 1
        }
        for item in scan.moved {
            if let from = item.movedFrom { try batch.deleteMoved(item, from: from) }
        }
        var rest = moves.unread[...]
        while !rest.isEmpty {
            let slice = Array(rest.prefix(max(1, min(4096, FolderState.maximumEdits - batch.edits.count))))
            rest = rest.dropFirst(slice.count)
            for (item, reading) in try await read(slice, takesOpen) {
                switch reading {
                case .file, .link: try batch.add(item, reading)
                case .unsettled, .gone: outcome.unsettled.insert(item.directory)
                case .unreadable(let reason):
                    outcome.notices.append(FolderNotice(.skipped, item.path.names.joined(separator: "/"), reason))
                }
            }
            if batch.edits.count >= FolderState.maximumEdits || batch.changes.count >= 4 * FolderState.maximumEdits {
                try await commit(batch, &outcome)
                batch = try await newEdits()
            }
        }
        try await commit(batch, &outcome)
    }

    /// Gives new directories a place in the index before anything else, so that what is in them has one. The tree knows nothing of
    /// them yet.
    ///
    /// - Returns: those that stand where another was. What was in that is not forgotten before the tree knows that it is gone;
    ///   what is in them is read at the next look.
    private func placeDirectories(_ items: [ScanResult.Item]) async throws -> [ScanResult.Item] {
        if items.isEmpty { return [] }
        return try await database.threads.run { [index] in
            try index.write { view in
                var replacing: [ScanResult.Item] = []
                for item in items {
                    if let row = try view.row(item.directory, item.name), row.id != item.row.id {
                        replacing.append(item)
                    } else {
                        try view.put(item.directory, item.name, item.row)
                    }
                }
                return replacing
            }
        }
    }

    private func placedTree() async throws -> Subtree {
        try await database.threads.run { [index] in try index.read { try $0.placed() } }
    }

    private func newEdits() async throws -> LocalEdits {
        LocalEdits(database: database, placed: try await placedTree(), view: database.view, traits: traits)
    }

    private func commit(_ batch: LocalEdits, _ outcome: inout LocalOutcome) async throws {
        if batch.isEmpty { return }
        // Whoever sends changes on may begin as soon as they are committed.
        chunks.expect(batch.places)
        defer { chunks.expect([:]) }
        let results = batch.edits.isEmpty
            ? [] : try await database.commit(batch.edits, objects: batch.objects, cause: "edits in a folder")
        try await store(placed: batch.placedEdits(results), batch.changes)
        outcome.edits += batch.edits.count
        outcome.bytes += batch.bytes
    }

    /// Makes a new state of the placed tree and of the index durable, together.
    func store(placed edits: [TreeEdit], _ changes: [IndexChange]) async throws {
        try await database.threads.run { [self] in
            // Until the index has the new root, nothing keeps what is under it.
            let hold = database.holdObjects()
            defer { hold.end() }
            let placed = try database.edited(try index.read { try $0.placed() }, FolderState.last(edits))
            try database.store.sync()
            try index.write { view in
                for change in changes { try change.apply(to: view) }
                try view.setPlaced(placed)
            }
            chunks.forget()
        }
    }

    /// One edit a path: the last.
    private static func last(_ edits: [TreeEdit]) -> [TreeEdit] {
        var byPath: [TreePath: TreeEdit] = [:]
        for edit in edits { byPath[edit.path] = edit }
        return byPath.count == edits.count ? edits : Array(byPath.values)
    }

    // MARK: Reading

    private func read(
        _ items: [ScanResult.Item], _ takesOpen: @escaping @Sendable (ScanResult.Item) -> Bool
    ) async throws -> [(ScanResult.Item, ReadingOutcome)] {
        let slices = stride(from: 0, to: items.count, by: FolderState.readingSlice).map {
            Array(items[$0..<min($0 + FolderState.readingSlice, items.count)])
        }
        return try await withThrowingTaskGroup(of: (Int, [(ScanResult.Item, ReadingOutcome)]).self) { group in
            for (number, slice) in slices.enumerated() {
                group.addTask { (number, try await self.database.threads.run { try self.readSlice(slice, takesOpen) }) }
            }
            var results = [[(ScanResult.Item, ReadingOutcome)]](repeating: [], count: slices.count)
            for try await (number, result) in group { results[number] = result }
            return results.flatMap { $0 }
        }
    }

    private func readSlice(
        _ items: [ScanResult.Item], _ takesOpen: (ScanResult.Item) -> Bool
    ) throws -> [(ScanResult.Item, ReadingOutcome)] {
        var last: (id: UInt64, handle: DirectoryHandle)?
        return try items.map { item in
            let handle: DirectoryHandle
            if let last, last.id == item.directory {
                handle = last.handle
            } else {
                guard let found = try directory(item.directory) else { return (item, .gone) }
                handle = found
                last = (item.directory, found)
            }
            let outcome = FileReading.read(
                item.name, in: handle, takesOpen: takesOpen(item), hasAttributes: traits.hasAttributes)
            return (item, outcome)
        }
    }

    /// Opens a directory of the folder by its number; nil if it is not where its row says.
    func directory(_ id: UInt64) throws -> DirectoryHandle? {
        if id == FolderIndex.rootID { return root }
        let known = try index.read { view -> (path: [[UInt8]], inode: UInt64)? in
            guard let place = try view.place(of: id), let row = try view.row(place.directory, place.name), let path = try view.path(of: id)
            else { return nil }
            return (path.local, row.status.inode)
        }
        guard let known else { return nil }
        var handle = root
        for name in known.path {
            guard let next = try handle.directory(name) else { return nil }
            handle = next
        }
        // Another may stand where it was before it was moved.
        return try handle.status().inode == known.inode ? handle : nil
    }
}

/// Which of the new files are old ones at another name.
private struct Moves {
    /// Files whose bytes are known, and where they were.
    var renamed: [(item: ScanResult.Item, from: TreePath, replaced: UInt64)] = []
    var unread: [ScanResult.Item] = []
    var sources: Set<TreePath> = []
    /// Paths that have something else than before,
    var taken: Set<TreePath> = []
    /// and those of them at which it is a file or a link.
    var rewritten: Set<TreePath> = []

    init(_ scan: ScanResult, placed: Subtree, _ view: TreeView) {
        var lost: [UInt64: ScanResult.Item] = [:]
        for item in scan.deleted where item.row.status.kind == .file { lost[item.row.status.inode] = item }
        if !scan.deleted.isEmpty {
            rewritten = Set(scan.changed.map(\.path))
            taken = rewritten.union(scan.directories.map(\.path))
        }
        for var item in scan.changed {
            if item.row.status.kind == .file, let old = lost[item.row.status.inode], old.row.status.isSameContent(as: item.row.status),
                old.path != item.path, let entry = try? placed.entry(at: old.path, in: view.reader), case .file? = entry.current?.value
            {
                lost[item.row.status.inode] = nil
                let replaced = item.row.id
                item.row.id = old.row.id
                sources.insert(old.path)
                renamed.append((item, old.path, replaced))
            } else {
                unread.append(item)
            }
        }
    }
}
