import Content
import FileDatabase
import Merkle
import Platform
import Synchronization

/// Keeps a folder and a server's tree the same.
///
/// One task does everything, step by step: it looks at the folder, exchanges changes, and brings into the folder what came. So no
/// step ever sees another half done.
public final class FolderSync: Sendable {
    public struct Options: Sendable {
        /// Whether deletions that would be held back are carried out, at the first pass.
        public var confirmsDeletions = false

        public init() {}
    }

    /// How long the folder has to be quiet before it is looked at, so that a burst becomes one commit,
    private static let quiet = Duration.milliseconds(40)
    /// and how long that may be put off.
    private static let longestBurst = Duration.seconds(2)
    /// A file that some program holds open is taken when it has not changed for so long.
    private static let restOfOpenFiles = Duration.seconds(2)
    /// What could not be settled is looked at again after this long, and ever more rarely.
    private static let again = Duration.milliseconds(250)
    private static let longestWait = Duration.seconds(5)
    /// All of the folder is looked at this often, in case the system has not told of something.
    private static let rescan = Duration.seconds(900)
    /// The same where the system tells of nothing.
    private static let rescanUnwatched = Duration.seconds(10)
    /// How often a running sync looks whether it is to pause, and whether what failed goes now.
    private static let tick = Duration.seconds(1)
    /// Passes in which the two sides have to come together.
    private static let maximumPasses = 64

    let state: FolderState
    let remote: any FolderRemote
    private let options: Options
    private let tell: @Sendable (FolderEvent) -> Void
    /// Whether the system does not tell of all changes.
    private let isUnwatched = Mutex(false)
    private let openFiles = OpenFiles(rest: FolderSync.restOfOpenFiles)

    /// - Parameter tell: told what happens; must not block.
    public init(
        state: FolderState, remote: any FolderRemote, options: Options = Options(), tell: @escaping @Sendable (FolderEvent) -> Void = { _ in }
    ) {
        self.state = state
        self.remote = remote
        self.options = options
        self.tell = tell
    }

    // MARK: Once

    /// Brings the two together, and ends.
    public func runOnce() async throws -> FolderSummary {
        var summary = FolderSummary()
        var directories: Set<UInt64>?
        for pass in 1...FolderSync.maximumPasses {
            let local = try await absorb(directories, isFirst: pass == 1)
            summary.add(local, isWhole: directories == nil)
            let exchanged = try await remote.exchange()
            summary.notices = summary.notices.filter { $0.kind != .kept } + exchanged.refused
            for refusal in exchanged.refused { tell(.notice(refusal)) }
            let placed = try await place(isFirst: pass == 1)
            summary.add(placed)
            try await state.keepLosers(from: remote)
            directories = local.unsettled.union(placed.dirty)
            let isQuiet = local.edits == 0 && exchanged.entries == 0 && placed.written == 0 && placed.deleted == 0
            if directories?.isEmpty == true, !placed.isIncomplete, isQuiet || pass > 1 && local.edits == 0 && exchanged.entries == 0 {
                summary.isInSync = summary.held.isEmpty && exchanged.refused.isEmpty
                break
            }
            if !local.unsettled.isEmpty || placed.isIncomplete { try await Sleep.wait(FolderSync.again) }
        }
        summary.conflicts = conflicts
        return summary
    }

    private var conflicts: UInt64 { state.database.head.commit.files.aggregates.conflicts }

    private func absorb(_ directories: Set<UInt64>?, isFirst: Bool, _ watcher: FolderWatcher? = nil) async throws -> LocalOutcome {
        if let directories, directories.isEmpty { return LocalOutcome() }
        let outcome = try await state.absorb(
            directories, confirmsDeletions: options.confirmsDeletions && isFirst, visit: { self.watch($0, $1, watcher) },
            takesOpen: { self.openFiles.isAtRest($0) })
        if outcome.unsettled.isEmpty { openFiles.forget() }
        for notice in outcome.notices { tell(.notice(notice)) }
        if let held = outcome.held { tell(.held(held)) }
        if outcome.edits > 0 || directories == nil { tell(.looked(names: outcome.looked, changes: outcome.edits)) }
        if outcome.edits > 0 { tell(.progress(FolderProgress(direction: .sending, files: outcome.edits, bytes: outcome.bytes))) }
        return outcome
    }

    private func watch(_ directory: DirectoryHandle, _ id: UInt64, _ watcher: FolderWatcher?) {
        guard let watcher, case .limitReached = watcher.watch(directory, as: id) else { return }
        let isNew = isUnwatched.withLock { isUnwatched in
            defer { isUnwatched = true }
            return !isUnwatched
        }
        guard isNew else { return }
        tell(.notice(FolderNotice(
            .skipped, ".", "the system watches no more than \(watcher.count) directories; the folder is looked at from time to time "
                + "instead. Raise fs.inotify.max_user_watches and start again")))
    }

    private func place(isFirst: Bool, _ watcher: FolderWatcher? = nil) async throws -> PlacementOutcome {
        let outcome = try await state.place(
            from: remote, confirmsDeletions: options.confirmsDeletions && isFirst, visit: { self.watch($0, $1, watcher) }
        ) { [tell] outcome in
            tell(.progress(FolderProgress(
                direction: .receiving, files: outcome.written + outcome.deleted, bytes: outcome.bytes, totalBytes: outcome.totalBytes)))
        }
        for notice in outcome.notices { tell(.notice(notice)) }
        if let held = outcome.held { tell(.held(held)) }
        return outcome
    }

    // MARK: Live

    /// Keeps the two the same until the task is cancelled, or the folder is not the one that it was.
    public func run() async throws {
        let inbox = Inbox()
        let watcher = FolderWatcher { inbox.add($0) }
        let observer = state.database.addObserver { _ in inbox.ring() }
        defer {
            state.database.removeObserver(observer)
            remote.stopLive()
        }
        var pass = Pass()
        remote.goLive()
        while !Task.isCancelled {
            do {
                try await step(&pass, inbox, watcher)
            } catch let error as FolderError where error.code == .folder || error.code == .state {
                throw error
            } catch is CancellationError {
                return
            } catch {
                let words = FolderSync.words(error)
                if pass.trouble != words { tell(.waiting(words)) }
                pass.trouble = words
                pass.retry = true
            }
            pass.tries = pass.retry ? pass.tries + 1 : 0
            try? await inbox.wait(upTo: pass.retry ? min(FolderSync.again * (1 << min(pass.tries, 5)), FolderSync.longestWait) : FolderSync.tick)
        }
    }

    /// Where a running sync stands.
    private struct Pass {
        var isFirst = true
        var isPaused = false
        /// Directories to be looked at; nil for all.
        var directories: Set<UInt64>?
        var lookedAt = ContinuousClock.now
        var offline: String?
        var trouble: String?
        var isInSync = false
        var refusals: Set<FolderNotice> = []
        /// The state of the tree that the folder shows, as far as it can.
        var placedRoot: ContentHash?
        /// Whether something is left that has to be tried again soon.
        var retry = false
        /// How often in a row.
        var tries = 0
    }

    private func step(_ pass: inout Pass, _ inbox: Inbox, _ watcher: FolderWatcher?) async throws {
        await FolderRequests(folder: state.layout.folder).answerAll(state)
        let isPaused = FolderPause.isSet(state.layout)
        if isPaused != pass.isPaused {
            pass.isPaused = isPaused
            tell(isPaused ? .paused : .resumed)
            if isPaused { remote.stopLive() } else { remote.goLive() }
        }
        if isPaused { return pass.retry = false }
        let trouble = remote.trouble
        if trouble != pass.offline {
            pass.offline = trouble
            tell(trouble.map { .offline($0) } ?? .online)
        }
        for refusal in remote.refusals where pass.refusals.insert(refusal).inserted { tell(.notice(refusal)) }
        await inbox.settle(FolderSync.quiet, longest: FolderSync.longestBurst)
        let (dirty, isWhole) = inbox.take()
        if isWhole || ContinuousClock.now - pass.lookedAt > rescanInterval(watcher) {
            pass.directories = nil
        } else if pass.directories != nil {
            pass.directories?.formUnion(dirty)
        }
        let directories = pass.directories
        let local = try await absorb(directories, isFirst: pass.isFirst, watcher)
        if directories == nil { pass.lookedAt = ContinuousClock.now }
        pass.directories = local.rulesChanged ? nil : local.unsettled
        let root = state.database.head.commit.files.root
        if root == pass.placedRoot, local.edits == 0, !pass.retry, local.rulesChanged == false, directories?.isEmpty == true { return }
        let placed = try await place(isFirst: pass.isFirst, watcher)
        pass.directories?.formUnion(placed.dirty)
        if placed.written + placed.deleted > 0 || local.edits > 0 { tell(.conflicts(conflicts)) }
        try await state.keepLosers(from: remote)
        pass.isFirst = false
        pass.trouble = nil
        pass.retry = pass.directories?.isEmpty == false || placed.isIncomplete
        pass.placedRoot = pass.retry ? nil : root
        for finding in state.chunks.takeFindings() { try note(finding, &pass) }
        let isInSync = pass.offline == nil && !pass.retry && local.held == nil && placed.held == nil
        if isInSync, !pass.isInSync { tell(.inSync) }
        pass.isInSync = isInSync && local.edits == 0
    }

    private func rescanInterval(_ watcher: FolderWatcher?) -> Duration {
        watcher == nil || isUnwatched.withLock({ $0 }) ? FolderSync.rescanUnwatched : FolderSync.rescan
    }

    /// What was noticed while a file's bytes were read to be sent.
    private func note(_ finding: FolderChunks.Finding, _ pass: inout Pass) throws {
        switch finding {
        case .changed(let file):
            if let place = try state.index.read({ try $0.place(of: file) }) { pass.directories?.insert(place.directory) }
        case .damaged(let file):
            guard let path = try state.index.read({ try $0.path(of: file) }) else { return }
            tell(.notice(FolderNotice(
                .damaged, path.tree.joined(separator: "/"),
                "its bytes have changed though its time has not; it is not sent. Restore it from a copy, or save it anew if it is right")))
        }
    }

    /// An error in words for people.
    public static func words(_ error: any Error) -> String {
        switch error {
        case let error as FolderError: error.reason
        case let error as DiskError where error.code == .full: "the disk is full; the sync goes on once there is room"
        case let error as DatabaseError where error.code == .full: "the disk is full; the sync goes on once there is room"
        default: "\(error)"
        }
    }
}

/// What the watcher has told and nobody has looked at.
private final class Inbox: Sendable {
    private struct State {
        var directories: Set<UInt64> = []
        var isWhole = false
        var last: ContinuousClock.Instant?
        var first: ContinuousClock.Instant?
        var isRung = false
        var waiting: CheckedContinuation<Void, Never>?
    }

    private let state = Mutex(State())

    func add(_ events: [WatchEvent]) {
        state.withLock { state in
            for event in events {
                switch event {
                case .changed(let directory, let name), .writing(let directory, let name):
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

/// Files that some program holds open, and since when they have been as they are.
private final class OpenFiles: Sendable {
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
