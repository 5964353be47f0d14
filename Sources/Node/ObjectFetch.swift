import Content
import FileDatabase
import Objects
import Platform
import Replication
import Synchronization

/// Asks a peer for objects, and checks and stores them as they come.
struct ObjectFetch {
    /// Frames that are checked and stored together, in bytes.
    private static let batchSize = 1 << 20
    /// Batches of one request that are being checked while the next are received.
    private static let maximumBatches = 2

    let node: Node
    let link: PeerLink

    /// Sends one request whose answer is a frame for each of the hashes, in order.
    ///
    /// - Returns: the objects that came, chunks without their bytes, and the hashes of which the peer said that it has none.
    func objects(_ hashes: [ContentHash], _ route: String, _ body: [UInt8]) async throws -> (objects: [Pull.Object], absent: [ContentHash]) {
        let response = try await node.send(.post, route, to: link, body: body)
        var reader = ObjectFrameReader()
        var (objects, absent): ([Pull.Object], [ContentHash]) = ([], [])
        var batch: [ObjectFrame] = []
        var batchBytes = 0
        var checking: [Task<[Pull.Object], any Error>] = []
        defer { for task in checking { task.cancel() } }
        func startBatch() {
            let frames = batch
            checking.append(Task { try await self.store(frames) })
            batch = []
            batchBytes = 0
        }
        var received: UInt64 = 0
        var frameCount = 0
        while let piece = try await response.body.next() {
            received += UInt64(piece.count)
            for frame in try piece.withUnsafeBytes({ try reader.read($0) }) {
                // Before it is stored, so that nobody fills this node's disk with what it never asked for.
                guard frameCount < hashes.count, frame.header.hash == hashes[frameCount] || frame.header.codec == .absent else {
                    throw PullError(.malformed, "the peer answered with other objects than it was asked for")
                }
                if frame.header.codec == .absent {
                    absent.append(hashes[frameCount])
                } else {
                    batch.append(frame)
                    batchBytes += frame.stored.count
                }
                frameCount += 1
            }
            if batchBytes >= ObjectFetch.batchSize {
                if checking.count >= ObjectFetch.maximumBatches { objects += try await checking.removeFirst().value }
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
        while !checking.isEmpty { objects += try await checking.removeFirst().value }
        return (objects, absent)
    }

    private func store(_ frames: [ObjectFrame]) async throws -> [Pull.Object] {
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
                    hash: header.hash, kind: header.kind, bytes: header.kind == .chunk ? [] : object.raw(), size: UInt64(header.rawLength)))
            }
            try database.store.append(objects)
            return answers
        }
    }
}
