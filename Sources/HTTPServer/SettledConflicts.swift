import Access
import Causality
import FileDatabase
import Merkle
import Platform
import Synchronization

/// Conflicts that were settled lately, for those who think better of it.
final class SettledConflicts: Sendable {
    struct Settled: Sendable {
        var conflict: Conflict
        /// The version that settled it.
        var dot: Dot
        var identity: Principal.Identity
    }

    /// Each has some hundred bytes a version. The oldest go when there are more.
    private static let maximum = 10_000

    private let settled = Mutex<(byID: [String: Settled], order: [String])>(([:], []))

    /// - Returns: the name by which it can be taken back.
    func add(_ entry: Settled) -> String {
        let id = SystemRandomness().bytes(16).hex
        settled.withLock { settled in
            settled.byID[id] = entry
            settled.order.append(id)
            if settled.order.count > SettledConflicts.maximum {
                // In bulk, since each removal moves the rest.
                let excess = settled.order.prefix(SettledConflicts.maximum / 10)
                for id in excess { settled.byID[id] = nil }
                settled.order.removeFirst(excess.count)
            }
        }
        return id
    }

    func entry(_ id: String, at path: TreePath, of identity: Principal.Identity) -> Settled? {
        let found = settled.withLock { $0.byID[id] }
        return found.flatMap { $0.conflict.path == path && $0.identity == identity ? $0 : nil }
    }
}
