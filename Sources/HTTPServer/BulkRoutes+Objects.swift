import Access
import Content
import FileDatabase
import Hummingbird
import NIOCore
import Node
import Objects
import Platform
import Replication

/// `POST /bulk/objects` and `/sync/push/objects`: checks and stores chunks and manifest nodes while they come.
func takeObjects(_ call: Call) async throws -> Response {
    try call.refuseQuery()
    let ledger = call.node.uploads
    guard call.principal.rules.allowsSomewhere(.write) else {
        throw Problem(.forbidden, "the key's rules allow to write nowhere")
    }
    var intake = ObjectIntake(call.database)
    var reader = ObjectFrameReader()
    do {
        try await call.readBody { piece in
            for frame in try piece.withUnsafeReadableBytes({ try reader.read($0) }) { try await intake.add(frame) }
        }
        try reader.finish()
    } catch {
        // What came whole is kept, so that the sender can go on where it stopped.
        _ = try await intake.finish()
        ledger.add(intake.hashes, of: call.principal)
        throw error
    }
    let sums = try await intake.finish()
    ledger.add(intake.hashes, of: call.principal)
    return .json { json in
        json.object { json in
            json.field("objects", sums.objects)
            json.field("bytes", sums.bytes)
        }
    }
}

/// Objects on their way into the store, in batches: while some are hashed and written, the next are received.
private struct ObjectIntake {
    private let database: FileDatabase
    private var batch: [ObjectFrame] = []
    private var batchBytes = 0
    private var inFlight: [Task<[ContentHash], any Error>] = []
    private var bytes = 0
    /// The objects that have been checked and stored.
    private(set) var hashes: [ContentHash] = []

    init(_ database: FileDatabase) {
        self.database = database
    }

    mutating func add(_ frame: ObjectFrame) async throws {
        guard [.chunk, .manifest, .attributes].contains(frame.header.kind) else {
            throw Problem(.badRequest, "only chunks, manifest nodes and attributes are taken, not a \(frame.header.kind)")
        }
        batch.append(frame)
        // By what it costs to hold and to check, so that neither empty frames nor small ones that decompress to much make a
        // batch that never ends.
        batchBytes += ObjectFrame.Header.byteCount + max(frame.header.rawLength, frame.stored.count)
        bytes += frame.header.rawLength
        guard batchBytes >= ServerLimits.bulkBatch else { return }
        if inFlight.count >= ServerLimits.bulkBatchesInFlight { try await collect() }
        start()
    }

    /// Waits for all that is under way.
    mutating func finish() async throws -> (objects: Int, bytes: Int) {
        if !batch.isEmpty { start() }
        while !inFlight.isEmpty { try await collect() }
        return (hashes.count, bytes)
    }

    private mutating func start() {
        let (frames, database) = (batch, database)
        batch = []
        batchBytes = 0
        inFlight.append(Task {
            try await database.threads.run {
                let objects = try ObjectIntake.checked(frames)
                try database.store.append(objects)
                return objects.map(\.hash)
            }
        })
    }

    private mutating func collect() async throws {
        hashes += try await inFlight.removeFirst().value
    }

    /// The objects, once their bytes have been found to have their hashes. Those that came as they are get compressed here.
    private static func checked(_ frames: [ObjectFrame]) throws -> [PreparedObject] {
        let objects = try frames.map { frame in
            guard let object = frame.object else { throw MalformedBytes("object \(frame.header.hash) was announced, but did not come") }
            return object
        }
        return try zip(objects, UncheckedObject.checked(objects)).map { object, found in
            guard let found else { throw MalformedBytes("object \(object.hash) has other bytes than its hash says") }
            return object.codec == .raw ? PreparedObject(object.kind, found.bytes, hash: object.hash) : found.prepared
        }
    }
}
