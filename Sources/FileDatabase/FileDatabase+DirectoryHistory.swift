import Causality
import Content
import Merkle
import Objects

extension FileDatabase {
    /// The kept versions that came to the files at and below a directory, the latest commit first, and by path within a commit.
    /// O(commits that changed something below + changes shown). Blocks.
    public func history(
        below directory: TreePath, from place: HistoryPage.Place? = nil, limit: Int, where shows: (TreePath) -> Bool
    ) throws -> HistoryPage {
        try update()
        let (view, settings, now) = (self.view, try retention(), self.now)
        return try asDatabaseErrors {
            var page = HistoryPage(items: [], next: nil)
            var last = place?.time ?? HistoryTable.allTimes.upperBound
            while true {
                // A stretch of commits at a time, since one that changed much fills pages by itself.
                let times = try commitTimes(below: directory, upTo: last, limit: 256)
                for time in times.prefix(256) {
                    guard let past = try history.commit(at: time), let after = try files(of: past) else { continue }
                    let before = try files(before: time)
                    let shown = time == place?.time ? place?.path : nil
                    let isFull = try add(
                        past, from: before, to: after, below: directory, behind: shown, limit: limit, to: &page
                    ) { path, version in
                        guard shows(path) else { return nil }
                        let isLatest = try view.entry(at: path)?.register?.version(version.dot) != nil
                        if !isLatest, try !isKept(path, since: time, settings, now) { return nil }
                        return isLatest ? (try view.entry(at: path)?.losers.contains { $0.dot == version.dot } == true ? .conflict : .current) : .replaced
                    }
                    if isFull { return page }
                }
                guard times.count > 256, let next = times.last else { return page }
                last = next
            }
        }
    }

    /// The latest commits that changed something below a directory; up to one more than the limit.
    private func commitTimes(below directory: TreePath, upTo last: Timestamp, limit: Int) throws -> [Timestamp] {
        var times: Set<Timestamp> = []
        if directory.isRoot {
            try history.eachCommit(notAfter: last) { commit in
                times.insert(commit.time)
                return times.count <= limit
            }
        } else {
            try history.each(.below, directory, .zero...last) { time, _ in
                times.insert(time)
                return times.count <= limit
            }
            let oldest = times.count > limit ? times.min() ?? .zero : .zero
            // What was written at the directory's own name, when it was a file or made as a directory.
            try history.each(.register, directory, oldest...last) { time, _ in
                times.insert(time)
                return true
            }
            times.formUnion(try history.bulkTimes(of: directory, oldest...last, withItself: true))
        }
        return Array(times.sorted(by: >).prefix(limit + 1))
    }

    private func files(of past: PastCommit) throws -> Subtree? { try history.commit(past.hash)?.files }

    /// The files before a commit: of the next older one that is still here.
    private func files(before time: Timestamp) throws -> Subtree {
        var found: Subtree?
        guard time > .zero else { return .empty }
        var fault: (any Error)?
        try history.eachCommit(notAfter: Timestamp(rawValue: time.rawValue - 1)) { commit in
            do {
                found = try files(of: commit)
            } catch {
                fault = error
            }
            return found == nil && fault == nil
        }
        if let fault { throw fault }
        return found ?? .empty
    }

    private func isKept(_ path: TreePath, since time: Timestamp, _ settings: RetentionSettings, _ now: UInt64) throws -> Bool {
        var until: Timestamp?
        try history.each(.register, path, time.next...HistoryTable.allTimes.upperBound) { later, _ in
            until = later
            return true
        }
        return settings.reason(for: path, from: time, until: until, now: now) != nil
    }

    /// Adds what a commit brought.
    /// - Parameter status: nil for what is not shown.
    /// - Returns: whether the page is full.
    private func add(
        _ past: PastCommit, from before: Subtree, to after: Subtree, below directory: TreePath, behind shown: TreePath?, limit: Int,
        to page: inout HistoryPage, _ status: (TreePath, Version) throws -> HistoryItem.Status?
    ) throws -> Bool {
        func entry(_ tree: Subtree) throws -> Entry? {
            directory.isRoot ? Entry(name: "", subtree: tree) : try tree.entry(at: directory, in: nodes)
        }
        let (old, new) = (try entry(before), try entry(after))
        /// False where the page has no room.
        func add(_ path: TreePath, _ old: Register?, _ new: Register?) throws -> Bool {
            guard let new, new != old else { return true }
            var items: [HistoryItem] = []
            for version in new.versions.reversed() where old?.version(version.dot) == nil {
                guard let status = try status(path, version) else { continue }
                items.append(HistoryItem(
                    path: path, version: version, commit: past, status: status,
                    reason: VersionReason.words(version, in: new, over: old, cause: past.cause)))
            }
            // The versions of one path in one commit stand on one page.
            if !items.isEmpty, page.items.count >= limit {
                let last = page.items.last.flatMap { $0.commit == past ? $0.path : nil }
                page.next = HistoryPage.Place(time: past.time, shown: 0, path: last)
                return false
            }
            page.items += items
            return true
        }
        if shown == nil, !directory.isRoot, try !add(directory, old?.register, new?.register) { return true }
        guard old?.subtree?.root != new?.subtree?.root else { return false }
        do {
            var diff = try TreeDiff(
                from: old?.subtree ?? .empty, to: new?.subtree ?? .empty, at: directory, in: nodes,
                after: shown == directory ? nil : shown)
            while let difference = try diff.next() {
                if try !add(difference.path, difference.before, difference.after) { return true }
            }
        } catch let error as StoreError where error.code == .missing || error.code == .damaged {
            // Collected; the rest of this commit is told by those around it.
        }
        return false
    }
}
