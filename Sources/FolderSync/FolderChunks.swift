import Content
import Objects
import Platform
import Synchronization

/// The folder as a store of chunks: what its files hold, and the spool for what has no file.
final class FolderChunks: ChunkHolder {
    /// What is noticed while chunks are read.
    enum Finding: Sendable {
        /// The file has other bytes than it had, though its status is the same.
        case damaged(file: UInt64)
        /// The file has changed since it was looked at.
        case changed(file: UInt64)
    }

    /// A place that the index does not have yet.
    struct Place: Sendable {
        var directory: UInt64
        var name: [UInt8]
        var offset: UInt64
        var size: UInt32
    }

    private let root: DirectoryHandle
    private let index: FolderIndex
    let spool: ChunkSpool
    private let expected = Mutex<[ContentHash: Place]>([:])
    private let findings = Mutex<[Finding]>([])
    /// The file that was read last: its chunks are asked for one after another.
    private let last = Mutex<(id: UInt64, file: OpenFile)?>(nil)
    /// The directory that it is in: so do those of one directory's files.
    private let lastDirectory = Mutex<(id: UInt64, handle: DirectoryHandle)?>(nil)

    init(root: DirectoryHandle, index: FolderIndex, spool: ChunkSpool) {
        self.root = root
        self.index = index
        self.spool = spool
    }

    func takeFindings() -> [Finding] {
        findings.withLock { findings in
            defer { findings = [] }
            return findings
        }
    }

    /// Says where chunks are until the index does.
    func expect(_ places: [ContentHash: Place]) {
        expected.withLock { $0 = places }
    }

    func sizes(of hashes: [ContentHash]) throws(StoreError) -> [UInt32?] {
        let expected = expected.withLock { $0 }
        return try asStoreErrors {
            try index.read { view in try hashes.map { try expected[$0]?.size ?? view.chunkPlaces($0, limit: 1).first?.size } }
        }
    }

    func read(_ hash: ContentHash) throws(StoreError) -> [UInt8]? {
        let expected = expected.withLock { $0[hash] }
        return try asStoreErrors {
            if let expected, let bytes = try read(hash, expected) { return bytes }
            for place in try index.read({ try $0.chunkPlaces(hash) }) {
                if let bytes = try read(hash, place) { return bytes }
            }
            return nil
        }
    }

    func read(_ hash: ContentHash, into buffer: UnsafeMutableRawBufferPointer) throws(StoreError) -> Bool {
        let expected = expected.withLock { $0[hash] }
        return try asStoreErrors {
            if let expected, let file = try directory(expected.directory)?.file(expected.name),
                try file.read(into: buffer, at: expected.offset) == buffer.count
            {
                return true
            }
            for place in try index.read({ try $0.chunkPlaces(hash) }) where Int(place.size) == buffer.count {
                let file = place.file >= FolderIndex.spoolBase ? try spool.file(of: place) : try open(place.file)
                if try file?.read(into: buffer, at: place.offset) == buffer.count { return true }
            }
            return false
        }
    }

    func keep(_ chunks: [PreparedObject]) throws(StoreError) {
        if chunks.isEmpty { return }
        try asStoreErrors { try spool.add(chunks.map { ($0.hash, $0.raw()) }, to: index) }
    }

    /// Whether the chunk can be read from somewhere else than this file.
    func isElsewhere(_ hash: ContentHash, than file: UInt64) throws -> Bool {
        for place in try index.read({ try $0.chunkPlaces(hash) }) where place.file != file {
            if try read(hash, place) != nil { return true }
        }
        return false
    }

    // MARK: Reading

    /// - Returns: nil if the place does not hold the chunk.
    private func read(_ hash: ContentHash, _ place: IndexView.ChunkPlace) throws -> [UInt8]? {
        if place.file >= FolderIndex.spoolBase {
            if let bytes = try spool.read(place), ContentHash(of: .chunk, bytes) == hash { return bytes }
            return nil
        }
        guard let file = try open(place.file) else {
            note(.changed(file: place.file))
            return nil
        }
        let bytes = try file.read(Int(place.size), at: place.offset)
        if bytes.count == Int(place.size) {
            let found = ContentHash(of: .chunk, bytes)
            if found == hash { return bytes }
            // The place of another chunk, whose hash begins alike.
            if found.withBytes({ found in hash.withBytes { found.prefix(IndexView.hashPrefix).elementsEqual($0.prefix(IndexView.hashPrefix)) } }) { return nil }
        }
        let known = try index.read { view in try view.place(of: place.file).flatMap { try view.row($0.directory, $0.name)?.status } }
        var now = try file.status()
        now.device = 0
        // A write between the reading and this look would change the status too.
        note(known == now ? .damaged(file: place.file) : .changed(file: place.file))
        // Nobody is told of it again, so that what else is to be sent does not wait for it.
        try index.write { try $0.removeChunk(hash, place) }
        return nil
    }

    private func read(_ hash: ContentHash, _ place: Place) throws -> [UInt8]? {
        guard let file = try directory(place.directory)?.file(place.name) else { return nil }
        let bytes = try file.read(Int(place.size), at: place.offset)
        return bytes.count == Int(place.size) && ContentHash(of: .chunk, bytes) == hash ? bytes : nil
    }

    private func open(_ id: UInt64) throws -> OpenFile? {
        if let (known, file) = last.withLock({ $0 }), known == id { return file }
        guard let place = try index.read({ try $0.place(of: id) }), let directory = try directory(place.directory),
            let file = try directory.file(place.name)
        else { return nil }
        last.withLock { $0 = (id, file) }
        return file
    }

    private func directory(_ id: UInt64) throws -> DirectoryHandle? {
        if let (known, handle) = lastDirectory.withLock({ $0 }), known == id { return handle }
        guard let path = try index.read({ try $0.path(of: id) }) else { return nil }
        var handle = root
        for name in path.local {
            guard let next = try handle.directory(name) else { return nil }
            handle = next
        }
        let found = handle
        lastDirectory.withLock { $0 = (id, found) }
        return found
    }

    /// Lets go of what was read last: something new may stand in its place.
    func forget() {
        last.withLock { $0 = nil }
        lastDirectory.withLock { $0 = nil }
    }

    private func note(_ finding: Finding) {
        findings.withLock { $0.append(finding) }
    }
}

/// Runs `body` and puts what it throws into the store's words.
private func asStoreErrors<Result>(_ body: () throws -> Result) throws(StoreError) -> Result {
    do {
        return try body()
    } catch let error as StoreError {
        throw error
    } catch let error as DiskError {
        throw StoreError(error.code == .full ? .full : .disk, error.description)
    } catch {
        throw StoreError(.disk, "\(error)")
    }
}
