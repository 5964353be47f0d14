import Access
import Causality
import Content
import FileDatabase
import Hummingbird
import Merkle
import NIOCore
import Node
import Objects
import Platform
import Replication

/// What nodes ask of each other in bulk: objects by hash, and what changed since a root.
///
/// Only members and keys with all rights get this far; the routes check that.
struct ReplicationStreams: Sendable {
    /// Hashes in one request.
    static let maximumHashes = 1024
    /// The body of the largest request.
    static let maximumRequestSize = maximumHashes * ContentHash.byteCount
    /// A thousand globs.
    static let maximumChangesRequestSize = 1 << 20
    /// Objects are gathered into writes of about this size.
    static let writeSize = 1 << 20
    /// Writes that are read ahead from the disk.
    private static let readAhead = 2

    let node: Node

    // MARK: Objects

    /// The frames of the objects asked for, in order; of a kind that the route is for.
    func objects(_ body: ByteBuffer, kinds: Set<ObjectKind>, isChecked: Bool) throws -> Response {
        frames(of: try hashes(body), kinds: kinds, isChecked: isChecked)
    }

    /// The frames of objects, in order. One of another kind, or that is not here or cannot be read, is answered as absent.
    ///
    /// - Parameter isChecked: whether each is compared with its hash; otherwise that is left to the receiver.
    func frames(of hashes: [ContentHash], kinds: Set<ObjectKind>, isChecked: Bool = false) -> Response {
        let database = node.database
        return Response(status: .ok, headers: [.contentType: "application/octet-stream"], body: ResponseBody { writer in
            let locations = try await database.threads.run { try database.store.locations(of: hashes) }
            var batches = objectBatches(hashes: hashes, locations: locations, kinds: kinds, isChecked: isChecked)[...]
            var ahead: [Task<ByteBuffer, any Error>] = []
            func readOn() {
                while ahead.count < ReplicationStreams.readAhead, let batch = batches.popFirst() {
                    ahead.append(Task { try await database.threads.run { batch.read(database.store) } })
                }
            }
            readOn()
            while !ahead.isEmpty {
                let buffer = try await ahead.removeFirst().value
                readOn()
                try await writer.write(buffer)
            }
            try await writer.write(ByteBuffer(bytes: [ObjectFrame.end]))
            try await writer.finish(nil)
        })
    }

    private func hashes(_ body: ByteBuffer) throws -> [ContentHash] {
        let bytes = body.readableBytesView
        guard bytes.count % ContentHash.byteCount == 0, bytes.count <= ReplicationStreams.maximumRequestSize else {
            throw MalformedBytes("the body must be at most \(ReplicationStreams.maximumHashes) hashes of \(ContentHash.byteCount) bytes")
        }
        return bytes.withUnsafeBytes { bytes in
            stride(from: 0, to: bytes.count, by: ContentHash.byteCount).map {
                ContentHash(UnsafeRawBufferPointer(rebasing: bytes[$0..<$0 + ContentHash.byteCount]))
            }
        }
    }

    // MARK: Changes

    fileprivate struct ChangeRequest: Sendable {
        var since: ContentHash
        var paths: [Glob]

        init(_ body: ByteBuffer) throws {
            var decoder = CanonicalDecoder(Array(body.readableBytesView))
            since = try decoder.readHash()
            paths = []
            for _ in 0..<(try decoder.readCount(limit: 1000)) { paths.append(try Glob(decoder.readText(limit: Glob.maximumLength))) }
            try decoder.finish()
        }
    }

    /// The registers that changed since a root, as a stream.
    func changes(_ body: ByteBuffer, in tree: Tree) async throws -> Response {
        let request = try ChangeRequest(body)
        let view = node.database.view
        let database = node.database
        let since = request.since
        guard try await database.threads.run({ try database.storedNode(since) }) != nil else {
            throw NodeError(.gone, "the root \(since) is not known here any more")
        }
        let target = view.head[tree]
        let hold = database.hold(.tree(since))
        return Response(status: .ok, headers: [.contentType: "application/octet-stream"], body: ResponseBody { writer in
            var buffer = ByteBuffer()
            target.root.withBytes { _ = buffer.writeBytes($0) }
            let changes = ChangeCursor(view, from: since, to: target, request)
            defer { withExtendedLifetime(hold) {} }
            do {
                while let records = try await database.threads.run({ try changes.next() }) {
                    buffer.writeBytes(records)
                    try await writer.write(buffer)
                    buffer.clear()
                }
            } catch {
                // The next one who asks finds it mended.
                _ = await node.mend(after: error)
                throw error
            }
            buffer.writeBytes(ChangeReader.end)
            try await writer.write(buffer)
            try await writer.finish(nil)
        })
    }
}

/// A walk through the changes, a page at a time. One task uses it, on whichever thread.
private final class ChangeCursor: @unchecked Sendable {
    private static let pageSize = 64 << 10

    private let view: TreeView
    private let since: ContentHash
    private let target: Subtree
    /// What the caller wants.
    private let shown: ShownChanges
    private var step: (() throws -> TreeDifference?)?

    init(_ view: TreeView, from since: ContentHash, to target: Subtree, _ request: ReplicationStreams.ChangeRequest) {
        self.view = view
        self.since = since
        self.target = target
        shown = ShownChanges(.everything, globs: request.paths)
    }

    /// The next records; nil at the end. Blocks.
    func next() throws -> [UInt8]? {
        let step = try self.step ?? begin()
        self.step = step
        var records: [UInt8] = []
        while records.count < ChangeCursor.pageSize, let difference = try step() {
            // A register is only ever forgotten by the purge, which every node does by itself.
            guard let register = difference.after, shown.isShown(difference.path) else { continue }
            records += ChangeReader.record(difference.path, register)
        }
        return records.isEmpty ? nil : records
    }

    private func begin() throws -> () throws -> TreeDifference? {
        var diff = try TreeDiff(
            from: Subtree(root: since, aggregates: .zero), to: target, in: view.reader, descend: { [shown] in shown.isShown(below: $0) })
        return { try diff.next() }
    }
}

/// Objects that are read and sent together.
private struct ObjectBatch: Sendable {
    var hashes: [ContentHash]
    var locations: [Location?]
    var size: Int
    var isChecked: Bool

    /// Blocks.
    func read(_ store: ObjectStore) -> ByteBuffer {
        var buffer = ByteBufferAllocator().buffer(capacity: size)
        for (hash, location) in zip(hashes, locations) {
            // One that cannot be read holds up no other.
            guard let location, write(hash, location, store, to: &buffer) else {
                buffer.write(ObjectFrame.Header.absent(.chunk, hash))
                continue
            }
        }
        return buffer
    }

    /// - Returns: false where it cannot be read; then nothing was written.
    private func write(_ hash: ContentHash, _ location: Location, _ store: ObjectStore, to buffer: inout ByteBuffer) -> Bool {
        let start = buffer.writerIndex
        if !isChecked, copy(hash, location, store, to: &buffer) { return true }
        buffer.moveWriterIndex(to: start)
        // It may have been moved meanwhile. A read that checks also takes note of damage.
        if (try? store.read(hash, location.kind)) != nil, let now = try? store.location(of: hash), copy(hash, now, store, to: &buffer) { return true }
        buffer.moveWriterIndex(to: start)
        return false
    }

    /// - Returns: whether all of it could be read.
    private func copy(_ hash: ContentHash, _ location: Location, _ store: ObjectStore, to buffer: inout ByteBuffer) -> Bool {
        buffer.write(ObjectFrame.Header(
            kind: location.kind, codec: location.codec == .zstd ? .zstd : .raw, rawLength: Int(location.rawLength),
            storedLength: Int(location.storedLength), hash: hash))
        let length = Int(location.storedLength)
        let count = try? buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: length) {
            try store.readStored(location, hash: hash, into: UnsafeMutableRawBufferPointer(rebasing: $0[..<length]))
            return length
        }
        return count == length
    }
}

private func objectBatches(hashes: [ContentHash], locations: [Location?], kinds: Set<ObjectKind>, isChecked: Bool) -> [ObjectBatch] {
    var batches: [ObjectBatch] = []
    var batch = ObjectBatch(hashes: [], locations: [], size: 0, isChecked: isChecked)
    for (hash, location) in zip(hashes, locations) {
        // An object of another kind is none that this route has.
        let location = location.flatMap { kinds.contains($0.kind) ? $0 : nil }
        batch.hashes.append(hash)
        batch.locations.append(location)
        batch.size += ObjectFrame.Header.byteCount + Int(location?.storedLength ?? 0)
        if batch.size >= ReplicationStreams.writeSize {
            batches.append(batch)
            batch = ObjectBatch(hashes: [], locations: [], size: 0, isChecked: isChecked)
        }
    }
    if !batch.hashes.isEmpty { batches.append(batch) }
    return batches
}

extension ByteBuffer {
    fileprivate mutating func write(_ header: ObjectFrame.Header) {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(ObjectFrame.Header.byteCount)
        header.encode(to: &bytes)
        writeBytes(bytes)
    }
}
