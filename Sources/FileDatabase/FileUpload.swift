import Content
import Objects
import Platform

/// A file on its way in: takes the bytes in pieces of any size, and cuts, hashes and stores them in one pass. Holds a few
/// chunks at the most.
///
/// Chunks are stored as they come; nothing shows before the content is put at a path, and until then the upload must live: it keeps
/// them from being collected. One that is dropped changes nothing.
public final class FileUpload {
    /// Chunks that are being hashed and written at once.
    private static let maximumInFlight = 3
    /// Chunks of about this size are written together, so that hashing and writing overlap and calls are few.
    private static let writeSize = 1 << 20

    private let database: FileDatabase
    /// What it has stored, or found stored, stays while it lives.
    private let hold: ObjectHold
    private var chunker = Chunker()
    private var open: [UInt8] = []
    /// Chunks that are complete and not yet under way.
    private var ready: [[UInt8]] = []
    private var inFlight: [Task<PreparedObject, any Error>] = []
    /// Hashed, in order, and not yet written.
    private var hashed: [PreparedObject] = []
    /// The write that is under way, which the next one follows.
    private var writing: Task<Void, any Error>?
    private var manifest = ManifestBuilder()
    private var nodes: [PreparedObject] = []
    private var hasChunks = false
    public private(set) var byteCount: UInt64 = 0

    public init(to database: FileDatabase) {
        self.database = database
        hold = database.holdObjects()
    }

    /// Takes bytes. Call `drain` before the next call.
    public func add(_ bytes: UnsafeRawBufferPointer) {
        byteCount += UInt64(bytes.count)
        var rest = bytes
        while let end = chunker.cut(rest) {
            open.append(contentsOf: rest[..<end])
            ready.append(open)
            open = []
            // Once, since growing copies.
            open.reserveCapacity(Chunker.maximumSize)
            rest = UnsafeRawBufferPointer(rebasing: rest[end...])
        }
        open.append(contentsOf: rest)
    }

    /// Starts work on the complete chunks, and waits while too many are under way: this is what holds a fast sender back.
    public func drain() async throws {
        for chunk in ready {
            if inFlight.count >= FileUpload.maximumInFlight { try await collect() }
            start(chunk)
        }
        ready.removeAll()
    }

    /// Ends the file.
    /// - Returns: its content, and the objects that are left to be written with the commit.
    public func finish() async throws -> (content: FileContent, objects: [PreparedObject]) {
        try await drain()
        if !hasChunks, inFlight.isEmpty {
            // A file of one chunk: its bytes travel with the commit.
            let object = PreparedObject(.chunk, open)
            return (FileContent(root: object.hash, height: 0, size: byteCount), [object])
        }
        if !open.isEmpty { start(open) }
        while !inFlight.isEmpty { try await collect() }
        try await write()
        try await writing?.value
        let content = try manifest.finish { nodes.append(PreparedObject(.manifest, $1, hash: $0)) }
        return (content, nodes)
    }

    private func start(_ chunk: [UInt8]) {
        hasChunks = true
        inFlight.append(Task { [threads = database.threads] in try await threads.run { PreparedObject(.chunk, chunk) } })
    }

    private func collect() async throws {
        let object = try await inFlight.removeFirst().value
        hashed.append(object)
        try manifest.append(chunk: object.hash, size: object.rawLength) { nodes.append(PreparedObject(.manifest, $1, hash: $0)) }
        if hashed.reduce(0, { $0 + $1.stored.count }) >= FileUpload.writeSize { try await write() }
    }

    /// Starts to write what is hashed, once the last write is done.
    private func write() async throws {
        try await writing?.value
        let objects = hashed + nodes
        guard !objects.isEmpty else { return }
        hashed = []
        nodes = []
        writing = Task { [database] in
            try await database.threads.run { try asDatabaseErrors { try database.store.append(objects) } }
        }
    }
}
