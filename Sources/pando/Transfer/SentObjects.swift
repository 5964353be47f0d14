import Content
import Synchronization

/// The objects that this run has handed over to be sent, so that equal content is sent once.
final class SentObjects: Sendable {
    /// 32 MiB. When it is full it starts anew: a forgotten object is asked for again, and nothing else happens.
    private static let limit = 1 << 19

    private let hashes = Mutex<Set<ContentHash>>([])

    func contains(_ hash: ContentHash) -> Bool {
        hashes.withLock { $0.contains(hash) }
    }

    func insert(_ batch: UploadBatch) {
        hashes.withLock { hashes in
            if hashes.count + batch.objects.count > SentObjects.limit { hashes.removeAll(keepingCapacity: true) }
            for object in batch.objects { hashes.insert(object.hash) }
        }
    }
}
