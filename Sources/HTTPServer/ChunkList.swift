import Access
import Content
import FileDatabase
import HTTPTypes
import Merkle
import NIOCore
import Node
import Objects
import Platform

/// A file on its way in as the list of its chunks, which are here already: builds the manifest while the hashes come, and holds a
/// part of it at the most.
struct ChunkList {
    /// Hashes that are looked up together.
    private static let batch = 4096
    /// Missing chunks that are named in one answer; those after them are named in the next.
    private static let maximumNamed = 1000

    private let node: Node
    private let principal: Principal
    private var body = ByteBuffer()
    private var manifest = ManifestBuilder()
    private var nodes: [PreparedObject] = []
    private var count = 0
    private var missing: [ContentHash] = []

    init(_ node: Node, _ principal: Principal) {
        self.node = node
        self.principal = principal
    }

    /// Takes a part of the body. Call `drain` before the next call.
    mutating func add(_ piece: ByteBuffer) {
        body.writeImmutableBuffer(piece)
    }

    /// Looks up the hashes that have come.
    /// - Throws: `Problem` 400 for one that names something else than a chunk, 413 where there are too many.
    mutating func drain() async throws {
        while body.readableBytes >= ChunkList.batch * ContentHash.byteCount { try await take(ChunkList.batch) }
    }

    /// Ends the list.
    /// - Returns: the content, and the objects that are left to be written with the commit.
    /// - Throws: `Problem` 400, with the `missing` chunks where some are not here.
    mutating func finish(_ path: TreePath) async throws -> (content: FileContent, objects: [PreparedObject]) {
        guard body.readableBytes % ContentHash.byteCount == 0 else {
            throw Problem(.badRequest, "the body must be hashes of \(ContentHash.byteCount) bytes each", path: path)
        }
        try await drain()
        try await take(body.readableBytes / ContentHash.byteCount)
        guard count > 0 else { throw Problem(.badRequest, "the list of chunks is empty; put an empty file without 'chunks'", path: path) }
        guard missing.isEmpty else {
            var problem = Problem(.badRequest, "at least \(missing.count) chunks are not here; send them first", path: path)
            problem.missing = missing
            throw problem
        }
        let content = try manifest.finish { nodes.append(PreparedObject(.manifest, $1, hash: $0)) }
        return (content, nodes)
    }

    private mutating func take(_ count: Int) async throws {
        let hashes = (0..<count).map { _ in
            body.readWithUnsafeReadableBytes { (ContentHash.byteCount, ContentHash(UnsafeRawBufferPointer(rebasing: $0[..<ContentHash.byteCount]))) }
        }
        self.count += count
        guard self.count <= ServerLimits.chunkList else {
            throw Problem(.contentTooLarge, "the file has more than \(ServerLimits.chunkList) chunks")
        }
        // Whoever may not see everything gets to read what they name, so it must be what they have sent.
        let unproven = principal.rules.isUnrestricted ? [] : Set(node.uploads.unproven(hashes, of: principal.identity))
        let store = node.database.store
        let locations = try await node.database.threads.run {
            let proven = hashes.filter { !unproven.contains($0) }
            return Dictionary(zip(proven, try store.locations(of: proven))) { first, _ in first }
        }
        for hash in hashes {
            guard let location = locations[hash] ?? nil else {
                if missing.count < ChunkList.maximumNamed, !missing.contains(hash) { missing.append(hash) }
                continue
            }
            guard location.kind == .chunk, location.rawLength > 0 else {
                throw Problem(.badRequest, "\(hash) is not a chunk of a file of many")
            }
            // Of what comes to nothing, no manifest is needed.
            guard missing.isEmpty else { continue }
            try manifest.append(chunk: hash, size: Int(location.rawLength)) { nodes.append(PreparedObject(.manifest, $1, hash: $0)) }
        }
        if missing.isEmpty, nodes.count >= ChunkList.batch / ManifestNode.minimumFanout {
            let written = nodes
            nodes = []
            try await node.database.threads.run { try store.append(written) }
        }
    }
}
