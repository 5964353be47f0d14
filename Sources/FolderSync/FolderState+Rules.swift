import Causality
import Content
import FileDatabase
import Merkle
import Node
import Platform
import Synchronization

extension FolderState {
    /// A `.pandoignore` of the tree that the folder does not have.
    private struct MissingList: Sendable {
        var path: TreePath
        var file: FileValue
        var directory: DirectoryHandle
    }

    /// Puts the tree's own `.pandoignore` files into a folder that is paired anew, and asks the server for them. What is in the folder is
    /// looked at before anything is brought in, and what they hide would be sent.
    ///
    /// Only in directories that the folder has, and where it has no such file itself.
    func placeIgnoreLists(from remote: any FolderRemote) async throws {
        let isNew = try await database.threads.run { [self] in
            try requireFolder()
            return try index.read { try $0.placed() }.root == TreeNode.empty.hash
        }
        if !isNew { return }
        try await remote.pull()
        let view = database.view
        let missing = try await database.threads.run { [self] in
            var missing: [MissingList] = []
            try findMissingLists(in: root, .root, view.files, view, &missing)
            return missing
        }
        // From the top, so that one in a directory that another hides is not needed.
        for list in missing {
            let wanted = try await database.threads.run { [self] in
                if try FolderState.ignoreDecision(list.path, folder: layout.folder)?.isIgnored == true { return nil as [WantedChunk]? }
                return try database.placedChunks(of: list.file.content).map {
                    WantedChunk(hash: $0.hash, size: $0.size, path: list.path, root: list.file.content.root, offset: $0.offset)
                }
            }
            guard let wanted else { continue }
            let arrived = Mutex<[ContentHash: [UInt8]]>([:])
            try await remote.fetch(wanted) { chunks in arrived.withLock { for chunk in chunks { $0[chunk.chunk.hash] = chunk.bytes } } }
            let bytes = arrived.withLock { arrived in wanted.flatMap { arrived[$0.hash] ?? [] } }
            // A part of it may hide less than all of it.
            guard bytes.count == Int(list.file.content.size) else {
                throw FolderError(.unreachable, "\(list.path) did not come whole, and what it hides would be sent; sync again")
            }
            try await database.threads.run { [self] in try place(bytes, of: list) }
        }
    }

    private func findMissingLists(
        in directory: DirectoryHandle, _ path: TreePath, _ tree: Subtree, _ view: TreeView, _ missing: inout [MissingList]
    ) throws {
        var entries = try tree.entries(in: view.reader)
        while let entry = try entries.next() {
            let place = path.appending(entry.name)
            if FolderScope.isReserved(place) { continue }
            if entry.name == IgnoreList.fileName, case .file(let file)? = entry.current?.value, scope.includes(place),
                file.content.size <= UInt64(IgnoreList.maximumSize), try directory.status(Array(entry.name.utf8)) == nil
            {
                missing.append(MissingList(path: place, file: file, directory: directory))
            } else if let subtree = entry.subtree, let next = (try? directory.directory(Array(entry.name.utf8))) ?? nil {
                try findMissingLists(in: next, place, subtree, view, &missing)
            }
        }
    }

    /// It is in the folder as if somebody had put it there, and the look finds that the tree has the same.
    private func place(_ bytes: [UInt8], of list: MissingList) throws {
        let temporary = incoming.newName()
        do {
            let file = try incoming.directory.create(temporary)
            try bytes.withUnsafeBytes { try file.write($0, at: 0) }
            try setMetadata(of: file, list.file, oldMode: nil, isNew: true)
        }
        let name = Array(IgnoreList.fileName.utf8)
        switch try incoming.directory.move(temporary, to: list.directory, name) {
        case .moved: return
        case .unsupported:
            if try list.directory.status(name) == nil, try incoming.directory.replace(list.directory, name, with: temporary) == .moved { return }
        case .missing, .taken: break
        }
        try incoming.remove(temporary)
    }
}
