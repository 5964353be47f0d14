import FileDatabase
import Platform

extension FolderState {
    /// Files that one thread reads before it hands on what it found,
    private static let readingSlice = 64
    /// and their bytes: large files are read side by side.
    private static let readingSliceBytes: UInt64 = 8 << 20

    func read(
        _ items: [ScanResult.Item], _ takesOpen: @escaping @Sendable (ScanResult.Item) -> Bool
    ) async throws -> [(ScanResult.Item, ReadingOutcome)] {
        var slices: [[ScanResult.Item]] = []
        var bytes: UInt64 = 0
        for item in items {
            if let last = slices.last, last.count < FolderState.readingSlice, bytes < FolderState.readingSliceBytes {
                slices[slices.count - 1].append(item)
            } else {
                slices.append([item])
                bytes = 0
            }
            bytes += item.row.status.size
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
