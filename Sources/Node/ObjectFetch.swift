import Content
import FileDatabase
import Logging
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
    /// Whether they take the place of what is damaged or gone.
    var isRepair = false

    /// Asks for objects by their hashes.
    ///
    /// - Parameter route: `/sync/nodes` or `/sync/chunks`.
    /// - Returns: the objects that came, in order, chunks without their bytes, and the hashes of those that the peer does not have.
    func objects(_ hashes: [ContentHash], _ route: String) async throws -> (objects: [Pull.Object], absent: [ContentHash]) {
        func body(_ hashes: [ContentHash]) -> [UInt8] { hashes.flatMap { $0.withBytes { Array($0) } } }
        var answer = try await objects(hashes, route, body(hashes))
        if !answer.damaged.isEmpty {
            // The peer reads them again with care, and so finds out about its damage.
            let again = try await objects(answer.damaged, route + "?check=true", body(answer.damaged))
            let found = Dictionary((answer.objects + again.objects).map { ($0.hash, $0) }) { first, _ in first }
            answer.objects = hashes.compactMap { found[$0] }
            answer.absent += again.absent + again.damaged
        }
        return (answer.objects, answer.absent)
    }

    /// Sends one request whose answer is a frame for each of the hashes, in order.
    ///
    /// - Returns: the objects that came, chunks without their bytes, the hashes of which the peer said that it has none, and those of
    ///   which other bytes came.
    func objects(
        _ hashes: [ContentHash], _ route: String, _ body: [UInt8]
    ) async throws -> (objects: [Pull.Object], absent: [ContentHash], damaged: [ContentHash]) {
        let response = try await node.send(.post, route, to: link, body: body)
        var reader = ObjectFrameReader()
        var (objects, absent, damaged): ([Pull.Object], [ContentHash], [ContentHash]) = ([], [], [])
        var batch: [UncheckedObject] = []
        var batchBytes = 0
        var checking: [Task<Stored, any Error>] = []
        defer { for task in checking { task.cancel() } }
        func take(_ stored: Stored) {
            objects += stored.objects
            damaged += stored.damaged
        }
        func startBatch() {
            let objects = batch
            checking.append(Task { try await self.store(objects) })
            batch = []
            batchBytes = 0
        }
        var received: UInt64 = 0
        var frameCount = 0
        while let frames = try await response.body.next({ piece in
            received += UInt64(piece.count)
            return try reader.read(piece)
        }) {
            for frame in frames {
                // Before it is stored, so that nobody fills this node's disk with what it never asked for.
                guard frameCount < hashes.count, frame.header.hash == hashes[frameCount] || frame.header.codec == .absent else {
                    throw PullError(.malformed, "the peer answered with other objects than it was asked for")
                }
                if let object = frame.object {
                    batch.append(object)
                    batchBytes += object.stored.count
                } else {
                    absent.append(hashes[frameCount])
                }
                frameCount += 1
            }
            if batchBytes >= ObjectFetch.batchSize {
                if checking.count >= ObjectFetch.maximumBatches { take(try await checking.removeFirst().value) }
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
        while !checking.isEmpty { take(try await checking.removeFirst().value) }
        if !damaged.isEmpty {
            node.logger.warning("a peer sent damaged objects", metadata: ["peer": "\(link.name)", "objects": "\(damaged.count)", "first": "\(damaged[0])"])
        }
        return (objects, absent, damaged)
    }

    private struct Stored: Sendable {
        var objects: [Pull.Object] = []
        /// Those that came with other bytes than their hash says. Nothing of them is stored.
        var damaged: [ContentHash] = []
    }

    private func store(_ arrived: [UncheckedObject]) async throws -> Stored {
        try await node.database.threads.run { [database = node.database, isRepair] in
            var objects: [PreparedObject] = []
            var answer = Stored()
            for (object, found) in zip(arrived, UncheckedObject.checked(arrived)) {
                guard let found else {
                    answer.damaged.append(object.hash)
                    continue
                }
                objects.append(found.prepared)
                answer.objects.append(Pull.Object(
                    hash: object.hash, kind: object.kind, bytes: object.kind == .chunk ? [] : found.bytes, size: UInt64(object.rawLength)))
            }
            if isRepair { try database.heal(objects) } else { try database.store.append(objects) }
            return answer
        }
    }
}
