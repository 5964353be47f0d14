import Content
import Objects
import Platform
import Synchronization

/// Chunks that no file of the folder holds: those of losing versions, and what came before its place was ready. Files of bare
/// chunks, one after another; the index says which stands where.
final class ChunkSpool: Sendable {
    /// A file that has grown past it is followed by a new one.
    private static let fileSize: UInt64 = 256 << 20

    private struct State {
        var number: UInt64
        var file: OpenFile?
        var end: UInt64 = 0
    }

    private let directory: DirectoryHandle
    private let state: Mutex<State>

    /// - Parameter path: made if it is missing.
    init(path: String) throws {
        _ = try OperatingSystemDisk(path: path)
        directory = try DirectoryHandle(path: path)
        let numbers = try directory.names().compactMap { UInt64(String(decoding: $0, as: UTF8.self)) }
        // Never into a file of an earlier run, whose end a crash may have left anywhere.
        state = Mutex(State(number: (numbers.max() ?? 0) + 1))
    }

    private static func name(_ number: UInt64) -> [UInt8] { Array(String(number).utf8) }

    /// Bytes in it.
    func byteCount() throws -> UInt64 {
        try directory.names().reduce(0) { sum, name in try sum + (directory.status(name)?.size ?? 0) }
    }

    func add(_ chunks: [(hash: ContentHash, bytes: [UInt8])], to index: FolderIndex) throws {
        let places = try state.withLock { state in
            try chunks.map { chunk in
                if state.end >= ChunkSpool.fileSize {
                    state = State(number: state.number + 1)
                }
                let file = try state.file ?? directory.create(ChunkSpool.name(state.number))
                state.file = file
                try chunk.bytes.withUnsafeBytes { try file.write($0, at: state.end) }
                defer { state.end += UInt64(chunk.bytes.count) }
                return IndexView.ChunkPlace(
                    file: FolderIndex.spoolBase + state.number, offset: state.end, size: UInt32(chunk.bytes.count))
            }
        }
        try index.write { view in
            for (chunk, place) in zip(chunks, places) { try view.addChunk(chunk.hash, place) }
        }
    }

    /// The bytes at a place; nil if they are not there.
    func read(_ place: IndexView.ChunkPlace) throws -> [UInt8]? {
        guard let file = try file(of: place) else { return nil }
        let bytes = try file.read(Int(place.size), at: place.offset)
        return bytes.count == Int(place.size) ? bytes : nil
    }

    /// The spool's file that a place is in; nil if it is gone.
    func file(of place: IndexView.ChunkPlace) throws -> OpenFile? {
        try directory.file(ChunkSpool.name(place.file - FolderIndex.spoolBase))
    }

    /// Lets go of all chunks but these, and of the room that they took.
    func reduce(to needed: Set<ContentHash>, in index: FolderIndex) throws {
        let spooled = try index.read { try $0.spooledChunks() }
        let old = state.withLock { state in
            defer { state = State(number: state.number + 1) }
            return state.number
        }
        var kept: Set<ContentHash> = []
        for (hash, place) in spooled where needed.contains(hash) && !kept.contains(hash) {
            guard let bytes = try read(place) else { continue }
            try add([(hash, bytes)], to: index)
            kept.insert(hash)
        }
        try directory.syncFileSystem()
        try index.write { view in
            for (hash, place) in spooled { try view.removeChunk(hash, place) }
        }
        for name in try directory.names() {
            if let number = UInt64(String(decoding: name, as: UTF8.self)), number <= old { try directory.remove(name) }
        }
    }
}
