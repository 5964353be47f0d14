import Foundation

/// Holds work in the background to a number of bytes a second.
struct Pace {
    /// Shorter pauses cost more in waking up than they are worth.
    private static let leastPause = 0.005
    /// At most so much is made up for after a stop: what a second allows.
    private static let burst = 1.0

    private let bytesPerSecond: Double?
    /// Seconds of work that are allowed by now and not used.
    private var credit = 0.0
    private var last = ContinuousClock.now

    /// - Parameter bytesPerSecond: nil for as fast as it goes.
    init(bytesPerSecond: UInt64?) {
        self.bytesPerSecond = bytesPerSecond.map { Double(max($0, 1)) }
    }

    /// Takes note of bytes that were read or written, and sleeps if they were too many. Never for longer than a second, so that
    /// whoever cancels is heard.
    mutating func use(_ bytes: UInt64) {
        guard let bytesPerSecond else { return }
        let now = ContinuousClock.now
        credit = min(Pace.burst, credit + (now - last) / .seconds(1)) - Double(bytes) / bytesPerSecond
        last = now
        if credit < -Pace.leastPause { Thread.sleep(forTimeInterval: min(1, -credit)) }
    }
}
