/// A node's clock: the monotonic clock plus a correction. Nobody's setting of the wall clock moves it.
///
/// Small corrections are slewed: the clock goes a little faster or slower until it is right, and never backwards. Only a
/// newcomer, whose time counts for nothing yet, is set at once.
public struct VirtualClock: Sendable {
    /// The most that the rate is changed, in microseconds a second: as NTP's clocks do (RFC 5905, section 11.3), and no
    /// more than a peer that lies can pull a cluster along.
    public static let slewRate: Int64 = 500

    /// The correction at `anchor`: virtual time less monotonic time.
    private var correction: Int64
    private var anchor: UInt64
    /// What is left to be slewed from `anchor` on.
    private var slew: Int64 = 0
    private var last: UInt64 = 0

    /// - Parameters:
    ///   - time: microseconds since 1970.
    ///   - monotonic: the monotonic time of that instant.
    public init(time: UInt64, monotonic: UInt64) {
        correction = Int64(clamping: time) - Int64(clamping: monotonic)
        anchor = monotonic
    }

    /// Microseconds since 1970. Never less than before, but for `step`.
    public mutating func now(_ monotonic: UInt64) -> UInt64 {
        last = max(last, UInt64(clamping: Int64(clamping: monotonic) + correction(at: monotonic)))
        return last
    }

    /// Virtual time less monotonic time, in microseconds.
    public func correction(at monotonic: UInt64) -> Int64 {
        let elapsed = Int64(monotonic > anchor ? min(monotonic - anchor, 1 << 50) : 0)
        let most = elapsed * VirtualClock.slewRate / 1_000_000
        return correction + max(-most, min(most, slew))
    }

    /// Makes the clock gain so many microseconds, bit by bit. Takes the place of what an earlier call has left to do.
    public mutating func slew(by microseconds: Int64, at monotonic: UInt64) {
        settle(at: monotonic)
        slew = microseconds
    }

    /// Sets the clock, also backwards.
    ///
    /// - Parameter correction: virtual time less monotonic time from now on.
    public mutating func step(toCorrection correction: Int64, at monotonic: UInt64) {
        anchor = monotonic
        slew = 0
        self.correction = correction
        last = 0
    }

    private mutating func settle(at monotonic: UInt64) {
        correction = correction(at: monotonic)
        anchor = max(anchor, monotonic)
        slew = 0
    }
}

/// Settled nodes' agreement on the time: each goes towards the middle of what it sees.
public enum ClockConsensus {
    /// How far the own clock is to be moved, in microseconds: to the median of the peers' offsets and the own, which is 0.
    ///
    /// A minority that lies cannot pull the median beyond what honest peers say. Without a leader, and along whatever links
    /// there are, all clocks that follow it meet. O(n log n).
    public static func correction(towards offsets: [Int64]) -> Int64 {
        let sorted = (offsets + [0]).sorted()
        let middle = sorted.count / 2
        // Offsets are within the drift that is allowed, so the sum does not overflow.
        return sorted.count % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
    }
}
