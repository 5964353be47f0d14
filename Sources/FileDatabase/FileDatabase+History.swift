import Causality
import Content
import Merkle
import Objects

/// A version of a path, as this node came to have it.
public struct HistoryItem: Sendable {
    public enum Status: String, Sendable {
        /// What the path is now.
        case current
        /// A losing version that nobody has settled.
        case conflict
        /// Another version was written over it.
        case replaced
    }

    public var path: TreePath
    public var version: Version
    /// The commit that brought it here.
    public var commit: PastCommit
    public var status: Status
    /// Why it became the current version then, or why not.
    public var reason: String
}

/// A page of history, the newest first.
public struct HistoryPage: Sendable {
    /// Where a page goes on.
    public struct Place: Sendable, Hashable {
        var time: Timestamp
        /// How many items of this commit were shown.
        var shown: Int
        /// The path that the last page ended with, in the history of a directory.
        var path: TreePath?

        init(time: Timestamp, shown: Int, path: TreePath? = nil) {
            self.time = time
            self.shown = shown
            self.path = path
        }

        /// As bytes, for a cursor.
        public var encoded: [UInt8] {
            var encoder = CanonicalEncoder()
            encoder.write(time.rawValue)
            encoder.write(shown)
            encoder.write(path?.description ?? "")
            return encoder.bytes
        }

        /// Nil for bytes that are no place.
        public init?(_ bytes: [UInt8]) {
            var decoder = CanonicalDecoder(bytes)
            guard let time = try? decoder.readInteger(), time <= Timestamp.latestAllowed.rawValue,
                let shown = try? decoder.readCount(limit: 1 << 20), let text = try? decoder.readText(limit: TreePath.maximumLength),
                decoder.isAtEnd
            else { return nil }
            (self.time, self.shown, path) = (Timestamp(rawValue: time), shown, nil)
            if text.isEmpty { return }
            guard let path = try? TreePath(text) else { return nil }
            self.path = path
        }
    }

    public var items: [HistoryItem]
    public var next: Place?
}

extension FileDatabase {
    /// The kept versions of one path, the latest arrival first. O(changes of the path). Blocks.
    public func history(of path: TreePath, from place: HistoryPage.Place? = nil, limit: Int) throws -> HistoryPage {
        try update()
        let view = self.view
        return try asDatabaseErrors {
            var page = HistoryPage(items: [], next: nil)
            var last = place?.time
            while true {
                var walk = try PathHistory(of: path, in: self, now: view, upTo: last, count: max(1, limit - page.items.count))
                while let items = try walk.next() {
                    let skipped = walk.time == place?.time ? place?.shown ?? 0 : 0
                    for (index, item) in items.enumerated().dropFirst(skipped) {
                        if page.items.count == limit {
                            page.next = HistoryPage.Place(time: walk.time, shown: index)
                            return page
                        }
                        page.items.append(item)
                    }
                }
                guard let rest = walk.rest else { return page }
                if page.items.count == limit {
                    page.next = HistoryPage.Place(time: rest, shown: 0)
                    return page
                }
                last = rest
            }
        }
    }

    /// A version of a path by its name, if it is kept.
    public func version(_ name: String, of path: TreePath) throws -> Version? {
        if let version = try view.entry(at: path)?.register?.versions.first(where: { $0.dot.description == name }) { return version }
        var place: HistoryPage.Place?
        repeat {
            let page = try history(of: path, from: place, limit: 1000)
            if let item = page.items.first(where: { $0.version.dot.description == name }) { return item.version }
            place = page.next
        } while place != nil
        return nil
    }
}

/// A walk through the states that a path had, the newest first.
struct PathHistory {
    private struct State {
        var time: Timestamp
        /// Nil before it is read, and where nothing was there.
        var register: Register?
        var isRead: Bool
    }

    private let path: TreePath
    private let database: FileDatabase
    private let entry: Entry?
    private let settings: RetentionSettings
    private let now: UInt64
    private var states: [State] = []
    private var index: Int
    /// Versions that some snapshot keeps; read when first asked for.
    private var inSnapshots: Set<Dot>?
    /// Of the commit whose items `next` has returned.
    private(set) var time: Timestamp = .zero

    /// - Parameters:
    ///   - last: the time of the first commit to be shown.
    ///   - count: how many states are needed; some more are read, to compare with.
    init(of path: TreePath, in database: FileDatabase, now view: TreeView, upTo last: Timestamp?, count: Int) throws {
        self.path = path
        self.database = database
        entry = path.isRoot ? nil : try view.entry(at: path)
        settings = try database.retention()
        now = database.now
        index = 0
        try readStates(upTo: last, count: count)
        index = last.flatMap { last in states.firstIndex { $0.time <= last } } ?? (last == nil ? 0 : states.count)
    }

    /// Finds the commits at which the path may have changed. Those before the page are needed, too: a version is kept as long
    /// as any state that has it.
    private mutating func readStates(upTo last: Timestamp?, count: Int) throws {
        var own: [State] = []
        var wanted = count + 1
        var fault: (any Error)?
        try database.history.each(.register, path) { time, value in
            let isShown = last.map { time <= $0 } ?? true
            do {
                own.append(State(time: time, register: isShown ? try HistoryTable.decodeRegister(value) : nil, isRead: isShown))
            } catch {
                fault = error
            }
            if isShown { wanted -= 1 }
            return fault == nil && wanted > 0
        }
        if let fault { throw fault }
        let isWhole = wanted > 0
        let oldest = isWhole ? Timestamp.zero : own.last?.time ?? .zero
        let bulk = try database.history.bulkTimes(of: path, oldest...HistoryTable.allTimes.upperBound)
        let known = Set(own.map(\.time))
        states = own + bulk.subtracting(known).map { State(time: $0, register: nil, isRead: false) }
        states.sort { $0.time > $1.time }
        isComplete = isWhole
    }

    /// Whether the path's first state is among those that were read.
    private var isComplete = true
    /// Where there is more behind the states that were read; nil if that was all.
    var rest: Timestamp? { isComplete ? nil : states.last?.time }

    /// The register at a state.
    private mutating func register(_ index: Int) throws -> Register? {
        if states[index].isRead { return states[index].register }
        let time = states[index].time
        let history = database.history
        if let bytes = try history.table.value(of: HistoryTable.key(.register, path, time)) {
            states[index].register = try HistoryTable.decodeRegister(bytes)
        } else if let past = try history.commit(at: time), let commit = try history.commit(past.hash) {
            do {
                states[index].register = try commit.files.entry(at: path, in: database.nodes)?.register
            } catch let error as StoreError where error.code == .missing || error.code == .damaged {
                // Collected; a later commit may have been kept for this path, and what is left of its history is older or newer.
                let newer = index > 0 ? states[index - 1].time : nil
                states[index].register =
                    if let kept = try keptRegister(after: time, before: newer) { kept } else { index > 0 ? try register(index - 1) : nil }
            }
        }
        states[index].isRead = true
        return states[index].register
    }

    /// The register in the first state after a time that is kept for the path and can be read; nil if there is none. O(commits in between).
    ///
    /// - Parameter end: the path may have changed then; nil for no such time.
    private func keptRegister(after time: Timestamp, before end: Timestamp?) throws -> Register?? {
        let history = database.history
        var next = try history.nextTime(after: time)
        while let candidate = next, end.map({ candidate < $0 }) ?? true {
            next = try history.nextTime(after: candidate)
            guard settings.reason(for: path, from: candidate, until: next, now: now) != nil,
                let past = try history.commit(at: candidate), let commit = try history.commit(past.hash)
            else { continue }
            do {
                return .some(try commit.files.entry(at: path, in: database.nodes)?.register)
            } catch let error as StoreError where error.code == .missing || error.code == .damaged {}
        }
        return nil
    }

    /// The versions that came with the next older commit that brought any which are kept; nil at the end.
    mutating func next() throws -> [HistoryItem]? {
        while index < states.count {
            // The last one that was read is only there to compare with, unless it is the first of all.
            guard index < states.count - 1 || isComplete else { return nil }
            let place = index
            index += 1
            guard let register = try register(place) else { continue }
            let older = place + 1 < states.count ? try self.register(place + 1) : nil
            let new = register.versions.filter { older?.version($0.dot) == nil }.reversed()
            let kept = try new.filter { try isKept($0.dot, at: place) }
            guard !kept.isEmpty, let commit = try database.history.commit(at: states[place].time) else { continue }
            time = states[place].time
            return kept.map { version in
                HistoryItem(
                    path: path, version: version, commit: commit, status: status(version.dot),
                    reason: VersionReason.words(version, in: register, over: older, cause: commit.cause))
            }
        }
        return nil
    }

    private func status(_ dot: Dot) -> HistoryItem.Status {
        guard let entry else { return .replaced }
        if entry.losers.contains(where: { $0.dot == dot }) { return .conflict }
        return entry.register?.winner.dot == dot ? .current : .replaced
    }

    /// Whether any state that has a version is kept.
    private mutating func isKept(_ dot: Dot, at place: Int) throws -> Bool {
        var place = place
        while true {
            let until = place == 0 ? nil : states[place - 1].time
            if settings.reason(for: path, from: states[place].time, until: until, now: now) != nil { return true }
            guard place > 0, try register(place - 1)?.version(dot) != nil else { break }
            place -= 1
        }
        return try snapshotDots().contains(dot)
    }

    private mutating func snapshotDots() throws -> Set<Dot> {
        if let inSnapshots { return inSnapshots }
        var dots: Set<Dot> = []
        for root in Set(try database.snapshots().map(\.root)) {
            let tree = Subtree(root: root, aggregates: .zero)
            // One that is still being fetched keeps nothing yet.
            guard let register = try? tree.entry(at: path, in: database.nodes)?.register else { continue }
            for version in register.versions { dots.insert(version.dot) }
        }
        inSnapshots = dots
        return dots
    }
}

/// Why a version became the current one.
enum VersionReason {
    static func words(_ version: Version, in register: Register, over older: Register?, cause: String) -> String {
        let winner = register.winner
        guard winner.dot == version.dot else {
            if winner.value.hasSameContent(as: version.value) { return "has the same content as \(winner.dot)" }
            return "lost to \(winner.dot), \(advantage(of: winner, over: version)); kept as a conflict"
        }
        if cause.hasPrefix("resolve ") { return "picked to settle a conflict" }
        if let rival = register.losers.last { return "won over \(rival.dot): \(advantage(of: version, over: rival))" }
        guard let replaced = older?.winner else { return "the first version here" }
        return version.past.covers(replaced.dot) ? "written over \(replaced.dot)" : "came in the place of \(replaced.dot)"
    }

    private static func advantage(of winner: Version, over loser: Version) -> String {
        switch (winner.value, loser.value) {
        case (.directory, let other) where other != .directory: "a directory stands over a file"
        case (let mine, .tombstone) where !mine.isTombstone: "a change stands over a deletion"
        default: winner.dot.timestamp == loser.dot.timestamp ? "the higher node id at the same time" : "the later write"
        }
    }
}
