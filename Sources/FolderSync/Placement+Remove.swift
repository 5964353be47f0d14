import Causality
import Content
import FileDatabase
import Merkle
import Platform

extension Placement {
    /// What is to go.
    struct Lost: Sendable {
        /// Content of it that other paths of the tree want.
        var wanted: Set<ContentHash> = []
        var isHeld = false

        func isMoved(_ value: Value?) -> Bool {
            if case .file(let file)? = value { wanted.contains(file.content.root) } else { false }
        }
    }

    /// Finds out what the tree does not have any more; nil if that is nothing.
    mutating func findLost(confirmsDeletions: Bool) throws -> Lost? {
        if placed.root == Subtree.empty.root { return nil }
        var roots: Set<ContentHash> = []
        var isAny = false
        try eachDifference { difference in
            if difference.lostFile != nil || difference.losesDirectory { isAny = true }
            if case .file(let file)? = difference.lostFile { roots.insert(file.content.root) }
            return true
        }
        guard isAny else { return nil }
        var lost = Lost()
        var count = 0
        if !roots.isEmpty {
            try eachDifference { difference in
                if case .write(.file(let file)) = difference.step, roots.contains(file.content.root) { lost.wanted.insert(file.content.root) }
                return true
            }
        }
        try eachDifference { difference in
            if difference.lostFile != nil, !lost.isMoved(difference.lostFile), !difference.after.isVisible { count += 1 }
            return true
        }
        let total = placed.aggregates.files
        lost.isHeld = !confirmsDeletions && DeletionGuard.holds(deleting: count, of: total)
        if lost.isHeld { outcome.held = HeldDeletions(direction: .receiving, files: count, total: total) }
        return lost
    }

    /// Takes out of the folder what the tree does not have any more, from behind a path on, for as much as goes into the index together. What
    /// other paths of the tree want is put aside for them.
    ///
    /// - Returns: the path to go on from; nil at the end.
    mutating func remove(_ lost: Lost, after last: TreePath?) throws -> TreePath? {
        var found: [Difference] = []
        var end: TreePath?
        try eachDifference(after: last) { difference in
            guard difference.lostFile != nil || difference.losesDirectory else { return true }
            if lost.isHeld, !lost.isMoved(difference.lostFile), !difference.after.isVisible { return true }
            found.append(difference)
            if found.count >= state.batches.placed { end = difference.path }
            return end == nil
        }
        for difference in found {
            try attempt(difference.path) { placement in
                if difference.lostFile != nil {
                    try placement.removeFile(difference, isWanted: lost.isMoved(difference.lostFile))
                } else {
                    try placement.removeDirectory(difference)
                }
            }
        }
        return end
    }

    private mutating func removeFile(_ difference: Difference, isWanted: Bool) throws {
        let path = difference.path
        if try isIgnored(path, isDirectory: false) { return }
        guard let parent = path.parent, let treeName = path.name else { return }
        // Where a directory follows, its own step settles the path.
        let settles = !difference.after.isVisible
        guard let directory = try known(parent), let (name, row) = try state.index.read({ try $0.row(directory.id, treeName: treeName) }) else {
            if settles { settle(difference) }
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
        if isWanted, case .file(let file)? = difference.lostFile, !incoming.hasOtherLinks(aside) {
            salvaged[file.content.root, default: []].append(Salvaged(name: aside, mode: status.mode))
        } else {
            try incoming.remove(aside)
        }
        changes.append(.remove(directory: directory.id, name: name))
        changes.append(.removeChunks(file: row.id, chunks))
        if settles { settle(difference) }
        if !isWanted { outcome.deleted += 1 }
        try removeEmpty(parent)
    }

    private mutating func removeDirectory(_ difference: Difference) throws {
        if try isIgnored(difference.path, isDirectory: true) { return }
        if !difference.after.isVisible { settle(difference) }
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
