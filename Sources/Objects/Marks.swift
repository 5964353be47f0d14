import Content
import Synchronization

/// What a mark has found to be needed. About 12 bytes for an object that names no others, 24 for one that does.
///
/// Safe from any thread.
public final class Marks: Sendable {
    private struct Sets: ~Copyable {
        /// Kept, whatever it names. One that passes for kept costs its own bytes until the next mark.
        var kept = FingerprintSet(.short)
        /// Kept with everything that it leads to. What is below one that passes for walked would be lost, hence the long
        /// fingerprints.
        var whole = FingerprintSet(.long)
        /// Where a walk has been that keeps only a part.
        var places = FingerprintSet(.long)
    }

    private let sets = Mutex(Sets())

    public init() {}

    /// Keeps an object itself.
    /// - Returns: whether it was not kept before.
    @discardableResult
    public func keep(_ hash: ContentHash) -> Bool { sets.withLock { $0.kept.insert(hash) } }

    /// Keeps an object whose caller then keeps everything that it leads to.
    /// - Returns: false if that was done already.
    public func walk(_ hash: ContentHash) -> Bool { sets.withLock { $0.whole.insert(hash) } }

    public func isWalked(_ hash: ContentHash) -> Bool { sets.withLock { $0.whole.contains(hash) } }

    /// - Parameter place: a hash of an object and of all on which it depends what is kept of it.
    /// - Returns: false if a walk came by there already.
    public func visit(_ place: ContentHash) -> Bool { sets.withLock { $0.places.insert(place) } }

    public func contains(_ hash: ContentHash) -> Bool {
        sets.withLock { $0.kept.contains(hash) || $0.whole.contains(hash) }
    }

    /// Objects that are kept, about: one that was kept in both ways counts twice.
    public var count: Int { sets.withLock { $0.kept.count + $0.whole.count } }
    /// Bytes of memory.
    public var memory: Int { sets.withLock { $0.kept.memory + $0.whole.memory + $0.places.memory } }
}
