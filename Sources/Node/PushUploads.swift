import Content
import FileDatabase
import Objects
import Platform
import Replication
import Synchronization

/// The requests of a push that carry objects. Some are under way at once, so that the line is not idle between them.
struct PushUploads {
    /// Bytes of objects in one request.
    private static let size = 2 << 20
    private static let maximumInFlight = 4

    private let node: Node
    private let link: PeerLink
    private var inFlight = 0
    /// What was sent, and may be asked for again before it has come: two files can have the same chunk.
    private var sent: Set<ContentHash> = []
    /// Bytes of all requests so far.
    private(set) var bytes: UInt64 = 0

    init(node: Node, link: PeerLink) {
        self.node = node
        self.link = link
    }

    /// Begins to send some objects, once there is room for it among what is under way.
    mutating func start(_ hashes: [ContentHash], in group: inout ThrowingTaskGroup<Void, any Error>) async throws {
        let hashes = hashes.filter { sent.insert($0).inserted }
        if hashes.isEmpty { return }
        let (node, link) = (node, link)
        let store = node.database.store
        for run in try await node.database.threads.run({ try PushUploads.runs(of: hashes, store) }) {
            while inFlight >= PushUploads.maximumInFlight { try await next(&group) }
            inFlight += 1
            bytes += UInt64(run.byteCount)
            group.addTask {
                func send(isChecked: Bool) async throws -> Bool {
                    // Why a piece could not be made: the transport only knows that its request broke off.
                    let failure = Mutex<(any Error)?>(nil)
                    let body = OutgoingBody.pieces(run.pieces(store, isChecked: isChecked) { error in failure.withLock { $0 = error } }, node.database.threads)
                    do {
                        let response = try await node.send(
                            .post, "/sync/push/objects", to: link, body: body, timeoutSeconds: 300, passing: isChecked ? [] : [400])
                        _ = try await response.body.collect(limit: 4096)
                        return response.status != 400
                    } catch {
                        throw failure.withLock { $0 } ?? error
                    }
                }
                // The peer hashes what comes, so it is not hashed here as well. Where it finds other bytes than it was told of, they are looked
                // at: a file that has changed throws, and is found out.
                if try await !send(isChecked: false) { _ = try await send(isChecked: true) }
            }
        }
    }

    /// Waits until all have come.
    mutating func finish(_ group: inout ThrowingTaskGroup<Void, any Error>) async throws {
        while inFlight > 0 { try await next(&group) }
    }

    private mutating func next(_ group: inout ThrowingTaskGroup<Void, any Error>) async throws {
        try await group.next()
        inFlight -= 1
    }

    /// Objects that go into one request.
    private struct Run: Sendable {
        /// Bytes that are read and sent together, about.
        private static let pieceSize = 512 << 10

        var objects: [(hash: ContentHash, location: Location)] = []
        var byteCount = 1

        /// - Parameters:
        ///   - isChecked: whether each object is compared with its hash before.
        ///   - fail: told why a piece could not be made.
        func pieces(_ store: ObjectStore, isChecked: Bool, _ fail: @escaping @Sendable (any Error) -> Void) -> [OutgoingPiece] {
            var pieces: [OutgoingPiece] = []
            var rest = objects[...]
            while !rest.isEmpty {
                var part: [(hash: ContentHash, location: Location)] = []
                var count = 0
                while count < Run.pieceSize, let object = rest.popFirst() {
                    part.append(object)
                    count += ObjectFrame.Header.byteCount + Int(object.location.storedLength)
                }
                let (objects, isLast) = (part, rest.isEmpty)
                pieces.append(OutgoingPiece(count: isLast ? count + 1 : count) { buffer in
                    do {
                        var place = buffer[...]
                        for (hash, location) in objects {
                            if isChecked { _ = try store.read(hash, location.kind) }
                            try Run.write(hash, location, store, to: &place)
                        }
                        if isLast { place[place.startIndex] = ObjectFrame.end }
                    } catch {
                        fail(error)
                        throw error
                    }
                })
            }
            return pieces
        }

        /// Writes an object's frame and goes on behind it.
        private static func write(
            _ hash: ContentHash, _ location: Location, _ store: ObjectStore, to place: inout Slice<UnsafeMutableRawBufferPointer>
        ) throws {
            var header: [UInt8] = []
            header.reserveCapacity(ObjectFrame.Header.byteCount)
            ObjectFrame.Header(
                kind: location.kind, codec: location.codec == .zstd ? .zstd : .raw, rawLength: Int(location.rawLength),
                storedLength: Int(location.storedLength), hash: hash
            ).encode(to: &header)
            UnsafeMutableRawBufferPointer(rebasing: place).copyBytes(from: header)
            place = place.dropFirst(header.count)
            try store.readStored(location, hash: hash, into: UnsafeMutableRawBufferPointer(rebasing: place.prefix(Int(location.storedLength))))
            place = place.dropFirst(Int(location.storedLength))
        }
    }

    /// Blocks.
    private static func runs(of hashes: [ContentHash], _ store: ObjectStore) throws -> [Run] {
        var runs = [Run()]
        for (hash, location) in zip(hashes, try store.locations(of: hashes)) {
            guard let location else { throw StoreError(.missing, "object \(hash) is not here", hash: hash) }
            if runs[runs.count - 1].byteCount >= size { runs.append(Run()) }
            runs[runs.count - 1].objects.append((hash, location))
            runs[runs.count - 1].byteCount += ObjectFrame.Header.byteCount + Int(location.storedLength)
        }
        return runs
    }
}
