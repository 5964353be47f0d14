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
        repeat {
            let (before, position) = (placement, last)
            let batch: (placement: Placement, items: [PlacementItem], last: TreePath?) = try await threads.run {
                var placement = before
                let (items, last) = try placement.prepare(after: position)
                return (placement, items, last)
            }
            last = batch.last
            let (arrived, refused, failure) = await fetch(batch.items, from: remote)
            let whole = batch.items.filter { $0.missing.allSatisfy { arrived.contains($0.hash) } }
            placement = try await threads.run {
                var placement = batch.placement
                for (path, reason) in refused { placement.note(.blocked, path, reason) }
                let finished = try placement.finish(whole)
                try placement.moveIn(finished)
                return placement
            }
            placement.outcome.fetched += Set(whole.flatMap(\.missing)).reduce(0) { $0 + UInt64($1.size) }
            if whole.count < batch.items.count { placement.outcome.isIncomplete = true }
            placement = try await settle(placement)
            report(placement.outcome)
            if let failure { throw failure }
            try Task.checkCancellation()
        } while last != nil
        let end = placement
        return try await threads.run { [incoming] in
            var placement = end
            try placement.dropSalvaged()
            if !placement.outcome.isIncomplete, placement.outcome.dirty.isEmpty { try incoming.removeAll() }
            return placement.outcome
        }
    }

    /// Makes what was done durable, first in the folder and then in the index.
    private func settle(_ placement: Placement) async throws -> Placement {
        var placement = placement
        let (edits, changes) = placement.takeResults()
        if edits.isEmpty, changes.isEmpty { return placement }
        // Or a power cut could take files back that the index knows, and they would count as deleted by hand.
        if !changes.isEmpty { try await database.threads.run { [root] in try root.syncFileSystem() } }
        try await store(placed: edits, changes)
        return placement
    }

    /// Fetches what the files lack, each chunk once, straight into the files beside the folder.
    /// - Returns: the chunks that came, what the disk did not take, and what broke it off.
    private func fetch(
        _ items: [PlacementItem], from remote: any FolderRemote
    ) async -> (arrived: Set<ContentHash>, refused: [TreePath: String], failure: (any Error)?) {
        var targets: [ContentHash: [(name: [UInt8], offset: UInt64)]] = [:]
        var wanted: [WantedChunk] = []
        for item in items {
            for chunk in item.missing {
                if targets[chunk.hash] == nil { wanted.append(chunk) }
                targets[chunk.hash, default: []].append((item.temporary, chunk.offset))
            }
        }
        if wanted.isEmpty { return ([], [:], nil) }
        let arrived = Mutex<Set<ContentHash>>([])
        let refused = Mutex<[TreePath: String]>([:])
        let places = targets
        do {
            try await remote.fetch(wanted) { [incoming, database] chunk, bytes in
                do {
                    try await database.threads.run {
                        for target in places[chunk.hash] ?? [] {
                            try bytes.withUnsafeBytes { try incoming.file(target.name).write($0, at: target.offset) }
                        }
                    }
                    arrived.withLock { _ = $0.insert(chunk.hash) }
                } catch let error as DiskError where error.code != .full {
                    // That file stays out; the others come.
                    refused.withLock { $0[chunk.path] = error.description }
                }
            }
            return (arrived.withLock { $0 }, refused.withLock { $0 }, nil)
        } catch {
            return (arrived.withLock { $0 }, refused.withLock { $0 }, error)
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
            try await remote.fetch(wanted) { [chunks, index, database] chunk, bytes in
                try await database.threads.run { try chunks.spool.add([(chunk.hash, bytes)], to: index) }
            }
        }
        if spooled > 0 {
            try await database.threads.run { [chunks, index] in
                let spooled = try index.read { try $0.spooledChunks() }
                if spooled.contains(where: { !needed.contains($0.hash) }) { try chunks.spool.reduce(to: needed, in: index) }
            }
        }
    }
}
