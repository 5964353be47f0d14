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
    /// Frames that are checked and stored together, in bytes.
    private static let batchSize = 1 << 20
    /// Batches of one request that are being checked while the next are received.
    private static let maximumBatches = 2

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

    func add(to report: inout SyncReport, _ result: JoinResult) {
        let pull = self.pull.withLock { ($0.changedEntries, $0.chunksReceived, $0.bytesReceived) }
        report.entries += pull.0
        report.chunks += pull.1
        report.bytes += pull.2
        report.conflicts += result.conflictsAfter > result.conflictsBefore ? result.conflictsAfter - result.conflictsBefore : 0
    }

    private func nextRequests(_ local: StoredObjects) async throws -> [Pull.Request] {
        try await node.database.threads.run { try self.pull.withLock { try $0.requests(local) } }
    }

    /// Sends one request, and checks and stores the objects of its answer while the rest still comes.
    private func fetch(_ request: Pull.Request) async throws -> Answer {
        let (route, hashes, keepsBytes) =
            switch request {
            case .nodes(let hashes): ("/sync/nodes", hashes, true)
            case .chunks(let hashes): ("/sync/chunks", hashes, false)
            }
        var body: [UInt8] = []
        body.reserveCapacity(hashes.count * ContentHash.byteCount)
        for hash in hashes { hash.withBytes { body.append(contentsOf: $0) } }
        let response = try await node.send(.post, route, to: link, body: body)
        var reader = ObjectFrameReader()
        var answer = Answer(request: request, objects: [], absent: [])
        var batch: [ObjectFrame] = []
        var batchBytes = 0
        var checking: [Task<[Pull.Object], any Error>] = []
        defer { for task in checking { task.cancel() } }
        func startBatch() {
            let frames = batch
            checking.append(Task { try await self.store(frames, keepsBytes: keepsBytes) })
            batch = []
            batchBytes = 0
        }
        var received: UInt64 = 0
        var frameCount = 0
        while let piece = try await response.body.next() {
            received += UInt64(piece.count)
            for frame in try piece.withUnsafeBytes({ try reader.read($0) }) {
                // Before it is stored, so that nobody fills this node's disk with what it never asked for.
                guard frameCount < hashes.count, frame.header.hash == hashes[frameCount] else {
                    throw PullError(.malformed, "the peer answered with other objects than it was asked for")
                }
                frameCount += 1
                if frame.header.codec == .absent {
                    answer.absent.append(frame.header.hash)
                } else {
                    batch.append(frame)
                    batchBytes += frame.stored.count
                }
            }
            if batchBytes >= PullSession.batchSize {
                if checking.count >= PullSession.maximumBatches { answer.objects += try await checking.removeFirst().value }
                startBatch()
            }
        }
        link.state.withLock { $0.bytesReceived += received }
        guard reader.isAtEnd else {
            // What came whole is stored; the next sync asks for the rest.
            if !batch.isEmpty { startBatch() }
            for task in checking { _ = try? await task.value }
            throw NodeError(.unavailable, "the peer at \(link.address) broke off in the middle of an answer; sync again")
        }
        if !batch.isEmpty { startBatch() }
        while !checking.isEmpty { answer.objects += try await checking.removeFirst().value }
        return answer
    }

    private func store(_ frames: [ObjectFrame], keepsBytes: Bool) async throws -> [Pull.Object] {
        try await node.database.threads.run { [database = node.database] in
            var objects: [PreparedObject] = []
            var answers: [Pull.Object] = []
            for frame in frames {
                let header = frame.header
                let object = try PreparedObject(
                    checking: header.hash, header.kind, header.codec == .zstd ? .zstd : .raw, rawLength: header.rawLength,
                    stored: frame.stored)
                objects.append(object)
                answers.append(Pull.Object(
                    hash: header.hash, kind: header.kind, bytes: keepsBytes ? object.raw() : [], size: UInt64(header.rawLength)))
            }
            try database.store.append(objects)
            return answers
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
        guard try database.store.contains(hash) else { return nil }
        return try database.store.read(hash, .manifest)
    }

    func lacking(_ chunks: [Pull.Chunk]) throws -> [Pull.Chunk] {
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
        try database.store.contains(hash)
    }
}
