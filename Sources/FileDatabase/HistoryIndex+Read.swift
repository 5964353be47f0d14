import Causality
import Content
import Merkle
import Objects

extension HistoryIndex {
    /// The last commit that is not after a time.
    func lastCommit(notAfter time: Timestamp) throws -> PastCommit? {
        var found: PastCommit?
        try table.scan(HistoryTable.commits(.zero...time), isReversed: true) { key, value in
            found = HistoryTable.decodeCommit(key, value)
            return found == nil
        }
        return found
    }

    /// The time of the first commit after a time; nil after the newest.
    func nextTime(after time: Timestamp) throws -> Timestamp? {
        var found: Timestamp?
        try table.scan(HistoryTable.commits(time.next...HistoryTable.allTimes.upperBound), isReversed: false) { key, _ in
            found = HistoryTable.time(of: key)
            return false
        }
        return found
    }

    /// The commit of a time, also one whose record was let go.
    func commit(at time: Timestamp) throws -> PastCommit? {
        for key in [HistoryTable.commit(time), HistoryTable.letGo(time)] {
            if let value = try table.value(of: key) { return HistoryTable.decodeCommit(key, value) }
        }
        return nil
    }

    /// Calls `body` with all commits, the newest first.
    func eachCommit(notAfter time: Timestamp = HistoryTable.allTimes.upperBound, _ body: (PastCommit) -> Bool) throws {
        try table.scan(HistoryTable.commits(.zero...time), isReversed: true) { key, value in
            HistoryTable.decodeCommit(key, value).map(body) ?? true
        }
    }

    /// The times at which something of a kind is noted at a path, the newest first, with what is noted.
    func each(
        _ kind: HistoryTable.Kind, _ path: TreePath, _ times: ClosedRange<Timestamp> = HistoryTable.allTimes,
        _ body: (Timestamp, [UInt8]) -> Bool
    ) throws {
        try table.scan(HistoryTable.keys(kind, path, times), isReversed: true) { key, value in
            body(HistoryTable.time(of: key), value)
        }
    }

    /// The times at which a whole directory that holds the path may have changed, the newest first.
    func bulkTimes(of path: TreePath, _ times: ClosedRange<Timestamp>, withItself: Bool = false) throws -> Set<Timestamp> {
        var found: Set<Timestamp> = []
        var directory = withItself ? path : path.parent
        while let place = directory {
            try each(.bulk, place, times) { time, _ in
                found.insert(time)
                return true
            }
            directory = place.parent
        }
        return found
    }
}
