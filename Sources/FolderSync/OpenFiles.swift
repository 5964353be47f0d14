import Merkle
import Platform
import Synchronization

/// Files that some program holds open, and since when they have been as they are.
final class OpenFiles: Sendable {
    private struct Key: Hashable {
        var directory: UInt64
        var name: [UInt8]
    }

    private struct Sight {
        var status: FileStatus
        var since: ContinuousClock.Instant
        var path: String
        /// Of the last look that it was met at.
        var look: Int
    }

    private struct State {
        var files: [Key: Sight] = [:]
        var look = 0
    }

    private let rest: Duration
    private let state = Mutex(State())

    init(rest: Duration) {
        self.rest = rest
    }

    /// Another look at the folder begins.
    func beginLook() {
        state.withLock { $0.look += 1 }
    }

    func isAtRest(_ item: ScanResult.Item) -> Bool {
        let key = Key(directory: item.directory, name: item.name)
        return state.withLock { state in
            if let known = state.files[key], known.status == item.row.status {
                state.files[key]?.look = state.look
                return ContinuousClock.now - known.since > rest
            }
            state.files[key] = Sight(status: item.row.status, since: .now, path: item.path.names.joined(separator: "/"), look: state.look)
            return false
        }
    }

    /// Those that the last look met in some directories, with their paths in the tree.
    func waiting(in directories: Set<UInt64>) -> [(directory: UInt64, path: String)] {
        let files = state.withLock { state in state.files.filter { directories.contains($0.key.directory) && $0.value.look == state.look } }
        return files.map { ($0.key.directory, $0.value.path) }.sorted { $0.1 < $1.1 }
    }

    func forget() {
        state.withLock { $0.files = [:] }
    }
}
