import Causality
import Content
import Foundation
import Platform
import Synchronization

/// The node's time: its virtual clock over the operating system's monotonic one.
///
/// What the correction was is kept in a file, so that a node whose wall clock is wrong, and was wrong in the same way
/// before, starts with the cluster's time also when nobody can be reached.
public final class NodeClock: TimeSource {
    private struct State {
        var clock: VirtualClock
        /// Whether this node's time is the cluster's. One that is not follows the first peer whose time is.
        var isSettled: Bool
        /// The monotonic time of the last heartbeat that found a peer in agreement; nil if there never was one.
        var lastAgreed: UInt64?
        /// The peer that was last followed whose time was its cluster's, and since when, on the monotonic clock.
        var lastFollowed: (peer: NodeID?, since: UInt64)?
        /// Virtual time less wall time, as it is in the file.
        var stored: Int64
    }

    /// A correction that has changed by less is not worth a write to disk, in microseconds.
    private static let storedPrecision: Int64 = 100_000
    /// A node that was alone for longer may have been asleep, and its time counts as a newcomer's. In microseconds.
    private static let memory: UInt64 = 60_000_000

    private let system: any TimeSource
    private let path: String
    private let state: Mutex<State>

    /// - Parameter directory: where the correction is kept.
    init(system: any TimeSource, directory: String) {
        self.system = system
        path = NodeClock.path(in: directory)
        let stored = NodeClock.storedCorrection(directory: directory)
        let time = UInt64(clamping: Int64(clamping: system.wallMicroseconds()) + stored)
        state = Mutex(State(
            clock: VirtualClock(time: time, monotonic: system.monotonicMicroseconds()), isSettled: false, stored: stored))
    }

    private static func path(in directory: String) -> String { directory + "/clock" }

    /// The virtual time less the wall time of the node of a data directory when it last wrote it down, in microseconds.
    public static func storedCorrection(directory: String) -> Int64 {
        // A file that cannot be read, or makes no sense, counts as none: the first peer that answers sets the clock.
        guard let bytes = try? PrivateFile.read(path(in: directory)) else { return 0 }
        let text = String(decoding: bytes, as: UTF8.self).trimmingCharacters(in: .whitespacesAndNewlines)
        return Int64(text).flatMap { abs($0) < 1 << 60 ? $0 : nil } ?? 0
    }

    /// Microseconds since 1970 on the virtual clock, whatever the wall clock says.
    public func wallMicroseconds() -> UInt64 {
        let monotonic = monotonicMicroseconds()
        return state.withLock { $0.clock.now(monotonic) }
    }

    public func monotonicMicroseconds() -> UInt64 { system.monotonicMicroseconds() }

    public func wait(_ duration: Duration) async throws { try await system.wait(duration) }

    /// The time as a date, for what people read.
    public var date: Date { Date(timeIntervalSince1970: Double(wallMicroseconds()) / 1e6) }

    var isSettled: Bool {
        let monotonic = monotonicMicroseconds()
        return state.withLock { state in
            state.isSettled && (state.lastAgreed.map { monotonic <= $0 + NodeClock.memory } ?? true)
        }
    }

    /// From now on this node's time is its cluster's, or no longer.
    func settle(_ isSettled: Bool) {
        state.withLock { state in
            state.isSettled = isSettled
            state.lastAgreed = nil
        }
    }

    /// How far a peer's clock is ahead of this one, in microseconds.
    func offset(of estimate: ClockEstimate) -> Int64 {
        let monotonic = monotonicMicroseconds()
        return estimate.offset - state.withLock { $0.clock.correction(at: monotonic) }
    }

    /// Takes over a peer's time at once. A newcomer stays one until a peer agrees: what it was told may have been a lie.
    ///
    /// - Parameter peerIsSettled: whether the peer's time is its cluster's.
    func follow(_ estimate: ClockEstimate, of peer: NodeID?, peerIsSettled: Bool) {
        let monotonic = monotonicMicroseconds()
        state.withLock { state in
            state.clock.step(toCorrection: estimate.offset, at: monotonic)
            if peerIsSettled, state.lastFollowed == nil || state.lastFollowed?.peer != peer { state.lastFollowed = (peer, monotonic) }
        }
    }

    /// Whether a peer may be followed whose clock is behind: another than was followed last only once that one had a honeymoon's time to agree. Between two clusters whose times differ a newcomer would else go to and fro for ever,
    /// and never hear either agree.
    func mayGoBack(to peer: NodeID?) -> Bool {
        let monotonic = monotonicMicroseconds()
        return state.withLock { state in state.lastFollowed.map { $0.peer == peer || monotonic >= $0.since + Node.honeymoonLimit } ?? true }
    }

    /// Goes towards the middle of what peers in agreement say.
    func agree(with estimates: [ClockEstimate]) {
        let monotonic = monotonicMicroseconds()
        state.withLock { state in
            let own = state.clock.correction(at: monotonic)
            state.clock.slew(by: ClockConsensus.correction(towards: estimates.map { $0.offset - own }), at: monotonic)
            state.isSettled = true
            state.lastAgreed = monotonic
        }
    }

    /// Writes the correction down if it has changed. Blocks.
    func store() {
        let correction = Int64(clamping: wallMicroseconds()) - Int64(clamping: system.wallMicroseconds())
        let isNew = state.withLock { state in
            guard abs(state.stored - correction) > NodeClock.storedPrecision else { return false }
            state.stored = correction
            return true
        }
        // Without the file the next start begins with the wall clock, which is no loss worth stopping for.
        if isNew { try? PrivateFile.write(Array("\(correction)\n".utf8), to: path) }
    }
}
