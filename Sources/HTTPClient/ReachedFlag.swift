import Synchronization

/// Whether the node ever answered: if it did, a refused connection may be a restart and worth another try.
final class ReachedFlag: Sendable {
    private let flag = Atomic(false)

    var value: Bool { flag.load(ordering: .relaxed) }

    func set() { flag.store(true, ordering: .relaxed) }
}
