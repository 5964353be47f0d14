import CExecutorHook
import Foundation
import Platform
import Synchronization

/// Runs every Swift task of the process on one thread, in an order drawn from a seed, by a clock that jumps to the next
/// moment at which something happens. Simulated hours pass in seconds, and the same seed gives the same run.
///
/// There is one a process, since there is one global executor.
final class Scheduler: @unchecked Sendable {
    /// Microseconds since the start of the simulated world.
    typealias Instant = UInt64

    private struct Timer {
        var time: Instant
        var number: UInt64
    }

    /// What happens then. A closure that a dictionary holds by itself is wrapped anew at each look.
    private struct Action {
        var fire: @Sendable () -> Void
    }

    /// Ties are broken by the order of creation, which is the same in each run.
    private struct State {
        var ready: [UnownedJob] = []
        /// A heap. Those that are cancelled stay in it, without an action.
        var timers: [Timer] = []
        var actions: [UInt64: Action] = [:]
        var nextTimer: UInt64 = 0
        var now: Instant = 0
        var random: SplitMix64
    }

    // Other threads only ever add to it, if at all.
    private let state: Mutex<State>
    private let executor = Executor()
    /// Whether tasks take turns at every call of an asynchronous function, and not only where they wait: ten times as many steps.
    private let switchesAtCalls: Bool

    /// The executor that jobs are told they run on, if calls are to come back to the scheduler.
    private final class Executor: TaskExecutor {
        func enqueue(_ job: consuming ExecutorJob) { Scheduler.current.withLock { $0 }?.add(UnownedJob(job)) }
    }

    private static let current = Mutex<Scheduler?>(nil)

    init(seed: UInt64, switchesAtCalls: Bool) {
        self.switchesAtCalls = switchesAtCalls
        state = Mutex(State(random: SplitMix64(seed: seed)))
    }

    /// Takes over the global executor of this process.
    func install() {
        Scheduler.current.withLock { $0 = self }
        pando_take_global_jobs(
            { job in
                guard let job else { return }
                Scheduler.current.withLock { $0 }?.add(unsafeBitCast(job, to: UnownedJob.self))
            },
            { nanoseconds, job in
                guard let job, let scheduler = Scheduler.current.withLock({ $0 }) else { return }
                let later = SendableJob(job: unsafeBitCast(job, to: UnownedJob.self))
                scheduler.at(scheduler.now + nanoseconds / 1000) { scheduler.add(later.job) }
            })
    }

    private struct SendableJob: @unchecked Sendable {
        let job: UnownedJob
    }

    var now: Instant { state.withLock { $0.now } }

    private func add(_ job: UnownedJob) {
        state.withLock { $0.ready.append(job) }
    }

    /// Calls `fire` at a time.
    @discardableResult
    func at(_ time: Instant, _ fire: @escaping @Sendable () -> Void) -> UInt64 {
        state.withLock { state in
            state.nextTimer += 1
            state.actions[state.nextTimer] = Action(fire: fire)
            state.timers.append(Timer(time: max(time, state.now), number: state.nextTimer))
            Scheduler.siftUp(&state.timers)
            return state.nextTimer
        }
    }

    func cancel(_ timer: UInt64) {
        _ = state.withLock { $0.actions.removeValue(forKey: timer) }
    }

    /// What became of a run.
    enum End: Equatable {
        case done
        /// Nothing can happen any more.
        case stuck
        /// The world went on for longer than it may.
        case late
        /// Too many steps: something goes in circles without time passing.
        case endless
    }

    /// Runs `body` and everything it starts, on the calling thread, until `body` has returned.
    func run(until limit: Instant, maximumSteps: Int = 20_000_000, _ body: @escaping @Sendable () async -> Void) -> End {
        let flag = Flag()
        Task {
            await body()
            flag.set()
        }
        for _ in 0..<maximumSteps {
            if flag.isSet { return .done }
            if let job = takeReady() {
                if switchesAtCalls {
                    job.runSynchronously(on: executor.asUnownedTaskExecutor())
                } else {
                    pando_run_job(unsafeBitCast(job, to: UnsafeMutableRawPointer.self))
                }
                continue
            }
            guard let action = takeTimer() else { return .stuck }
            if now > limit { return .late }
            action.fire()
        }
        return .endless
    }

    private final class Flag: Sendable {
        private let value = Mutex(false)
        var isSet: Bool { value.withLock { $0 } }
        func set() { value.withLock { $0 = true } }
    }

    private func takeReady() -> UnownedJob? {
        state.withLock { state in
            if state.ready.isEmpty { return nil }
            let index = state.random.below(state.ready.count)
            state.ready.swapAt(index, state.ready.count - 1)
            return state.ready.removeLast()
        }
    }

    private func takeTimer() -> Action? {
        state.withLock { state in
            while let timer = Scheduler.popFirst(&state.timers) {
                guard let action = state.actions.removeValue(forKey: timer.number) else { continue }
                state.now = timer.time
                return action
            }
            return nil
        }
    }

    // MARK: A heap

    private static func isBefore(_ left: Timer, _ right: Timer) -> Bool {
        (left.time, left.number) < (right.time, right.number)
    }

    private static func siftUp(_ timers: inout [Timer]) {
        var index = timers.count - 1
        while index > 0, isBefore(timers[index], timers[(index - 1) / 2]) {
            timers.swapAt(index, (index - 1) / 2)
            index = (index - 1) / 2
        }
    }

    private static func popFirst(_ timers: inout [Timer]) -> Timer? {
        guard !timers.isEmpty else { return nil }
        timers.swapAt(0, timers.count - 1)
        let first = timers.removeLast()
        var index = 0
        while true {
            var least = index
            for child in [2 * index + 1, 2 * index + 2] where child < timers.count && isBefore(timers[child], timers[least]) {
                least = child
            }
            if least == index { return first }
            timers.swapAt(index, least)
            index = least
        }
    }
}

extension Scheduler {
    /// Returns after a span of the world's time.
    /// - Throws: `CancellationError` as soon as the task is cancelled.
    func wait(_ microseconds: UInt64) async throws {
        let wait = Wait()
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                guard wait.begin(continuation) else { return }
                wait.timer = at(now &+ min(microseconds, 1 << 50)) { wait.end(nil) }
            }
        } onCancel: {
            if let timer = wait.end(CancellationError()) { cancel(timer) }
        }
    }

    private final class Wait: Sendable {
        private struct State {
            var continuation: CheckedContinuation<Void, any Error>?
            var isOver = false
            var timer: UInt64?
        }

        private let state = Mutex(State())

        var timer: UInt64? {
            get { state.withLock { $0.timer } }
            set { state.withLock { $0.timer = newValue } }
        }

        func begin(_ continuation: CheckedContinuation<Void, any Error>) -> Bool {
            let isOver = state.withLock { state in
                if !state.isOver { state.continuation = continuation }
                return state.isOver
            }
            if isOver { continuation.resume(throwing: CancellationError()) }
            return !isOver
        }

        @discardableResult
        func end(_ error: (any Error)?) -> UInt64? {
            let (continuation, timer) = state.withLock { state in
                defer { state.continuation = nil }
                state.isOver = true
                return (state.continuation, state.timer)
            }
            if let error { continuation?.resume(throwing: error) } else { continuation?.resume() }
            return continuation == nil ? nil : timer
        }
    }
}

/// A node's clocks in the simulated world: a monotonic one that runs a little fast or slow, and a wall clock that shows
/// whatever time somebody set it to.
final class SimulatedTime: TimeSource {
    private struct State {
        /// How much faster than the world's time, in millionths.
        var drift: Int64
        /// The monotonic clock less the world's time at the start of this machine.
        var start: UInt64
        /// The wall clock less the true time, in microseconds.
        var error: Int64
        /// Where the wall clock stands still, if it does.
        var frozenAt: UInt64?
        var isSet = false
    }

    /// The true time of the world's start, in microseconds since 1970.
    static let epoch: UInt64 = 1_760_000_000_000_000

    private let scheduler: Scheduler
    private let state: Mutex<State>

    init(scheduler: Scheduler, drift: Int64, start: UInt64, error: Int64) {
        self.scheduler = scheduler
        state = Mutex(State(drift: drift, start: start, error: error))
    }

    func wallMicroseconds() -> UInt64 {
        let now = scheduler.now
        return state.withLock { state in
            if let frozen = state.frozenAt { return frozen }
            return UInt64(clamping: Int64(SimulatedTime.epoch + now) + state.error)
        }
    }

    func monotonicMicroseconds() -> UInt64 {
        let now = scheduler.now
        return state.withLock { state in
            state.start + UInt64(Int64(now) + Int64(now) * state.drift / 1_000_000)
        }
    }

    func wait(_ duration: Duration) async throws {
        let (seconds, attoseconds) = duration.components
        let span = UInt64(clamping: seconds).multipliedReportingOverflow(by: 1_000_000)
        try await scheduler.wait(span.overflow ? 1 << 50 : span.partialValue + UInt64(clamping: attoseconds / 1_000_000_000_000))
    }

    /// Microseconds since 1970.
    var trueTime: Int64 { Int64(SimulatedTime.epoch + scheduler.now) }

    /// Somebody sets the wall clock.
    func setWallClock(error: Int64) {
        state.withLock { state in
            state.error = error
            state.frozenAt = nil
            state.isSet = true
        }
    }

    /// Whether anybody has ever touched the wall clock.
    var isSet: Bool { state.withLock { $0.isSet } }

    func freezeWallClock() {
        let wall = wallMicroseconds()
        state.withLock { state in
            state.frozenAt = wall
            state.isSet = true
        }
    }
}

/// Chance drawn from a seed. No secret in a simulation is one.
final class SimulatedRandomness: Randomness {
    private let random: Mutex<SplitMix64>

    init(seed: UInt64) {
        random = Mutex(SplitMix64(seed: seed))
    }

    func bytes(_ count: Int) -> [UInt8] { random.withLock { $0.bytes(count) } }
}
