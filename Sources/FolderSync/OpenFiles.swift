import Platform
import Synchronization

/// Files that some program holds open, and since when they have been as they are.
final class OpenFiles: Sendable {
    private struct Key: Hashable {
        var directory: UInt64
        var name: [UInt8]
    }

    private let rest: Duration
    private let seen = Mutex<[Key: (status: FileStatus, since: ContinuousClock.Instant)]>([:])

    init(rest: Duration) {
        self.rest = rest
    }

    func isAtRest(_ item: ScanResult.Item) -> Bool {
        let key = Key(directory: item.directory, name: item.name)
        return seen.withLock { seen in
            if let known = seen[key], known.status == item.row.status { return ContinuousClock.now - known.since > rest }
            seen[key] = (item.row.status, .now)
            return false
        }
    }

    func forget() {
        seen.withLock { $0 = [:] }
    }
}
