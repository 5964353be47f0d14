import Foundation
import Synchronization

#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

/// Waits in tasks, on one thread that asks the system for spans of time and never for a point in it: so that neither a
/// clock that is set, nor one that is faked for this process alone, makes a wait longer or shorter.
public enum Sleep {
    private static let sleepers = Sleepers()

    /// Returns after the time.
    /// - Throws: `CancellationError` as soon as the task is cancelled.
    public static func wait(_ duration: Duration) async throws {
        let (seconds, attoseconds) = duration.components
        // A span beyond this is for ever.
        let microseconds = UInt64(clamping: seconds).multipliedReportingOverflow(by: 1_000_000)
        let span = microseconds.overflow ? 1 << 60 : min(microseconds.partialValue + UInt64(attoseconds / 1_000_000_000_000), 1 << 60)
        try await sleepers.wait(span)
    }
}

private final class Sleepers: Sendable {
    private struct Sleeper {
        var deadline: UInt64
        var continuation: CheckedContinuation<Void, any Error>
    }

    private struct State {
        // Few enough to be looked through: a handful for each peer.
        var sleeping: [UInt64: Sleeper] = [:]
        /// Cancelled before they slept.
        var cancelled: Set<UInt64> = []
        var next: UInt64 = 0
    }

    private let state = Mutex(State())
    private let time = SystemTime()
    /// A byte in the pipe wakes the thread.
    private let wakeUp: (read: Int32, write: Int32)

    init() {
        var ends: [Int32] = [0, 0]
        let result = pipe(&ends)
        precondition(result == 0, "no descriptors for the timer")
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        wakeUp = (ends[0], ends[1])
        let thread = Thread { [self] in
            while true { sleepOnce() }
        }
        thread.name = "timer"
        thread.start()
    }

    func wait(_ microseconds: UInt64) async throws {
        let name = state.withLock { state in
            state.next += 1
            return state.next
        }
        defer { state.withLock { _ = $0.cancelled.remove(name) } }
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                let isCancelled = state.withLock { state in
                    if state.cancelled.contains(name) || Task.isCancelled { return true }
                    state.sleeping[name] = Sleeper(deadline: time.monotonicMicroseconds() + microseconds, continuation: continuation)
                    return false
                }
                if isCancelled { continuation.resume(throwing: CancellationError()) } else { wake() }
            }
        } onCancel: {
            let sleeper = state.withLock { state in
                let sleeper = state.sleeping.removeValue(forKey: name)
                if sleeper == nil { state.cancelled.insert(name) }
                return sleeper
            }
            sleeper?.continuation.resume(throwing: CancellationError())
        }
    }

    private func wake() {
        var byte: UInt8 = 0
        _ = write(wakeUp.write, &byte, 1)
    }

    /// Ends the waits that are over, and sleeps until the next one is, or a new one begins.
    private func sleepOnce() {
        let now = time.monotonicMicroseconds()
        let (over, next) = state.withLock { state in
            let over = state.sleeping.filter { $0.value.deadline <= now }
            for name in over.keys { state.sleeping[name] = nil }
            return (over.values.map(\.continuation), state.sleeping.values.map(\.deadline).min())
        }
        for continuation in over { continuation.resume() }
        // Rounded up, or the last millisecond is spent in circles.
        let milliseconds = next.map { Int32(clamping: ($0 - now + 999) / 1000) } ?? -1
        var descriptor = pollfd(fd: wakeUp.read, events: Int16(POLLIN), revents: 0)
        guard poll(&descriptor, 1, milliseconds) > 0 else { return }
        var bytes = [UInt8](repeating: 0, count: 256)
        _ = read(wakeUp.read, &bytes, bytes.count)
    }
}
