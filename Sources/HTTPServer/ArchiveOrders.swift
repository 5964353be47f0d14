import Access
import FileDatabase
import Merkle
import Platform
import Synchronization

enum ArchiveFormat: String, Sendable {
    case zip
    case tar
}

/// Archives that were ordered and may be fetched.
final class ArchiveOrders: Sendable {
    struct Order: Sendable {
        var paths: [TreePath]
        var format: ArchiveFormat
        /// Of the state to pack; nil for that of when it is fetched.
        var moment: Moment?
        /// Who ordered it, and alone may fetch it.
        var identity: Principal.Identity
    }

    /// Long enough for a browser to ask where to save it.
    static let lifetime = Duration.seconds(600)
    /// Paths in all orders: some tens of megabytes. The oldest orders go when there are more.
    private static let maximumPaths = 100_000

    private struct Kept {
        var id: String
        var order: Order
        var since: ContinuousClock.Instant
    }

    /// The oldest first.
    private let kept = Mutex<[Kept]>([])

    /// - Returns: the order's name.
    func add(_ order: Order) -> String {
        let id = SystemRandomness().bytes(16).hex
        let now = ContinuousClock.now
        kept.withLock { kept in
            kept.removeAll { now - $0.since > ArchiveOrders.lifetime }
            kept.append(Kept(id: id, order: order, since: now))
            var count = kept.reduce(0) { $0 + $1.order.paths.count }
            while count > ArchiveOrders.maximumPaths { count -= kept.removeFirst().order.paths.count }
        }
        return id
    }

    subscript(id: String) -> Order? {
        let now = ContinuousClock.now
        return kept.withLock { kept in
            kept.first { $0.id == id && now - $0.since <= ArchiveOrders.lifetime }?.order
        }
    }
}
