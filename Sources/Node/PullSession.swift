import Causality
import Content
import FileDatabase
import Merkle
import Objects
import Platform
import Replication
import Synchronization

/// Runs a pull: sends its requests, stores what comes, and hands it the answers.
final class PullSession: Sendable {
    private let node: Node
    private let link: PeerLink
    let pull: Mutex<Pull>

    init(node: Node, link: PeerLink, pull: consuming Pull) {
        self.node = node
        self.link = link
        self.pull = Mutex(pull)
    }

    private struct Answer: Sendable {
        var request: Pull.Request
        var objects: [Pull.Object]
        var absent: [ContentHash]
    }

    /// Asks until nothing is missing.
    /// - Returns: the latest timestamp seen.
    func run() async throws -> Timestamp {
        let local = StoredObjects(database: node.database)
        try await withThrowingTaskGroup(of: Answer.self) { group in
            for request in try await nextRequests(local) { group.addTask { try await self.fetch(request) } }
            while let answer = try await group.next() {
                try await node.database.threads.run {
                    try self.pull.withLock { try $0.received(answer.objects, absent: answer.absent, for: answer.request, local) }
                }
                for request in try await nextRequests(local) { group.addTask { try await self.fetch(request) } }
            }
        }
        return pull.withLock { $0.latest }
    }

    /// - Parameter result: of the join; nil where the peer's state took the place of this node's.
    func add(to report: inout SyncReport, _ result: JoinResult?) {
        let pull = self.pull.withLock { ($0.changedEntries, $0.chunksReceived, $0.bytesReceived) }
        report.entries += pull.0
        report.chunks += pull.1
        report.bytes += pull.2
        guard let result else { return }
        report.conflicts += result.conflictsAfter > result.conflictsBefore ? result.conflictsAfter - result.conflictsBefore : 0
    }

    private func nextRequests(_ local: StoredObjects) async throws -> [Pull.Request] {
        try await node.database.threads.run { try self.pull.withLock { try $0.requests(local) } }
    }

    private func fetch(_ request: Pull.Request) async throws -> Answer {
        let (route, hashes) =
            switch request {
            case .nodes(let hashes): ("/sync/nodes", hashes)
            case .chunks(let hashes): ("/sync/chunks", hashes)
            }
        var (objects, absent) = try await ObjectFetch(node: node, link: link).objects(hashes, route)
        // What is damaged at one peer must not hold up what it has besides.
        if !absent.isEmpty, await node.fetchAnew(absent, besides: link, onlyActive: true).isEmpty {
            let brought = try await node.database.threads.run { [self, absent] in try read(absent, isChunk: route == "/sync/chunks") }
            let found = Dictionary((objects + brought).map { ($0.hash, $0) }) { first, _ in first }
            objects = hashes.compactMap { found[$0] }
            absent = []
        }
        return Answer(request: request, objects: objects, absent: absent)
    }

    /// Objects that have just been stored. Blocks.
    private func read(_ hashes: [ContentHash], isChunk: Bool) throws -> [Pull.Object] {
        let store = node.database.store
        return try zip(hashes, store.locations(of: hashes)).compactMap { hash, location in
            guard let location else { return nil }
            let bytes = isChunk ? [] : try store.read(hash, location.kind)
            return Pull.Object(hash: hash, kind: location.kind, bytes: bytes, size: UInt64(location.rawLength))
        }
    }
}

/// A pull's view of what is here.
struct StoredObjects: LocalObjects, Sendable {
    let database: FileDatabase

    func treeNode(_ hash: ContentHash) throws -> TreeNode? {
        try database.storedNode(hash)
    }

    func manifestNode(_ hash: ContentHash) throws -> [UInt8]? {
        guard try contains(hash) else { return nil }
        do {
            return try database.store.read(hash, .manifest)
        } catch where error.code == .damaged {
            return nil
        }
    }

    func lacking(_ chunks: [Pull.Chunk]) throws -> [Pull.Chunk] {
        // Whoever keeps them elsewhere asks for them when there is a place for them.
        if database.store.fetchesChunksLater { return [] }
        let damaged = database.store.damagedObjects
        let locations = try database.store.locations(of: chunks.map(\.hash))
        return try zip(chunks, locations).compactMap { chunk, location in
            guard let location, !damaged.contains(chunk.hash) else { return chunk }
            guard UInt64(location.rawLength) == chunk.size else {
                throw MalformedBytes("a manifest gives chunk \(chunk.hash) \(chunk.size) bytes; it has \(location.rawLength)")
            }
            return nil
        }
    }

    func contains(_ hash: ContentHash) throws -> Bool {
        try database.store.missing(among: [hash]).isEmpty
    }
}
