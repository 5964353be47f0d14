import Causality
import Content
import Foundation
import Merkle
import Objects
import Platform
import Synchronization

extension FileDatabase {
    /// Removes what no kept state, reader or writer needs, and gives its room back. Blocks for minutes: on a thread of its own.
    /// Reads and writes go on beside it. `docs/decisions/0020-collection.md` has the steps.
    ///
    /// After an error, a cancellation or a crash nothing that is needed is missing, and the next collection goes on.
    ///
    /// - Throws: `DatabaseError`: `conflict` while another one runs; `damaged` where something that a kept state needs cannot be
    ///   read, so that what is below it is not known; `full`, `unavailable`.
    public func collect(
        _ options: CollectionOptions = CollectionOptions(), isCancelled: @escaping @Sendable () -> Bool = { false },
        progress: @escaping (CollectionProgress) -> Void = { _ in }
    ) throws -> CollectionReport {
        guard !isCollecting.exchange(true, ordering: .acquiring) else {
            throw DatabaseError(.conflict, "a collection is running already; wait for its end, or cancel it")
        }
        defer { isCollecting.store(false, ordering: .releasing) }
        let started = ContinuousClock.now
        var collection = CollectionRound(database: self, options: options, isCancelled: isCancelled, progress: progress)
        do {
            try asDatabaseErrors { try collection.run() }
        } catch is CollectionCancelled {
            store.acquit()
            collection.report.wasCancelled = true
            collection.report.remark = "it was cancelled before anything was removed"
        }
        collection.report.seconds = (ContinuousClock.now - started) / .seconds(1)
        return collection.report
    }
}

private struct CollectionCancelled: Error {}

/// One collection.
private struct CollectionRound {
    /// Between two looks at whether writers are done.
    private static let look = 0.01

    let database: FileDatabase
    let options: CollectionOptions
    let isCancelled: @Sendable () -> Bool
    let progress: (CollectionProgress) -> Void
    /// For the retention policy: one moment for all of the collection.
    let now: UInt64
    let marks = Marks()
    var report = CollectionReport()
    /// The times of the commits that stay.
    private var keptTimes: Set<Timestamp> = []
    /// The retention policy that was looked at.
    private var policy: Register?

    init(
        database: FileDatabase, options: CollectionOptions, isCancelled: @escaping @Sendable () -> Bool,
        progress: @escaping (CollectionProgress) -> Void
    ) {
        self.database = database
        self.options = options
        self.isCancelled = isCancelled
        self.progress = progress
        now = options.now ?? database.now
        report.isDryRun = options.isDryRun
    }

    private var store: ObjectStore { database.store }

    mutating func run() throws {
        // What comes from here on is not looked at. Taken before HEAD, so that HEAD's objects that are older are marked.
        let start = try store.startOfCollection()
        let head = database.head
        if head.hash == nil, try !store.objects(of: .commit).isEmpty {
            throw DatabaseError(.damaged, "there are commits, but none is known to be the newest; nothing is removed")
        }
        try mark()
        if options.isDryRun { return try tell(start) }
        // From here on whoever asks for what is not marked is told that it is not here, and writes it anew.
        store.condemn(before: start, except: marks)
        guard try wait(for: database.holds.turn()) else {
            store.acquit()
            return
        }
        // What was relied on before that has been committed by now, or never will be.
        try markAgain(since: start, after: head.commit.time)
        let use = try sweep(start, removes: true)
        // Only now: should it fail halfway, what is left of it must not pass for whole.
        store.acquit()
        try database.history.forget(except: keptTimes, upTo: head.commit.time)
        try compact(use)
    }

    // MARK: Marking

    private func walk() -> MarkWalk {
        var count: UInt64 = 0
        let (isCancelled, progress, marks) = (isCancelled, progress, marks)
        return MarkWalk(store: store, marks: marks) {
            count += 1
            guard count % 256 == 0 else { return }
            if isCancelled() { throw CollectionCancelled() }
            if count % 4096 == 0 { progress(CollectionProgress(phase: .mark, done: UInt64(marks.count), total: nil)) }
        }
    }

    private mutating func mark() throws {
        var walk = walk()
        var figures = ObjectFigures()
        if options.isDryRun {
            walk.note = { [store] hash, _ in
                if let location = try store.location(of: hash), !location.isHeld { figures.add(location) }
            }
        }
        var kept: [CollectionReport.Kept] = []
        /// Enters what was marked since the last call.
        func account(_ reason: String, states: Int) {
            let index = kept.firstIndex { $0.reason == reason } ?? kept.count
            if index == kept.count { kept.append(CollectionReport.Kept(reason: reason)) }
            kept[index].states += states
            kept[index].own.objects += figures.objects
            kept[index].own.bytes += figures.bytes
            figures = ObjectFigures()
        }
        policy = try retentionRegister()
        let head = try markHead(&walk)
        account(KeptReason.newest.rawValue, states: 1)
        var expired: [PastCommit] = []
        var expiredStates = 0
        try markStates(&walk, after: nil) { commit in
            expiredStates += 1
            if expired.count < CollectionReport.shownExpired { expired.append(commit) }
        } account: { state in
            account(state.scope.reason.rawValue, states: state.commit != nil && state.commit == head.hash ? 0 : 1)
        }
        report.expiredStates = expiredStates
        report.expired = expired.map { CollectionReport.Expired(commit: $0.hash, time: $0.time.microseconds, cause: $0.cause) }
        let held = try markHeld(&walk)
        if held > 0 { account("reader", states: held) }
        report.kept = kept
    }

    private func retentionRegister() throws -> Register? {
        try database.view.entry(at: FileDatabase.retentionPath, in: .system)?.register
    }

    private func markHead(_ walk: inout MarkWalk) throws -> Head {
        let head = database.head
        walk.strictness = .present
        if let hash = head.hash { walk.keep(hash) }
        for tree in Tree.allCases { try walk.markTree(head[tree].root) }
        return head
    }

    /// - Parameter last: commits up to this time have been marked.
    private mutating func markStates(
        _ walk: inout MarkWalk, after last: Timestamp?, letsGo: (PastCommit) -> Void, account: (KeptState) -> Void
    ) throws {
        walk.strictness = .past
        var times: [Timestamp] = []
        try database.eachKeptState(now: now, after: last, letsGo: letsGo) { state in
            if let commit = state.commit { walk.keep(commit) }
            if let time = state.timestamp { times.append(time) }
            if state.snapshot != nil, let past = try database.commit(of: state) {
                // Whose record costs little and tells history how the snapshot came to be.
                walk.keep(past.hash)
                times.append(past.time)
            }
            try walk.markTree(state.root, for: state.scope)
            account(state)
            return true
        }
        keptTimes.formUnion(times)
    }

    /// - Returns: how many roots lead to something that nothing else does.
    private func markHeld(_ walk: inout MarkWalk) throws -> Int {
        walk.strictness = .none
        let before = try database.holds.roots().filter { !isMarked($0) }
        for root in before { try walk.mark(root) }
        return before.count
    }

    private func isMarked(_ root: HeldRoot) -> Bool {
        switch root {
        case .tree(let hash): hash == TreeNode.empty.hash || marks.isWalked(hash)
        case .content(let content): content.height == 0 ? marks.contains(content.root) : marks.isWalked(content.root)
        case .commit: false
        }
    }

    private mutating func markAgain(since start: LogPosition, after time: Timestamp) throws {
        var walk = walk()
        _ = try markHead(&walk)
        // A policy that was set meanwhile may keep more of the older states, too.
        try markStates(&walk, after: try retentionRegister() == policy ? time : nil, letsGo: { _ in }, account: { _ in })
        _ = try markHeld(&walk)
        // Also what nothing leads to yet, such as trees that are put together beside HEAD.
        try walk.markNodes(try store.nodesAppended(since: start))
    }

    // MARK: Removing

    /// Waits for those who may rely on what they were told before.
    /// - Returns: false if they took too long.
    private mutating func wait(for epoch: UInt64) throws -> Bool {
        let deadline = ContinuousClock.now + options.patience
        while true {
            let open = database.holds.open(before: epoch)
            progress(CollectionProgress(phase: .wait, done: UInt64(open), total: nil))
            if open == 0 { return true }
            if isCancelled() { throw CollectionCancelled() }
            // Where there are no threads, nobody gets on while this waits.
            guard !database.threads.isInline, ContinuousClock.now < deadline else {
                report.remark = "\(open) uploads or syncs that were under way did not end in time; nothing was removed, and the next collection tries again"
                return false
            }
            Thread.sleep(forTimeInterval: CollectionRound.look)
        }
    }

    private mutating func sweep(_ start: LogPosition, removes: Bool) throws -> LogUse {
        let use = try store.sweep(before: start, except: marks, removes: removes) {
            progress(CollectionProgress(phase: .sweep, done: $0, total: nil))
        }
        report.live = use.liveSum
        report.dead = use.dead
        let bytes = try store.byteCount()
        report.dead.bytes = bytes > report.live.bytes ? bytes - report.live.bytes : 0
        return use
    }

    private mutating func tell(_ start: LogPosition) throws {
        let use = try sweep(start, removes: false)
        report.add(try store.expectedCompaction(use))
        (report.copiedBytes, report.readBytes) = (0, 0)
        note(use)
    }

    private mutating func compact(_ use: LogUse) throws {
        let compaction = try store.compact(use, bytesPerSecond: options.bytesPerSecond, isCancelled: isCancelled) {
            progress(CollectionProgress(phase: .compact, done: $0, total: $1))
        }
        report.add(compaction)
        if compaction.wasCancelled { report.remark = "it was cancelled; what is dead takes room until the next collection" } else { note(use) }
    }

    private mutating func note(_ use: LogUse) {
        guard report.segmentsRemoved == 0, report.dead.objects > 0, report.remark == nil else { return }
        report.remark = "so little of the log is dead that rewriting it is not worth it yet"
    }
}
