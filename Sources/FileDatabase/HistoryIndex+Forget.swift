import Causality
import Content
import Merkle
import Objects

extension HistoryIndex {
    /// Rows that are looked at in one reading transaction, and changed in one that writes.
    private static let rowsAtOnce = 50_000

    /// Forgets what no kept state shows. Each step leaves a table that is right, so it may break off anywhere.
    ///
    /// A register stays where it was noted if the next kept state still has it, and with it the name of the commit that brought
    /// it. What is noted of directories moves to the next kept commit, whose tree tells.
    ///
    /// - Parameters:
    ///   - kept: the times of the commits that are kept.
    ///   - last: later rows are left as they are.
    func forget(except kept: Set<Timestamp>, upTo last: Timestamp) throws {
        let times = kept.sorted()
        func isForgotten(_ time: Timestamp) -> Bool { time <= last && !kept.contains(time) }
        var needed: Set<Timestamp> = []
        var above: (path: ArraySlice<UInt8>, time: Timestamp)?
        // From the latest to the earliest of each path, so that it is known what replaced a register.
        try rewrite(HistoryTable.all(.register)) { key, _ in
            let (path, time) = (key.dropLast(8), HistoryTable.time(of: key))
            defer { above = (path, time) }
            guard isForgotten(time), let next = HistoryIndex.first(notBefore: time, in: times) else { return [] }
            if let above, above.path == path, above.time <= next { return [TableEntry(key: key, value: nil)] }
            needed.insert(time)
            return []
        }
        for kind in [HistoryTable.Kind.bulk, .below] {
            try rewrite(HistoryTable.all(kind)) { key, value in
                let time = HistoryTable.time(of: key)
                guard isForgotten(time), let next = HistoryIndex.first(notBefore: time, in: times) else { return [] }
                return [TableEntry(key: key, value: nil), TableEntry(key: HistoryTable.key(key, at: next), value: value)]
            }
        }
        try rewrite(HistoryTable.all(.commit)) { key, value in
            let time = HistoryTable.time(of: key)
            guard isForgotten(time) else { return [] }
            let name = needed.contains(time) ? [TableEntry(key: HistoryTable.letGo(time), value: value)] : []
            return [TableEntry(key: key, value: nil)] + name
        }
        try rewrite(HistoryTable.all(.letGo)) { key, _ in
            let time = HistoryTable.time(of: key)
            return isForgotten(time) && !needed.contains(time) ? [TableEntry(key: key, value: nil)] : []
        }
    }

    /// Goes through rows from the last to the first, and makes the changes that `body` wants.
    private func rewrite(_ range: Range<TableKey>, _ body: (_ key: [UInt8], _ value: [UInt8]) -> [TableEntry]) throws {
        var end = range.upperBound
        while true {
            var changes: [TableEntry] = []
            var count = 0
            try table.scan(range.lowerBound..<end, isReversed: true) { key, value in
                changes += body(key, value)
                end = TableKey(key)
                count += 1
                return count < HistoryIndex.rowsAtOnce
            }
            if !changes.isEmpty { try table.write(changes) }
            if count < HistoryIndex.rowsAtOnce { return }
        }
    }

    private static func first(notBefore time: Timestamp, in times: [Timestamp]) -> Timestamp? {
        var (low, high) = (0, times.count)
        while low < high {
            let middle = (low + high) / 2
            if times[middle] < time { low = middle + 1 } else { high = middle }
        }
        return low < times.count ? times[low] : nil
    }
}
