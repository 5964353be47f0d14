import Causality
import Content
import FileDatabase
import Merkle
import Platform

extension Placement {
    /// Takes out of the folder what the tree does not have any more, the deepest first. What other paths of the tree want is put
    /// aside for them.
    ///
    /// - Returns: whether anything was done.
    mutating func removeLost(confirmsDeletions: Bool) throws -> Bool {
        var lost: [Difference] = []
        var roots: Set<ContentHash> = []
        try eachDifference { difference in
            if difference.lostFile != nil || difference.losesDirectory { lost.append(difference) }
            if case .file(let file)? = difference.lostFile { roots.insert(file.content.root) }
            return true
        }
        if lost.isEmpty { return false }
        var wanted: Set<ContentHash> = []
        if !roots.isEmpty {
            try eachDifference { difference in
                if case .write(.file(let file)) = difference.step, roots.contains(file.content.root) { wanted.insert(file.content.root) }
                return true
            }
        }
        let isMoved: (Value?) -> Bool = { value in
            if case .file(let file)? = value { wanted.contains(file.content.root) } else { false }
        }
        let count = lost.count { $0.lostFile != nil && !isMoved($0.lostFile) && !$0.after.isVisible }
        let total = placed.aggregates.files
        let isHeld = !confirmsDeletions && DeletionGuard.holds(deleting: count, of: total)
        if isHeld { outcome.held = HeldDeletions(direction: .receiving, files: count, total: total) }
        for difference in lost.reversed() {
            if isHeld, !isMoved(difference.lostFile), !difference.after.isVisible { continue }
            try attempt(difference.path) { placement in
                if difference.lostFile != nil {
                    try placement.removeFile(difference, isWanted: isMoved(difference.lostFile))
                } else {
                    try placement.removeDirectory(difference)
                }
            }
        }
        return true
    }

    private mutating func removeFile(_ difference: Difference, isWanted: Bool) throws {
        let path = difference.path
        if try isIgnored(path, isDirectory: false) { return }
        guard let parent = path.parent, let treeName = path.name else { return }
        // Where a directory follows, its own step settles the path.
        let settles = !difference.after.isVisible
        guard let directory = try known(parent), let (name, row) = try state.index.read({ try $0.row(directory.id, treeName: treeName) }) else {
            if settles { settle(path, difference.register) }
            return
        }
        guard row.status.kind == .file || row.status.kind == .symlink else {
            outcome.dirty.insert(directory.id)
            return
        }
        guard let status = try directory.handle.status(name), status.asRow == row.status else {
            outcome.dirty.insert(directory.id)
            return
        }
        let chunks = try known(difference.before)
        if difference.after.losers.contains(where: { $0.value.hasSameContent(as: difference.before.current?.value ?? .tombstone) }) {
            try preserve(chunks, of: row.id)
        }
        let aside = state.incoming.newName()
        let incoming = state.incoming.directory
        guard try directory.handle.move(name, to: incoming, aside) == .moved else {
            outcome.dirty.insert(directory.id)
            return
        }
        // Between the look and the move somebody may have written: then it goes back, unless there is something again.
        guard let moved = try incoming.status(aside), moved.isSameContent(as: status) else {
            if try incoming.move(aside, to: directory.handle, name) != .moved {
                note(.blocked, path, "was changed while it was deleted elsewhere; what it was is in \(FolderLayout.name)/\(FolderLayout.incoming)")
            }
            outcome.dirty.insert(directory.id)
            return
        }
        if isWanted, case .file(let file)? = difference.lostFile {
            salvaged[file.content.root, default: []].append(Salvaged(name: aside, mode: status.mode))
        } else {
            try incoming.remove(aside)
        }
        changes.append(.remove(directory: directory.id, name: name))
        changes.append(.removeChunks(file: row.id, chunks))
        if settles { settle(path, difference.register) }
        if !isWanted { outcome.deleted += 1 }
        try removeEmpty(parent)
    }

    private mutating func removeDirectory(_ difference: Difference) throws {
        if try isIgnored(difference.path, isDirectory: true) { return }
        if !difference.after.isVisible { settle(difference.path, difference.register) }
        try removeEmpty(difference.path)
    }

    /// Removes a directory, and those above it, as long as the tree has none there and nothing is in it.
    private mutating func removeEmpty(_ path: TreePath) throws {
        var path = path
        while let parent = path.parent, let treeName = path.name {
            if try view.entry(at: path)?.isDirectory == true { return }
            guard let above = try known(parent), let (name, row) = try state.index.read({ try $0.row(above.id, treeName: treeName) }),
                row.status.kind == .directory, try above.handle.removeDirectory(name)
            else { return }
            forgetDirectory(path)
            changes.append(.remove(directory: above.id, name: name))
            path = parent
        }
    }

    /// Saves the bytes of a file that is about to go for those versions that still have them.
    func preserve(_ chunks: [FileReading.Chunk], of file: UInt64) throws {
        for chunk in chunks where try !state.chunks.isElsewhere(chunk.hash, than: file) {
            guard let bytes = try state.chunks.read(chunk.hash) else { continue }
            try state.chunks.spool.add([(chunk.hash, bytes)], to: state.index)
        }
    }

    /// The chunks of the file that an entry shows.
    func known(_ entry: Entry) throws -> [FileReading.Chunk] {
        guard case .file(let file)? = entry.current?.value else { return [] }
        return (try? state.database.placedChunks(of: file.content)) ?? []
    }

    /// Lets go of what nobody wanted after all.
    mutating func dropSalvaged() throws {
        for file in salvaged.values.flatMap(\.self) { try state.incoming.remove(file.name) }
        salvaged = [:]
    }
}
