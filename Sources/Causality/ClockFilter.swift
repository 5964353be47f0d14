/// One exchange of heartbeats, as it tells two clocks apart (RFC 5905, section 8).
///
/// Instants are microseconds. Offsets are counted from this node's monotonic clock, which nobody sets, so that a sample
/// keeps its meaning when the virtual clock is corrected.
public struct ClockSample: Hashable, Sendable {
    /// The peer's virtual time less this node's monotonic time.
    public var offset: Int64
    /// The time on the way, there and back.
    public var delay: Int64
    /// This node's monotonic time when the answer arrived.
    public var takenAt: UInt64

    /// - Parameters:
    ///   - sent: when the beat left, on this node's monotonic clock.
    ///   - received: when it arrived, on the peer's virtual clock.
    ///   - answered: when the answer left, on the same.
    ///   - arrived: when the answer arrived, on this node's monotonic clock.
    /// - Returns: nil where the instants contradict each other: an answer that left before its beat had come, or that took
    ///   longer at the peer than the whole exchange.
    public init?(sent: UInt64, received: UInt64, answered: UInt64, arrived: UInt64) {
        // Nobody's clock is beyond this, and nothing below can overflow.
        guard max(sent, received, answered, arrived) < 1 << 60, sent <= arrived, received <= answered,
            answered - received <= arrived - sent
        else { return nil }
        let (t0, t1, t2, t3) = (Int64(sent), Int64(received), Int64(answered), Int64(arrived))
        offset = ((t1 - t0) + (t2 - t3)) / 2
        delay = (t3 - t0) - (t2 - t1)
        takenAt = arrived
    }
}

/// What is known of a peer's clock at an instant.
public struct ClockEstimate: Hashable, Sendable {
    /// The peer's virtual time less this node's monotonic time, in microseconds.
    public var offset: Int64
    /// The least of the samples, in microseconds.
    public var delay: Int64
    /// How far off the offset can be, in microseconds: what the samples leave open, and what clocks drift apart since.
    public var error: Int64
    /// How far those samples are apart, in microseconds, that say most about either way.
    public var spread: Int64
    /// Samples that it was made from.
    public var count: Int
}

/// The last samples of a peer's clock.
///
/// A beat cannot arrive before it is sent, so each sample has two bounds: the true offset is at most `received - sent` and at least
/// `answered - arrived`. The beat that was fastest there gives the one, the answer that was fastest back the other, and they need not be of
/// one exchange: with jitter both ways, a fast way is far more common than a fast exchange. The middle of the bounds is off by half of
/// what the two ways differ at their best. (Marzullo and Owicki, "Maintaining the time in a distributed system", 1983, intersect bounds so.)
public struct ClockFilter: Sendable {
    /// Samples kept. With 5 ms of jitter each way, the middle of 64 is off by less than a quarter of a millisecond but once in hundreds.
    public static let window = 64
    /// What two clocks drift apart, in microseconds a second (RFC 5905, section 11: PHI).
    public static let drift: Int64 = 15
    /// A sample that is off by more than its own error and this, in microseconds, tells of a clock that was set.
    private static let jump: Int64 = 5_000
    /// Samples that have to agree, on either way.
    private static let agreeing = 3

    /// The newest last.
    private var samples: [ClockSample] = []

    public init() {}

    public var count: Int { samples.count }

    /// - Returns: false where the peer's clock was set since the samples before, which count no more.
    @discardableResult
    public mutating func add(_ sample: ClockSample) -> Bool {
        let isConsistent = estimate(at: sample.takenAt).map {
            abs(sample.offset - $0.offset) <= sample.delay / 2 + $0.error + ClockFilter.jump
        } ?? true
        if !isConsistent { reset() }
        if samples.count == ClockFilter.window { samples.removeFirst() }
        samples.append(sample)
        return isConsistent
    }

    public mutating func reset() {
        samples.removeAll()
    }

    /// The best guess now; nil without samples.
    /// - Parameter now: this node's monotonic time.
    public func estimate(at now: UInt64) -> ClockEstimate? {
        guard let newest = samples.last else { return nil }
        var delay = newest.delay
        var count = 0
        // The best so far, the least and the greatest first.
        var upper = BestBounds()
        var lower = BestBounds()
        for sample in samples.reversed() {
            let half = (sample.delay + 1) / 2 + ClockFilter.drift(of: sample, at: now)
            // What contradicts newer samples is from before the peer's clock was moved.
            if count > 0, sample.offset + half < -lower.best || sample.offset - half > upper.best { break }
            upper.add(sample.offset + half)
            lower.add(half - sample.offset)
            delay = min(delay, sample.delay)
            count += 1
        }
        let (most, least) = (upper.best, -lower.best)
        return ClockEstimate(
            offset: least + (most - least) / 2, delay: delay, error: (most - least + 1) / 2, spread: max(upper.spread, lower.spread), count: count)
    }

    private static func drift(of sample: ClockSample, at now: UInt64) -> Int64 {
        let age = Int64(now > sample.takenAt ? min(now - sample.takenAt, 1 << 50) : 0)
        return age * drift / 1_000_000
    }

    /// The least of some bounds.
    private struct BestBounds {
        private var least = [Int64](repeating: .max, count: agreeing)
        private var count = 0

        var best: Int64 { least[0] }
        /// How far the least ones are apart.
        var spread: Int64 { least[max(0, min(count, agreeing) - 1)] - least[0] }

        mutating func add(_ bound: Int64) {
            count += 1
            guard let place = least.firstIndex(where: { bound < $0 }) else { return }
            least.insert(bound, at: place)
            least.removeLast()
        }
    }
}
