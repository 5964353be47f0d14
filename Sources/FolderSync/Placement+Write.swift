import Causality
import Content
import FileDatabase
import Merkle
import Node
import Objects
import Platform

/// A file or a link on its way into the folder.
struct PlacementItem: Sendable {
    var difference: Placement.Difference
    var value: Value
    var directory: Placement.Directory
    /// Its name in the folder.
    var name: [UInt8]
    /// What the index has there.
    var row: IndexRow?
    /// Its name beside the folder.
    var temporary: [UInt8]
    var chunks: [FileReading.Chunk] = []
    var missing: [WantedChunk] = []
    /// Whether some of it had come before.
    var isBegun = false
    /// Whether its bytes are whole already, in a file that was put aside.
    var isSalvaged = false
    /// Whether it has its times and modes already.
    var isFinished = false
    /// Whether the folder has the bytes and only times and modes are to be set.
    var keepsContent = false

    var file: FileValue? { if case .file(let file) = value { file } else { nil } }
}

extension Placement {
    /// Bytes that are written between two syncs of the file system: few, so that the last sync, which nothing else waits beside, has little to do.
    private static let batchBytes: UInt64 = 32 << 20

    /// Goes on from behind a path until there is enough for one batch.
    ///
    /// - Returns: the files whose content is beside the folder now, but for the chunks that are missing; and the path to go on
    ///   from, nil at the end.
    mutating func prepare(after last: TreePath?) throws -> (items: [PlacementItem], last: TreePath?) {
        var found: [Difference] = []
        var bytes: UInt64 = 0
        var isAtEnd = true
        try eachDifference(after: last) { difference in
            if found.count >= state.batches.placed || bytes >= Placement.batchBytes {
                isAtEnd = false
                return false
            }
            if case .write(.file(let file)) = difference.step { bytes += file.content.size }
            found.append(difference)
            return true
        }
        var items: [PlacementItem] = []
        for difference in found {
            try attempt(difference.path) { placement in
                switch difference.step {
                case .adopt:
                    // What was lost is settled where it was removed.
                    if difference.lostFile == nil, !difference.losesDirectory { placement.settle(difference) }
                case .makeDirectory:
                    if try placement.isIgnored(difference.path, isDirectory: true) { return }
                    if try placement.directory(difference.path) != nil { placement.settle(difference) }
                case .write(let value):
                    if let item = try placement.prepare(difference, value) { items.append(item) }
                }
            }
        }
        return (items, isAtEnd ? nil : found.last?.path)
    }

    private mutating func prepare(_ difference: Difference, _ value: Value) throws -> PlacementItem? {
        let path = difference.path
        if try isIgnored(path, isDirectory: false) { return nil }
        guard let parent = path.parent, let treeName = path.name, let directory = try directory(parent) else { return nil }
        let name = try localName(treeName, in: parent, directory.id)
        let row = try state.index.read { try $0.row(directory.id, name) }
        guard try isAsKnown(name, row, in: directory) else {
            outcome.dirty.insert(directory.id)
            return nil
        }
        if row?.status.kind == .directory {
            note(.blocked, path, "a folder stands here that is not empty, where a file is to be")
            return nil
        }
        var item = PlacementItem(
            difference: difference, value: value, directory: directory, name: name, row: row, temporary: state.incoming.newName())
        switch value {
        case .symlink:
            guard state.traits.hasLinks else {
                note(.blocked, path, "this file system has no symbolic links")
                return nil
            }
        case .file(let file):
            if case .file(let old)? = difference.before.current?.value, old.content == file.content, row?.status.kind == .file,
                // Its other names are other files in the tree, which keep their times and modes.
                !directory.handle.hasOtherLinks(name) {
                item.keepsContent = true
                return item
            }
            item.chunks = try state.database.placedChunks(of: file.content)
            if let salvaged = salvaged[file.content.root]?.popLast() {
                item.temporary = salvaged.name
                item.isSalvaged = true
            } else {
                item.temporary = state.incoming.name(of: file.content, at: path)
                try copyKnownChunks(of: file, into: &item)
            }
        case .directory, .tombstone: return nil
        }
        return item
    }

    /// Whether a name stands as the index says.
    private func isAsKnown(_ name: [UInt8], _ row: IndexRow?, in directory: Directory) throws -> Bool {
        try directory.handle.status(name)?.asRow == row?.status
    }

    /// Writes what the folder has of a file's content into the file beside it.
    private func copyKnownChunks(of file: FileValue, into item: inout PlacementItem) throws {
        item.isBegun = try state.incoming.directory.status(item.temporary) != nil
        for chunk in item.chunks {
            if item.isBegun, try holds(state.incoming.file(item.temporary), chunk) { continue }
            if let bytes = try state.chunks.read(chunk.hash) {
                try bytes.withUnsafeBytes { try state.incoming.file(item.temporary).write($0, at: chunk.offset) }
            } else {
                item.missing.append(WantedChunk(
                    hash: chunk.hash, size: chunk.size, path: item.difference.path, root: file.content.root, offset: chunk.offset))
            }
        }
    }

    /// Whether the chunk is there already, from a try that broke off.
    private func holds(_ file: OpenFile, _ chunk: FileReading.Chunk) throws -> Bool {
        let bytes = try file.read(Int(chunk.size), at: chunk.offset)
        return bytes.count == Int(chunk.size) && ContentHash(of: .chunk, bytes) == chunk.hash
    }

    // MARK: Finishing

    /// Gives the files their times and modes, and makes their bytes durable.
    /// - Returns: those that the disk did not refuse.
    mutating func finish(_ items: [PlacementItem]) throws -> [PlacementItem] {
        let incoming = state.incoming
        var finished: [PlacementItem] = []
        for item in items {
            try attempt(item.difference.path) { placement in
                if case .symlink(let target) = item.value {
                    try incoming.directory.makeLink(item.temporary, to: target)
                } else if let value = item.file, !item.keepsContent, !item.isFinished {
                    let file = try incoming.file(item.temporary)
                    if item.isBegun { try file.truncate(to: value.content.size) }
                    try placement.state.setMetadata(of: file, value, oldMode: item.row?.status.mode, isNew: !item.isSalvaged)
                    incoming.close(item.temporary)
                }
                finished.append(item)
            }
        }
        incoming.forgetWritten()
        if !finished.isEmpty { try incoming.directory.syncFileSystem() }
        return finished
    }

    /// Moves the files into the folder. Those whose place has changed since stay out, for the next look to find.
    mutating func moveIn(_ items: [PlacementItem]) throws {
        for item in items { try attempt(item.difference.path) { try $0.take(item) } }
    }

    private mutating func take(_ item: PlacementItem) throws {
        let whole = item.keepsContent ? nil : try state.incoming.directory.status(item.temporary)
        guard try moveIn(item) else {
            outcome.dirty.insert(item.directory.id)
            if item.isSalvaged, let root = item.file?.content.root {
                salvaged[root, default: []].append(Salvaged(name: item.temporary, mode: 0))
            } else if !item.keepsContent {
                try state.incoming.remove(item.temporary)
            }
            return
        }
        guard var status = try item.directory.handle.status(item.name) else {
            outcome.dirty.insert(item.directory.id)
            return
        }
        if let whole, status.inode != whole.inode || !status.isSameContent(as: whole) {
            // Somebody has saved there since: over what was moved in, which the next look is to see.
            outcome.dirty.insert(item.directory.id)
            status = whole
        }
        status = status.asRow
        let treeName = item.difference.path.name ?? ""
        let id = item.row?.id ?? state.index.newID()
        changes.append(.put(directory: item.directory.id, name: item.name, IndexRow(
            id: id, status: status, treeName: item.name.elementsEqual(treeName.utf8) ? nil : treeName)))
        if !item.keepsContent {
            changes.append(.removeChunks(file: id, try known(item.difference.before)))
            changes.append(.addChunks(file: id, item.chunks))
        }
        settle(item.difference)
        outcome.written += 1
        outcome.bytes += item.keepsContent ? 0 : item.file?.content.size ?? 0
    }

    private func moveIn(_ item: PlacementItem) throws -> Bool {
        let incoming = state.incoming.directory
        let target = item.directory.handle
        if item.keepsContent {
            guard let file = try target.file(item.name), try file.status().asRow == item.row?.status, let value = item.file else { return false }
            try state.setMetadata(of: file, value, oldMode: item.row?.status.mode)
            return true
        }
        guard let row = item.row else {
            switch try incoming.move(item.temporary, to: target, item.name) {
            case .moved: return true
            case .unsupported:
                guard try target.status(item.name) == nil else { return false }
                return try incoming.replace(target, item.name, with: item.temporary) == .moved
            case .missing, .taken: return false
            }
        }
        guard let before = try target.status(item.name), before.asRow == row.status else { return false }
        if let old = item.difference.before.current?.value, item.difference.after.losers.contains(where: { $0.value.hasSameContent(as: old) }) {
            try preserve(known(item.difference.before), of: row.id)
        }
        switch try incoming.exchange(item.temporary, with: target, item.name) {
        case .moved:
            // What was there is beside the folder now. If somebody wrote it after the last look, it goes back.
            guard let old = try incoming.status(item.temporary), old.isSameContent(as: before) else {
                _ = try incoming.exchange(item.temporary, with: target, item.name)
                return false
            }
            try incoming.remove(item.temporary)
            return true
        case .unsupported:
            return try incoming.replace(target, item.name, with: item.temporary) == .moved
        case .missing, .taken: return false
        }
    }
}
