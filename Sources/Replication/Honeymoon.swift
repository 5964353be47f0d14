import Causality

/// The time before data flows: heartbeats alone, until it is known how far the peer's clock is off.
///
/// A state machine without I/O: it takes samples, and says whether they will do.
public struct Honeymoon: Sendable {
    public enum Verdict: Hashable, Sendable {
        /// More heartbeats are needed; why, in words.
        case goOn(String)
        /// More heartbeats will not help; why, in words.
        case unusable(String)
        case settled(ClockEstimate)
    }

    /// Samples that are wanted at the least.
    public static let minimumSamples = 8
    /// How well the best samples of each way have to agree, in microseconds, after so many: by that much they are off, about. On a
    /// quiet link they agree at once; with 5 ms of jitter each way after some forty. After a full window anything will do that is far
    /// within the drift that versions are allowed.
    private static func tolerance(after count: Int) -> Int64 {
        count < 48 ? 200 : count < ClockFilter.window ? 1_000 : 50_000
    }

    public private(set) var filter = ClockFilter()
    private var wasUnanswered = false
    /// All samples, also those that later ones have contradicted.
    private var added = 0

    public init() {}

    /// - Returns: false where the peer's clock was set since the samples before.
    @discardableResult
    public mutating func add(_ sample: ClockSample) -> Bool {
        wasUnanswered = false
        added += 1
        return filter.add(sample)
    }

    /// A heartbeat got no answer, or one that cannot be true.
    public mutating func addFailure() {
        wasUnanswered = true
    }

    /// - Parameter now: this node's monotonic time.
    public func verdict(at now: UInt64) -> Verdict {
        guard let estimate = filter.estimate(at: now) else {
            return .goOn(wasUnanswered ? "no answer to heartbeats" : "no heartbeats yet")
        }
        guard estimate.count >= Honeymoon.minimumSamples else {
            guard added >= ClockFilter.window else { return .goOn("\(filter.count) heartbeats so far") }
            return .unusable("offset: its clock does not run as clocks do; newer heartbeats contradict older ones")
        }
        guard estimate.spread <= Honeymoon.tolerance(after: estimate.count) else {
            return .goOn("jitter: the best heartbeats are \(estimate.spread) µs apart")
        }
        return .settled(estimate)
    }
}

/// What two nodes do about the difference of their clocks.
public enum ClockMeeting: Hashable, Sendable {
    /// The clocks agree.
    case agreed
    /// This node takes over the peer's time.
    case follow
    /// The peer has to take over this node's; why data does not flow until then, in words.
    case wait(String)

    /// Differences up to this are left to slewing, in microseconds.
    public static let tolerance: Int64 = 50_000

    /// What no clock is ahead of another, in microseconds: a year. Time that was once taken over is in versions for good.
    public static let incredible: Int64 = 366 * 86_400 * 1_000_000

    /// Decides. A newcomer follows the cluster and cannot move it; among equals the one that is behind goes ahead, since
    /// versions from the time that is given up would come from the future.
    ///
    /// - Parameters:
    ///   - offset: the peer's time less this node's, in microseconds.
    ///   - error: how far that can be off.
    ///   - isSettled: whether this node's time is a cluster's.
    ///   - peerIsSettled: whether the peer says so of its own.
    public static func decide(offset: Int64, error: Int64, isSettled: Bool, peerIsSettled: Bool) -> ClockMeeting {
        if abs(offset) <= tolerance + error { return .agreed }
        if offset > incredible {
            let days = offset / 86_400_000_000
            return .wait("offset: its clock is \(days) days ahead, which is not believed; if it is right, set this machine's and start again")
        }
        if isSettled == peerIsSettled ? offset > 0 : peerIsSettled { return .follow }
        return .wait("offset: its clock is \(abs(offset) / 1000) ms \(offset > 0 ? "ahead" : "behind") and has to follow")
    }
}

/// What a node knows of a caller's clock from the heartbeats that it was sent: enough to tell whether it is settled, and
/// needing no connection back.
public struct CallerClock: Sendable {
    /// Beats that have to be good, one after another.
    public static let wanted = 4
    /// How far the caller's time may be behind or ahead when its beat arrives, the way included, in microseconds. Wide enough
    /// for a machine under load, and far within the drift that versions are allowed.
    public static let maximumOffset: Int64 = 10_000_000
    /// Without a beat for this long, in microseconds, the caller is taken for gone and has to settle anew.
    public static let patience: UInt64 = 30_000_000

    private var good = 0
    private var lastBeat: UInt64 = 0
    /// The caller's time less this node's at the last beat, less than the true offset by the time on the way.
    public private(set) var offset: Int64 = 0

    public init() {}

    /// - Parameters:
    ///   - built: when the caller built the beat, on its clock.
    ///   - arrived: when it came, on this node's virtual clock.
    ///   - now: this node's monotonic time.
    public mutating func add(built: UInt64, arrived: UInt64, now: UInt64) {
        offset = Int64(clamping: built) - Int64(clamping: arrived)
        let isLate = now > lastBeat + CallerClock.patience
        good = abs(offset) <= CallerClock.maximumOffset ? (isLate ? 1 : good + 1) : 0
        lastBeat = now
    }

    /// Why the caller is not answered; nil if it is.
    public func fault(at now: UInt64) -> String? {
        if lastBeat == 0 || now > lastBeat + CallerClock.patience { return "no heartbeats from it have come lately" }
        if abs(offset) > CallerClock.maximumOffset {
            return "its clock is \(abs(offset) / 1000) ms \(offset > 0 ? "ahead of" : "behind") this node's"
        }
        return good < CallerClock.wanted ? "its clock is not settled yet" : nil
    }
}

/// How long to wait before a peer is tried again: exponentially longer, with jitter, so that nodes which lost the same peer
/// do not all come back at once.
public struct Backoff: Sendable {
    public static let minimum = 0.25
    public static let maximum = 30.0

    private var failures = 0

    public init() {}

    public mutating func reset() {
        failures = 0
    }

    /// Seconds.
    /// - Parameter chance: 0..<1.
    public mutating func next(chance: Double) -> Double {
        let longest = min(Backoff.minimum * Double(1 << min(failures, 16)), Backoff.maximum)
        failures += 1
        return longest * (0.5 + chance / 2)
    }
}
