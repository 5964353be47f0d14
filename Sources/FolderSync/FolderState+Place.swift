import Causality
import Content
import FileDatabase
import Merkle
import Node
import Objects
import Platform
import Synchronization

/// How far something has come.
public struct FolderProgress: Sendable {
    public enum Direction: String, Sendable {
        case sending
        case receiving
    }

    public var direction: Direction
    public var files: Int
    public var bytes: UInt64
    /// Of how many, where that is known.
    public var totalFiles: UInt64?
    public var totalBytes: UInt64?

    public init(direction: Direction, files: Int, bytes: UInt64, totalFiles: UInt64? = nil, totalBytes: UInt64? = nil) {
        self.direction = direction
        self.files = files
        self.bytes = bytes
        self.totalFiles = totalFiles
        self.totalBytes = totalBytes
    }
}

extension FolderState {
    /// Brings the tree's state into the folder.
    func place(
        from remote: any FolderRemote, confirmsDeletions: Bool,
        visit: @escaping @Sendable (DirectoryHandle, UInt64) -> Void = { _, _ in }, _ report: @escaping @Sendable (PlacementOutcome) -> Void = { _ in }
    ) async throws -> PlacementOutcome {
        let threads = database.threads
        var placement = try await threads.run { [self] in
            try requireFolder()
            return Placement(state: self, placed: try index.read { try $0.placed() }, view: database.view, visit: visit)
        }
        if placement.placed.root == placement.view.files.root { return placement.outcome }
        let (had, has) = (placement.placed.aggregates.bytes, placement.view.files.aggregates.bytes)
        if has > had, scope.globs.isEmpty { placement.outcome.totalBytes = has - had }
        let start = placement
        let (found, lost) = try await threads.run {
            var placement = start
            let lost = try placement.findLost(confirmsDeletions: confirmsDeletions)
            return (placement, lost)
        }
        placement = found
        var last: TreePath?
        if let lost {
            repeat {
                let (before, position) = (placement, last)
                (placement, last) = try await threads.run {
                    var placement = before
                    let last = try placement.remove(lost, after: position)
                    return (placement, last)
                }
                placement = try await settle(placement)
            } while last != nil
        }
        var ready = FetchedBatch()
        func prepareNext() async throws -> [PlacementItem] {
            let (before, position) = (placement, last)
            let prepared: (placement: Placement, items: [PlacementItem], last: TreePath?) = try await threads.run {
                var placement = before
                let (items, last) = try placement.prepare(after: position)
                return (placement, items, last)
            }
            (placement, last) = (prepared.placement, prepared.last)
            return prepared.items
        }
        var isAtEnd = false
        var items = try await prepareNext()
        repeat {
            // The content of one batch comes while the batch before is made durable and moved in, and the next is looked for.
            let wanted = items
            async let coming = fetch(wanted, from: remote)
            placement = try await moveIn(ready, placement, report)
            isAtEnd = last == nil
            if !isAtEnd { items = try await prepareNext() }
            ready = await coming
        } while !isAtEnd && ready.failure == nil && !Task.isCancelled
        placement = try await moveIn(ready, placement, report)
        placement = try await settle(placement)
        if let failure = ready.failure { throw failure }
        try Task.checkCancellation()
        let end = placement
        return try await threads.run { [incoming] in
            var placement = end
            try placement.dropSalvaged()
            if !placement.outcome.isIncomplete, placement.outcome.dirty.isEmpty { try incoming.removeAll() }
            return placement.outcome
        }
    }

    /// Makes the content of a batch durable and moves it in. What the batch before has moved in becomes durable by the same sync of the file
    /// system, and only then goes into the index.
    private func moveIn(_ batch: FetchedBatch, _ placement: Placement, _ report: (PlacementOutcome) -> Void) async throws -> Placement {
        if batch.items.isEmpty { return placement }
        let whole = batch.items.filter { $0.missing.allSatisfy { batch.arrived.contains($0.hash) } }
        let (begun, finished): (Placement, [PlacementItem]) = try await database.threads.run {
            var placement = placement
            for (path, reason) in batch.refused { placement.note(.blocked, path, reason) }
            let finished = try placement.finish(whole)
            return (placement, finished)
        }
        let settled = try await settle(begun, isDurable: !finished.isEmpty)
        var placement = try await database.threads.run {
            var placement = settled
            try placement.moveIn(finished)
            return placement
        }
        placement.outcome.fetched += Set(whole.flatMap(\.missing)).reduce(0) { $0 + UInt64($1.size) }
        if whole.count < batch.items.count { placement.outcome.isIncomplete = true }
        report(placement.outcome)
        return placement
    }

    /// Makes what was done durable, first in the folder and then in the index.
    /// - Parameter isDurable: whether it is in the folder already.
    private func settle(_ placement: Placement, isDurable: Bool = false) async throws -> Placement {
        var placement = placement
        let (edits, changes) = placement.takeResults()
        if edits.isEmpty, changes.isEmpty { return placement }
        // Or a power cut could take files back that the index knows, and they would count as deleted by hand.
        if !changes.isEmpty, !isDurable { try await database.threads.run { [root] in try root.syncFileSystem() } }
        try await store(placed: edits, changes)
        return placement
    }

    /// Files on their way in, and what has come of their content.
    private struct FetchedBatch: Sendable {
        var items: [PlacementItem] = []
        var arrived: Set<ContentHash> = []
        /// What the disk did not take.
        var refused: [TreePath: String] = [:]
        /// What broke it off.
        var failure: (any Error)?
    }

    /// Where a chunk goes.
    private struct Target: Sendable {
        var name: [UInt8]
        var offset: UInt64
        /// The file of which it is all there is, and what that replaces: it needs nothing more but its times and modes.
        var whole: (file: FileValue, oldMode: UInt16?)?
    }

    /// Fetches what the files lack, each chunk once, straight into the files beside the folder.
    private func fetch(_ items: [PlacementItem], from remote: any FolderRemote) async -> FetchedBatch {
        var batch = FetchedBatch(items: items)
        var targets: [ContentHash: [Target]] = [:]
        var wanted: [WantedChunk] = []
        for item in items {
            let isWhole = item.chunks.count == 1 && !item.isBegun
            for chunk in item.missing {
                if targets[chunk.hash] == nil { wanted.append(chunk) }
                targets[chunk.hash, default: []].append(Target(
                    name: item.temporary, offset: chunk.offset,
                    whole: isWhole ? item.file.map { ($0, item.row?.status.mode) } : nil))
            }
        }
        if wanted.isEmpty { return batch }
        let arrived = Mutex<Set<ContentHash>>([])
        let refused = Mutex<[TreePath: String]>([:])
        let places = targets
        do {
            try await remote.fetch(wanted) { chunks in
                var taken: [ContentHash] = []
                for arrival in chunks {
                    do {
                        for target in places[arrival.chunk.hash] ?? [] { try self.write(arrival.bytes, to: target) }
                        taken.append(arrival.chunk.hash)
                    } catch let error as DiskError where error.code != .full {
                        // That file stays out; the others come.
                        refused.withLock { $0[arrival.chunk.path] = error.description }
                    }
                }
                arrived.withLock { $0.formUnion(taken) }
            }
        } catch {
            batch.failure = error
        }
        batch.arrived = arrived.withLock { $0 }
        batch.refused = refused.withLock { $0 }
        for index in batch.items.indices {
            let item = batch.items[index]
            if item.chunks.count == 1, item.missing.count == 1, !item.isBegun, batch.arrived.contains(item.missing[0].hash) {
                batch.items[index].isFinished = true
            }
        }
        return batch
    }

    private func write(_ bytes: [UInt8], to target: Target) throws {
        if let (file, oldMode) = target.whole {
            let open = try incoming.directory.create(target.name)
            try bytes.withUnsafeBytes { try open.write($0, at: 0) }
            incoming.note(bytes.count, of: open, at: 0)
            try setMetadata(of: open, file, oldMode: oldMode, isNew: true)
        } else {
            try incoming.write(bytes, to: target.name, at: target.offset)
        }
    }

    // MARK: Losers

    /// Sees to it that the losing versions can be read here without the server, and lets go of what no version has any more.
    func keepLosers(from remote: any FolderRemote) async throws {
        let view = database.view
        let (needed, wanted, spooled) = try await database.threads.run { [self] in
            var needed: [ContentHash: WantedChunk] = [:]
            if view.files.aggregates.conflicts > 0 {
                for conflict in try view.conflicts(limit: .max, where: { scope.includes($0) }).items {
                    for case .file(let file) in conflict.losers.map(\.value) {
                        for chunk in (try? database.placedChunks(of: file.content)) ?? [] {
                            needed[chunk.hash] = WantedChunk(
                                hash: chunk.hash, size: chunk.size, path: conflict.path, root: file.content.root, offset: chunk.offset)
                        }
                    }
                }
            }
            let missing = try database.store.missing(among: Array(needed.keys))
            return (Set(needed.keys), missing.compactMap { needed[$0] }, try chunks.spool.byteCount())
        }
        if !wanted.isEmpty {
            try await remote.fetch(wanted) { [chunks, index] arrived in try chunks.spool.add(arrived.map { ($0.chunk.hash, $0.bytes) }, to: index) }
        }
        if spooled > 0 {
            try await database.threads.run { [chunks, index] in
                let spooled = try index.read { try $0.spooledChunks() }
                if spooled.contains(where: { !needed.contains($0.hash) }) { try chunks.spool.reduce(to: needed, in: index) }
            }
        }
    }
}
