import Foundation
import Platform
import Synchronization

/// The care that runs at a node, at most one task of a kind, and the tasks that have ended lately.
final class CareTasks: Sendable {
    /// Ended tasks that are remembered: a year of weekly scrubs.
    private static let remembered = 50

    private struct Entry {
        var task: CareTask
        /// Set as soon as it is known.
        var job: Task<Void, Never>?
        var ended = Alarm()
    }

    private struct State {
        /// In the order of their starts.
        var entries: [Entry] = []
        var isClosed = false
    }

    private let state = Mutex(State())
    fileprivate let clock: NodeClock
    private let events: EventHub

    init(clock: NodeClock, events: EventHub) {
        self.clock = clock
        self.events = events
    }

    /// The newest first.
    var all: [CareTask] { state.withLock { $0.entries.map(\.task).reversed() } }

    subscript(id: String) -> CareTask? { state.withLock { $0.entries.first { $0.task.id == id }?.task } }

    func running(_ kind: CareTask.Kind) -> CareTask? {
        state.withLock { $0.entries.first { $0.task.kind == kind && $0.task.state == .running }?.task }
    }

    /// Starts a task.
    ///
    /// - Parameter body: does the work; cancelled as a task is.
    /// - Throws: `NodeError`: `conflict` where one of the kind runs, `unavailable` where the node is closing.
    func start(
        _ kind: CareTask.Kind, isScheduled: Bool, isDryRun: Bool = false, name: String,
        _ body: @escaping @Sendable (CareReporter) async throws -> CareTask.Result
    ) throws -> CareTask {
        let task = CareTask(
            id: name, kind: kind, state: .running, scheduled: isScheduled, dryRun: isDryRun, startedAt: clock.date.rfc3339,
            progress: CareTask.Progress())
        try state.withLock { state in
            if state.isClosed { throw NodeError(.unavailable, "the node is shutting down") }
            if let running = state.entries.first(where: { $0.task.kind == kind && $0.task.state == .running })?.task {
                throw NodeError(
                    .conflict, "\(kind.rawValue) task \(running.id) runs already; follow it at /system/tasks/\(running.id), or end it with DELETE there")
            }
            state.entries.append(Entry(task: task))
        }
        let job = Task { [self] in
            do {
                let result = try await body(CareReporter(tasks: self, id: name))
                end(name, .done) { $0.result = result }
            } catch is CancellationError {
                end(name, .cancelled) { _ in }
            } catch {
                end(name, .failed) { $0.error = Node.words(error) }
            }
        }
        state.withLock { state in
            if let index = state.entries.firstIndex(where: { $0.task.id == name }) { state.entries[index].job = job }
            // The node began to close meanwhile.
            if state.isClosed { job.cancel() }
        }
        return task
    }

    /// Asks a task to end. It may take a moment.
    /// - Throws: `NodeError`: `notFound`, `conflict` where it has ended.
    func cancel(_ id: String) throws {
        try state.withLock { state in
            guard let entry = state.entries.first(where: { $0.task.id == id }) else { throw CareTasks.unknown(id) }
            guard entry.task.state == .running else { throw NodeError(.conflict, "the task has ended: it is \(entry.task.state.rawValue)") }
            entry.job?.cancel()
        }
    }

    /// Returns when a task has ended.
    func wait(for id: String) async {
        while let alarm = state.withLock({ $0.entries.first { $0.task.id == id && $0.task.state == .running }?.ended }) {
            await alarm.wait(upTo: .seconds(1), by: clock)
        }
    }

    /// Asks all tasks to end, and starts no more.
    func close() {
        state.withLock { state in
            state.isClosed = true
            for entry in state.entries where entry.task.state == .running { entry.job?.cancel() }
        }
    }

    /// Returns when no task runs.
    func drain() async {
        while let id = state.withLock({ $0.entries.first { $0.task.state == .running }?.task.id }) { await wait(for: id) }
    }

    fileprivate func change(_ id: String, _ body: (inout CareTask) -> Void) {
        state.withLock { state in
            guard let index = state.entries.firstIndex(where: { $0.task.id == id }) else { return }
            body(&state.entries[index].task)
        }
    }

    private func end(_ id: String, _ outcome: CareTask.State, _ body: (inout CareTask) -> Void) {
        let ended: (task: CareTask, alarm: Alarm)? = state.withLock { state in
            guard let index = state.entries.firstIndex(where: { $0.task.id == id }) else { return nil }
            state.entries[index].task.state = outcome
            state.entries[index].task.finishedAt = clock.date.rfc3339
            body(&state.entries[index].task)
            let entry = state.entries[index]
            while state.entries.count > CareTasks.remembered, let oldest = state.entries.firstIndex(where: { $0.task.state != .running }) {
                state.entries.remove(at: oldest)
            }
            return (entry.task, entry.ended)
        }
        guard let ended else { return }
        events.publish([.care(ended.task)])
        ended.alarm.ring()
    }

    static func unknown(_ id: String) -> NodeError {
        NodeError(.notFound, "there is no task '\(id.prefix(64))'; the last \(remembered) are remembered until the node is restarted")
    }

    fileprivate func tell(_ id: String) {
        if let task = self[id] { events.publish([.care(task)]) }
    }
}

/// Where a task says how far it has come.
final class CareReporter: Sendable {
    /// Readers of events are told this often, in microseconds.
    private static let interval: UInt64 = 500_000

    private let tasks: CareTasks
    private let id: String
    private let told = Mutex<UInt64?>(nil)

    fileprivate init(tasks: CareTasks, id: String) {
        self.tasks = tasks
        self.id = id
    }

    func report(_ progress: CareTask.Progress) {
        tasks.change(id) { $0.progress = progress }
        let now = tasks.clock.monotonicMicroseconds()
        let isDue = told.withLock { told in
            if let told, now < told + CareReporter.interval { return false }
            told = now
            return true
        }
        if isDue { tasks.tell(id) }
    }
}
