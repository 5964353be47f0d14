import Content
import Synchronization

/// Which objects had their hash when they were read a moment ago, so that a file that many people open at once is not hashed
/// for each of them. Bytes that come from memory again cannot have rotted on the disk meanwhile.
///
/// See `docs/decisions/0002-verified-reads.md`.
final class VerifiedReads: Sendable {
    /// Objects remembered: 16,384 chunks are some five gigabytes, more than a page cache keeps apart.
    private static let maximumCount = 16_384
    /// How long one is trusted at the most.
    private static let lifetime = Duration.seconds(60)

    private struct Generations {
        var young: Set<ContentHash> = []
        var old: Set<ContentHash> = []
        var turnedAt = ContinuousClock.now
    }

    private let generations = Mutex(Generations())

    func contains(_ hash: ContentHash) -> Bool {
        generations.withLock { generations in
            turnIfDue(&generations)
            return generations.young.contains(hash) || generations.old.contains(hash)
        }
    }

    func insert(_ hash: ContentHash) {
        generations.withLock { generations in
            turnIfDue(&generations)
            generations.young.insert(hash)
        }
    }

    private func turnIfDue(_ generations: inout Generations) {
        let now = ContinuousClock.now
        guard generations.young.count >= VerifiedReads.maximumCount / 2 || now - generations.turnedAt > VerifiedReads.lifetime / 2 else { return }
        generations.old = now - generations.turnedAt > VerifiedReads.lifetime ? [] : generations.young
        generations.young = []
        generations.turnedAt = now
    }
}
