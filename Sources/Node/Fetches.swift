import Content
import FileDatabase
import Platform
import Synchronization

/// Which states of peers are being pulled, and which were lately: in a mesh the same one comes from many.
final class Fetches: Sendable {
    struct Name: Hashable {
        var tree: Tree
        var root: ContentHash
    }

    private struct State {
        var underWay: [Name: Alarm] = [:]
        /// Joined here already, the newest last.
        var done: [Name] = []
    }

    /// How long one peer is waited for before another is asked.
    private static let patience = Duration.seconds(1)
    /// Peers tell of the same state within moments.
    private static let remembered = 64

    private let time: any TimeSource
    private let state = Mutex(State())

    init(time: any TimeSource) {
        self.time = time
    }

    /// Waits while a state is being pulled, but not for long.
    func wait(for name: Name) async {
        guard let alarm = state.withLock({ $0.underWay[name] }) else { return }
        await alarm.wait(upTo: Fetches.patience, by: time)
    }

    func isDone(_ name: Name) -> Bool {
        state.withLock { $0.done.contains(name) }
    }

    /// Forgets what was joined: it is not all here any more.
    func forget() {
        state.withLock { $0.done = [] }
    }

    func begin(_ name: Name) {
        state.withLock { if $0.underWay[name] == nil { $0.underWay[name] = Alarm() } }
    }

    func end(_ name: Name, isJoined: Bool) {
        let alarm = state.withLock { state in
            if isJoined {
                if state.done.count == Fetches.remembered { state.done.removeFirst() }
                state.done.append(name)
            }
            return state.underWay.removeValue(forKey: name)
        }
        alarm?.ring()
    }
}
