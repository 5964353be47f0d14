import Platform
import Synchronization

/// Something to wait for, though not for ever. A ring that nobody waits for ends the next wait at once; two make one.
final class Alarm: Sendable {
    private struct State {
        var isRung = false
        var waiting: [Int: CheckedContinuation<Void, Never>] = [:]
        var cancelled: Set<Int> = []
        var next = 0
    }

    private let state = Mutex(State())

    /// Returns when it rings or when the task is cancelled.
    func wait() async {
        let name = newName()
        await wait(as: name)
    }

    /// Returns when it rings, when the time is over or when the task is cancelled.
    func wait(upTo duration: Duration, by time: any TimeSource) async {
        let name = newName()
        let timeout = Task {
            try await time.wait(duration)
            self.end(name)
        }
        await wait(as: name)
        timeout.cancel()
    }

    /// Ends all waiting.
    func ring() {
        let waiting = state.withLock { state in
            state.isRung = state.waiting.isEmpty
            defer { state.waiting = [:] }
            return Array(state.waiting.values)
        }
        for continuation in waiting { continuation.resume() }
    }

    private func newName() -> Int {
        state.withLock { state in
            state.next += 1
            return state.next
        }
    }

    private func wait(as name: Int) async {
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let isOver = state.withLock { state in
                    if state.isRung || state.cancelled.remove(name) != nil {
                        state.isRung = false
                        return true
                    }
                    state.waiting[name] = continuation
                    return false
                }
                if isOver { continuation.resume() }
            }
        } onCancel: {
            end(name)
        }
        state.withLock { _ = $0.cancelled.remove(name) }
    }

    /// Ends one wait, which may not have begun.
    private func end(_ name: Int) {
        let continuation = state.withLock { state in
            let continuation = state.waiting.removeValue(forKey: name)
            if continuation == nil { state.cancelled.insert(name) }
            return continuation
        }
        continuation?.resume()
    }
}
