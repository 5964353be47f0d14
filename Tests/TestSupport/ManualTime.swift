import Platform
import Synchronization

/// A clock that stands still until it is set.
public final class ManualTime: TimeSource {
    private let now: Mutex<UInt64>

    /// - Parameter microseconds: since 1970.
    public init(_ microseconds: UInt64 = 1_700_000_000_000_000) {
        now = Mutex(microseconds)
    }

    public func set(_ microseconds: UInt64) { now.withLock { $0 = microseconds } }
    public func advance(by microseconds: Int64) { now.withLock { $0 = UInt64(Int64($0) + microseconds) } }

    public func wallMicroseconds() -> UInt64 { now.withLock { $0 } }
    public func monotonicMicroseconds() -> UInt64 { now.withLock { $0 } }
}
