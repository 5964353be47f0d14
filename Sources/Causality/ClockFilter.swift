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
    /// Of the sample that it comes from, in microseconds.
    public var delay: Int64
    /// How far off the offset can be: half the delay, and what clocks drift apart since. In microseconds.
    public var error: Int64
    /// How far the best samples are apart, in microseconds.
    public var spread: Int64
    /// Samples that it was chosen from.
    public var count: Int
}

/// The last samples of a peer's clock. The one with the least delay counts: what waits in no queue is off by least.
public struct ClockFilter: Sendable {
    /// Samples kept. With 5 ms of jitter each way, the best of 64 is off by less than a millisecond but once in many hundreds.
    public static let window = 64
    /// What two clocks drift apart, in microseconds a second (RFC 5905, section 11: PHI).
    public static let drift: Int64 = 15
    /// A sample that is off by more than its own error and this, in microseconds, tells of a clock that was set.
    private static let jump: Int64 = 5_000
    /// Samples that have to agree.
    private static let agreeing = 3

    private var samples: [ClockSample] = []
    private var next = 0

    public init() {}

    public var count: Int { samples.count }

    /// - Returns: false where the peer's clock was set since the samples before, which count no more.
    @discardableResult
    public mutating func add(_ sample: ClockSample) -> Bool {
        let isConsistent = estimate(at: sample.takenAt).map {
            abs(sample.offset - $0.offset) <= sample.delay / 2 + $0.error + ClockFilter.jump
        } ?? true
        if !isConsistent { reset() }
        if samples.count < ClockFilter.window {
            samples.append(sample)
        } else {
            samples[next] = sample
            next = (next + 1) % ClockFilter.window
        }
        return isConsistent
    }

    public mutating func reset() {
        samples.removeAll()
        next = 0
    }

    /// The best guess now; nil without samples.
    /// - Parameter now: this node's monotonic time.
    public func estimate(at now: UInt64) -> ClockEstimate? {
        let best = samples.map { (sample: $0, error: ClockFilter.error(of: $0, at: now)) }.sorted { $0.error < $1.error }
            .prefix(ClockFilter.agreeing)
        guard let first = best.first else { return nil }
        let offsets = best.map(\.sample.offset)
        return ClockEstimate(
            offset: first.sample.offset, delay: first.sample.delay, error: first.error,
            spread: (offsets.max() ?? 0) - (offsets.min() ?? 0), count: samples.count)
    }

    private static func error(of sample: ClockSample, at now: UInt64) -> Int64 {
        let age = Int64(now > sample.takenAt ? min(now - sample.takenAt, 1 << 50) : 0)
        return sample.delay / 2 + age * drift / 1_000_000
    }
}
