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
    /// Files that were found to be new or changed, and their bytes.
    var totalFiles = 0
    var totalBytes: UInt64 = 0
    var rulesChanged = false
}

extension FolderState {
    /// Looks at the folder, or at some directories of it, and makes what has changed a part of the tree.
    ///
    /// - Parameters:
    ///   - directories: nil for all.
    ///   - visit: told each directory that is gone through, before its names are read.
    ///   - takesOpen: whether a file that is held open for writing, and that has been at rest for long, is taken as it is.
    ///   - report: told how far it has come, after each commit.
    func absorb(
        _ directories: Set<UInt64>?, confirmsDeletions: Bool, visit: @escaping @Sendable (DirectoryHandle, UInt64) -> Void = { _, _ in },
        takesOpen: @escaping @Sendable (ScanResult.Item) -> Bool = { _ in false }, _ report: (LocalOutcome) -> Void = { _ in }
    ) async throws -> LocalOutcome {
        let scan = try await database.threads.run { [self] in
            try requireFolder()
            return try look(directories, visit)
        }
        var outcome = LocalOutcome()
        outcome.notices = scan.notices
        outcome.looked = scan.count
        outcome.rulesChanged = scan.rulesChanged
        outcome.totalFiles = scan.changedCount
        outcome.totalBytes = scan.changedBytes
        try await absorb(scan, confirmsDeletions: confirmsDeletions, takesOpen, &outcome, report)
        return outcome
    }

    func look(_ directories: Set<UInt64>?, _ visit: @escaping (DirectoryHandle, UInt64) -> Void = { _, _ in }) throws -> ScanResult {
        try look(visit) { scan in
            if let directories { try scan.scan(directories) } else { try scan.scanAll() }
        }
    }

    private func look(
        _ visit: @escaping (DirectoryHandle, UInt64) -> Void = { _, _ in }, _ body: (inout FolderScan) throws -> Void
    ) throws -> ScanResult {
        try index.read { view in
            var scan = try FolderScan(root: root, view: view, scope: scope, limit: batches.found, newID: { self.index.newID() }, visit: visit)
            try body(&scan)
            return scan.result
        }
    }

    private func absorb(
        _ scan: ScanResult, confirmsDeletions: Bool, _ takesOpen: @escaping @Sendable (ScanResult.Item) -> Bool, _ outcome: inout LocalOutcome,
        _ report: (LocalOutcome) -> Void
    ) async throws {
        let replacing = try await placeDirectories(scan.directories.filter { $0.movedFrom == nil })
        var lost = try await lostFiles(scan)
        let placed = try await placedTree()
        var batch = newEdits(Look(start: placed, in: database, deletes: !scan.vanished.isEmpty || !scan.movedIDs.isEmpty), placed)
        for item in scan.directories { if let from = item.movedFrom { try batch.moveMark(from: from, to: item.path) } }
        for item in scan.empty { try batch.markEmpty(item.path, isNew: true) }
        for item in scan.emptied { try batch.markEmpty(item.path, isNew: false) }
        // What has taken a directory's place waits with all that was in that: while its rows are needed, there is no other for its name.
        let replaced = Set(scan.vanished.lazy.filter { $0.row.status.kind == .directory && $0.isReplacedByFile }.map { ScanResult.Name($0) })
        var waiting = ScanResult()
        var part = scan
        while true {
            if !replaced.isEmpty {
                waiting.changed += part.changed.filter { replaced.contains(ScanResult.Name($0)) }
                part.changed.removeAll { replaced.contains(ScanResult.Name($0)) }
            }
            try await add(part, &lost, takesOpen, &batch, &outcome, report)
            if part.rest.isEmpty { break }
            try await commit(&batch, &outcome, report)
            let rest = part.rest
            part = try await database.threads.run { [self] in try look { try $0.resume(rest) } }
            outcome.unsettled.formUnion(part.unsettled)
        }
        let total = placed.aggregates.files
        let isHeld = !confirmsDeletions && DeletionGuard.holds(deleting: lost.count, of: total)
        if isHeld {
            outcome.held = HeldDeletions(direction: .sending, files: lost.count, total: total)
        }
        try await delete(scan, lost, isHeld: isHeld, &batch, &outcome, report)
        if !isHeld, !waiting.changed.isEmpty {
            var none = LostFiles()
            try await add(waiting, &none, takesOpen, &batch, &outcome, report)
        }
        // A directory that stands elsewhere, or where another was, is known to after all that was in it: after a crash it is found once more. So it is
        // where what was in the other is held.
        let held = isHeld ? Set(scan.vanished.lazy.filter { $0.row.status.kind == .directory }.map { ScanResult.Name($0) }) : []
        for item in replacing + scan.directories.filter({ $0.movedFrom != nil }) where !held.contains(ScanResult.Name(item)) { batch.put(item) }
        try await commit(&batch, &outcome, report)
    }

    private func lostFiles(_ scan: ScanResult) async throws -> LostFiles {
        try await database.threads.run { [root, index] in
            try index.read { try LostFiles(LostWalk(scan, in: root), scan, isSought: !scan.changed.isEmpty, in: $0) }
        }
    }

    /// What was found of new, changed and moved files.
    private func add(
        _ part: ScanResult, _ lost: inout LostFiles, _ takesOpen: @escaping @Sendable (ScanResult.Item) -> Bool, _ batch: inout LocalEdits,
        _ outcome: inout LocalOutcome, _ report: (LocalOutcome) -> Void
    ) async throws {
        for item in part.moved {
            guard let from = item.movedFrom else { continue }
            try batch.move(item, from: from)
            try batch.deleteMoved(item, from: from)
        }
        var unread: [ScanResult.Item] = []
        for var item in part.changed {
            if !lost.isEmpty, let old = try index.read({ try lost.file(like: item, in: $0) }),
                case .file(let known)? = try batch.knownValue(at: old.path), try await isUnchanged(item, old, known) {
                let replaced = item.row.id
                item.row.id = old.row.id
                lost.note(found: old)
                try batch.move(item, from: old.path, replacing: replaced)
                if !old.isReplacedByFile { try batch.delete(old, keepsChunks: true, keepsRow: old.isReplaced) }
                outcome.deletions += 1
            } else {
                if let from = item.movedFrom {
                    var old = item
                    old.path = from
                    try batch.delete(old, keepsChunks: false, keepsRow: true)
                }
                unread.append(item)
            }
        }
        var rest = unread[...]
        // The first are few, so that there is soon something to send.
        var limit = batches.bytes / 4
        var readings = try await read(takeSome(of: &rest, upTo: limit), takesOpen)
        while !readings.isEmpty {
            // The next are read while these become durable, which is waiting for the disk, and are sent.
            let coming = takeSome(of: &rest, upTo: batches.bytes)
            async let next = read(coming, takesOpen)
            for (item, reading) in readings {
                switch reading {
                case .file, .link: try batch.add(item, reading)
                case .unsettled, .gone: outcome.unsettled.insert(item.directory)
                case .unreadable(let reason):
                    outcome.notices.append(FolderNotice(.skipped, item.path.names.joined(separator: "/"), reason))
                }
                if batch.count >= batches.edits || batch.bytes >= limit {
                    try await commit(&batch, &outcome, report)
                    limit = batches.bytes
                }
            }
            readings = try await next
        }
    }

    /// As many files as are read before any of them becomes an edit. Of large ones two, which are read side by side.
    private func takeSome(of rest: inout ArraySlice<ScanResult.Item>, upTo limit: UInt64) -> [ScanResult.Item] {
        var items: [ScanResult.Item] = []
        var bytes: UInt64 = 0
        while items.count < batches.read, bytes < limit || items.count < 2, let item = rest.popFirst() {
            items.append(item)
            bytes += item.row.status.size
        }
        return items
    }

    /// What is gone, and was not found elsewhere.
    private func delete(
        _ scan: ScanResult, _ lost: LostFiles, isHeld: Bool, _ batch: inout LocalEdits, _ outcome: inout LocalOutcome,
        _ report: (LocalOutcome) -> Void
    ) async throws {
        var walk = LostWalk(scan, in: root)
        var directories: [ScanResult.Item] = []
        while true {
            let start = walk
            let (next, items) = try await database.threads.run { [index, batches] in
                var walk = start
                let items = try index.read { try walk.next(batches.found, in: $0) }
                return (walk, items)
            }
            walk = next
            if items.isEmpty { break }
            for item in items where !lost.found.contains(item.row.id) {
                if item.row.status.kind == .directory {
                    directories.append(item)
                    continue
                }
                if item.isReplacedByFile {
                    // What is new there is read at the next look, if that has not been done.
                    if item.isBesideReplacement { batch.forget(item) } else { batch.forgetChunks(of: item) }
                    continue
                }
                // What something else has taken the place of is gone without a doubt.
                if isHeld, item.replacement == nil { continue }
                try batch.delete(item, keepsChunks: false, keepsRow: item.isReplaced)
                outcome.deletions += 1
            }
            if batch.count >= batches.edits { try await commit(&batch, &outcome, report) }
        }
        // Last, and the deepest first: without its row, what was in a directory would not be known to be gone.
        for item in directories.reversed() where !isHeld || item.replacement?.kind == .directory {
            if item.replacement?.kind == .directory {
                if item.isBesideReplacement { batch.forget(item) }
            } else {
                try batch.delete(item, keepsChunks: false, keepsRow: item.isReplaced)
            }
        }
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

    private func newEdits(_ look: Look, _ placed: Subtree) -> LocalEdits {
        LocalEdits(look, database: database, placed: placed, view: database.view, traits: traits)
    }

    /// Whether a file that has the number, the size and the times of one that is gone is that one, as it was known: numbers are given again, and
    /// nothing but the time of its making tells two files of an archive apart.
    private func isUnchanged(_ item: ScanResult.Item, _ old: ScanResult.Item, _ known: FileValue) async throws -> Bool {
        if traits.hasModes, known.isExecutable != item.row.status.isExecutable { return false }
        return try await database.threads.run { [self] in
            guard let handle = try directory(item.directory), let born = handle.birthTime(item.name), born <= old.row.status.changedAt else { return false }
            guard traits.hasAttributes else { return true }
            guard let file = try handle.file(item.name) else { return false }
            return try FileAttributes(of: file).map { ContentHash(of: .attributes, $0.encoded()) } == known.attributes
        }
    }

    /// Commits a batch and begins the next.
    private func commit(_ batch: inout LocalEdits, _ outcome: inout LocalOutcome, _ report: (LocalOutcome) -> Void) async throws {
        if batch.isEmpty { return }
        // Whoever sends changes on may begin as soon as they are committed.
        chunks.expect(batch.places)
        defer { chunks.expect([:]) }
        let edits = batch.edits
        let results = edits.isEmpty ? [] : try await database.commit(edits, objects: batch.objects, cause: "edits in a folder")
        try await store(placed: batch.placedEdits(edits, results), batch.changes)
        outcome.edits += edits.count
        outcome.bytes += batch.bytes
        report(outcome)
        batch = newEdits(batch.look, try await placedTree())
    }

    /// Makes a new state of the placed tree and of the index durable, together.
    func store(placed edits: [TreeEdit], _ changes: [IndexChange]) async throws {
        try await database.threads.run { [self] in
            // Until the index has the new root, nothing keeps what is under it.
            let hold = database.holdObjects()
            defer { hold.end() }
            let before = try index.read { try $0.placed() }
            var placed = try database.edited(before, FolderState.last(edits))
            let uncovered = try uncovered(by: edits, before, placed)
            if !uncovered.isEmpty { placed = try database.edited(placed, uncovered) }
            try database.store.sync()
            try index.write { view in
                for change in changes { try change.apply(to: view) }
                try view.setPlaced(placed)
            }
            chunks.forget()
        }
    }

    /// Files that directories have hidden which are gone with these edits. The folder does not have them: they are to be placed.
    private func uncovered(by edits: [TreeEdit], _ before: Subtree, _ after: Subtree) throws -> [TreeEdit] {
        var seen = Set(edits.map(\.path))
        var uncovered: [TreeEdit] = []
        for edit in edits {
            var path = edit.path
            while let parent = path.parent, !parent.isRoot, seen.insert(parent).inserted {
                path = parent
                guard try before.entry(at: path, in: database.view.reader)?.hidesFile == true,
                    try after.entry(at: path, in: database.view.reader)?.current != nil
                else { continue }
                uncovered.append(TreeEdit(path, .forget))
            }
        }
        return uncovered
    }

    /// One edit a path: the last.
    private static func last(_ edits: [TreeEdit]) -> [TreeEdit] {
        var byPath: [TreePath: TreeEdit] = [:]
        for edit in edits { byPath[edit.path] = edit }
        return byPath.count == edits.count ? edits : Array(byPath.values)
    }
}
