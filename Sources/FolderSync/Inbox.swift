import Foundation
import Platform
import Synchronization

/// What the watcher has told and nobody has looked at.
final class Inbox: Sendable {
    /// The number of the directory of requests, which no directory of the folder has.
    static let requests: UInt64 = 0

    private struct State {
        var directories: Set<UInt64> = []
        var isWhole = false
        var last: ContinuousClock.Instant?
        var first: ContinuousClock.Instant?
        var isRung = false
        /// The last fence that was seen.
        var fence: [UInt8] = []
        var waiting: CheckedContinuation<Void, Never>?
    }

    private let state = Mutex(State())

    func add(_ events: [WatchEvent]) {
        state.withLock { state in
            for event in events {
                switch event {
                case .changed(let directory, let name), .writing(let directory, let name):
                    if directory == Inbox.requests {
                        if name.starts(with: Inbox.fencePrefix) { state.fence = name }
                        continue
                    }
                    if directory == FolderIndex.rootID, name.elementsEqual(FolderLayout.name.utf8) { continue }
                    state.directories.insert(directory)
                case .gone(let directory): state.directories.remove(directory)
                case .overflow: state.isWhole = true
                }
                state.last = .now
                state.first = state.first ?? .now
            }
        }
        ring()
    }

    func ring() {
        let waiting = state.withLock { state in
            defer { state.waiting = nil }
            state.isRung = state.waiting == nil
            return state.waiting
        }
        waiting?.resume()
    }

    /// Returns when something is rung, or after the time.
    func wait(upTo duration: Duration) async throws {
        let timer = Task {
            try await Sleep.wait(duration)
            self.ring()
        }
        defer { timer.cancel() }
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let isOver = state.withLock { state in
                    if state.isRung {
                        state.isRung = false
                        return true
                    }
                    state.waiting = continuation
                    return false
                }
                if isOver { continuation.resume() }
            }
        } onCancel: {
            self.ring()
        }
        try Task.checkCancellation()
    }

    private static let fencePrefix = Array("fence-".utf8)
    private static let longestCatchUp = Duration.seconds(2)

    /// Returns when all is here that has happened until now: events come in order, so a file is made whose own event shows it. Where none comes,
    /// all is to be looked at.
    func catchUp(in layout: FolderLayout) async {
        let name = Inbox.fencePrefix + Array(UUID().uuidString.utf8)
        let end = ContinuousClock.now + Inbox.longestCatchUp
        if let directory = try? DirectoryHandle(path: layout.requests), (try? directory.create(name)) != nil {
            defer { try? directory.remove(name) }
            while ContinuousClock.now < end {
                if state.withLock({ $0.fence == name }) { return }
                if (try? await Sleep.wait(.milliseconds(1))) == nil { return }
            }
        }
        state.withLock { $0.isWhole = true }
    }

    /// Returns when nothing has happened for a while, or when it has gone on for too long.
    func settle(_ quiet: Duration, longest: Duration) async {
        while let (last, first) = state.withLock({ state in state.last.flatMap { last in state.first.map { (last, $0) } } }) {
            let left = min(last + quiet, first + longest) - .now
            if left <= .zero { return }
            if (try? await Sleep.wait(left)) == nil { return }
        }
    }

    func take() -> (directories: Set<UInt64>, isWhole: Bool) {
        state.withLock { state in
            defer {
                state.directories = []
                state.isWhole = false
                state.last = nil
                state.first = nil
            }
            return (state.directories, state.isWhole)
        }
    }
}
