import Content
import HTTPClient
import Replication

/// Objects on their way to the node, and the writes that need them.
struct UploadBatch: Sendable {
    /// A batch is sent when it has so many bytes: enough that a request's cost does not count, little enough that
    /// several fit in memory.
    static let targetLength = 4 << 20
    static let targetCount = 2048

    /// Frames, one after another, as they are sent.
    var frames: [UInt8] = []
    /// Where each object's frame lies.
    var objects: [(hash: ContentHash, range: Range<Int>)] = []
    /// May be committed once this batch and all before it are with the node.
    var writes: [UploadWrite] = []
    /// Bytes of files that were read for this batch.
    var bytesRead: UInt64 = 0

    var isEmpty: Bool { objects.isEmpty && writes.isEmpty && bytesRead == 0 }

    var isFull: Bool {
        frames.count >= UploadBatch.targetLength || objects.count >= UploadBatch.targetCount
            || writes.count >= UploadBatch.targetCount
    }

    mutating func add(_ kind: ObjectKind, _ hash: ContentHash, _ bytes: UnsafeRawBufferPointer) {
        if frames.capacity == 0 { frames.reserveCapacity(UploadBatch.targetLength + Chunker.maximumSize + 4096) }
        let start = frames.count
        ObjectFrame.append(kind, hash, bytes, to: &frames)
        objects.append((hash, start..<frames.count))
    }
}

/// One path that is to be written.
struct UploadWrite: Sendable {
    var local: String
    var write: BulkWrite
}
