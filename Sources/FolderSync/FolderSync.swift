import Causality
import Content
import FileDatabase
import Merkle
import Objects
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
    static let quiet = Duration.milliseconds(40)
    /// and how long that may be put off.
    static let longestBurst = Duration.seconds(2)
    /// A file that some program holds open is taken when it has not changed for so long.
    private static let restOfOpenFiles = Duration.seconds(2)
    /// What could not be settled is looked at again after this long, and ever more rarely.
    static let again = Duration.milliseconds(250)
    static let longestWait = Duration.seconds(5)
    /// All of the folder is looked at this often, in case the system has not told of something.
    static let rescan = Duration.seconds(900)
    /// The same where the system tells of nothing.
    static let rescanUnwatched = Duration.seconds(10)
    /// How often a running sync looks whether it is to pause, and whether what failed goes now.
    static let tick = Duration.seconds(1)
    /// Passes in which the two sides have to come together.
    static let maximumPasses = 64

    let state: FolderState
    let remote: any FolderRemote
    let options: Options
    let tell: @Sendable (FolderEvent) -> Void
    /// Whether the system does not tell of all changes.
    let isUnwatched = Mutex(false)
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
        if FolderPause.isSet(state.layout) { throw FolderError(.paused, FolderSync.pausedWords) }
        var summary = FolderSummary()
        var directories: Set<UInt64>?
        let since = state.database.head.commit.time
        // Where it does not answer, the exchange says so; what was edited is noted all the same.
        try? await remote.meet()
        try await state.placeIgnoreLists(from: remote)
        var unsettled: [FolderNotice] = []
        for pass in 1...FolderSync.maximumPasses {
            let isConfirmed = options.confirmsDeletions && pass == 1
            let local = try await absorb(directories, confirmsDeletions: isConfirmed)
            summary.add(local, isWhole: directories == nil)
            let exchanged = try await remote.exchange()
            summary.notices = summary.notices.filter { $0.kind != .kept } + exchanged.refused
            for refusal in exchanged.refused { tell(.notice(refusal)) }
            let placed = try await place(confirmsDeletions: isConfirmed)
            summary.add(placed)
            try await state.keepLosers(from: remote)
            directories = local.unsettled.union(placed.dirty)
            unsettled = try unsettledNotices(local.unsettled, placed.dirty)
            let isQuiet = local.edits == 0 && exchanged.entries == 0 && placed.written == 0 && placed.deleted == 0
            if directories?.isEmpty == true, !placed.isIncomplete, isQuiet || pass > 1 && local.edits == 0 && exchanged.entries == 0 {
                summary.isInSync = summary.held.isEmpty && exchanged.refused.isEmpty
                break
            }
            if !local.unsettled.isEmpty || placed.isIncomplete { try await Sleep.wait(FolderSync.again) }
        }
        for notice in unsettled { tell(.notice(notice)) }
        summary.notices += unsettled
        summary.conflicts = conflicts
        discount(&summary, since: since)
        return summary
    }

    static let pausedWords = "the sync of this folder is paused; 'pando sync resume' ends that"

    /// What could not be brought together yet because somebody is at work on it.
    func unsettledNotices(_ unsettled: Set<UInt64>, _ dirty: Set<UInt64>) throws -> [FolderNotice] {
        let open = openFiles.waiting(in: unsettled)
        var notices = open.map { FolderNotice(.skipped, $0.path, "is being written; it is sent once it is at rest") }
        for directory in unsettled.subtracting(open.map(\.directory)).union(dirty).sorted() {
            guard let path = try state.index.read({ try $0.path(of: directory) })?.tree.joined(separator: "/") else { continue }
            notices.append(FolderNotice(.skipped, path.isEmpty ? "." : path, "something in it changes all the time; it goes on once that is at rest"))
        }
        return notices
    }

    /// Takes out of what was sent what the server did not take.
    ///
    /// - Parameter since: the newest state of the tree before the edits that are counted.
    func discount(_ summary: inout FolderSummary, since: Timestamp) {
        let view = state.database.view
        for notice in summary.notices where notice.kind == .kept {
            let versions = (try? TreePath("/" + notice.path)).flatMap { try? view.entry(at: $0) }?.register?.versions ?? []
            // One from before was counted then.
            guard let own = versions.first(where: { $0.dot.actor == state.database.actor && $0.dot.timestamp > since }) else { continue }
            summary.sentFiles = max(0, summary.sentFiles - 1)
            switch own.value {
            case .tombstone: summary.sentDeletions = max(0, summary.sentDeletions - 1)
            case .file(let file): summary.sentBytes -= min(summary.sentBytes, file.content.size)
            case .symlink, .directory: break
            }
        }
    }

    var conflicts: UInt64 { state.database.head.commit.files.aggregates.conflicts }

    func absorb(_ directories: Set<UInt64>?, confirmsDeletions: Bool, _ watcher: FolderWatcher? = nil) async throws -> LocalOutcome {
        if let directories, directories.isEmpty { return LocalOutcome() }
        openFiles.beginLook()
        var told = LocalOutcome()
        let outcome = try await state.absorb(
            directories, confirmsDeletions: confirmsDeletions, visit: { self.watch($0, $1, watcher) },
            takesOpen: { self.openFiles.isAtRest($0) }
        ) { outcome in
            tell(.progress(FolderProgress(
                direction: .sending, files: outcome.edits - told.edits, bytes: outcome.bytes - told.bytes,
                totalFiles: UInt64(outcome.totalFiles), totalBytes: outcome.totalBytes)))
            told = outcome
        }
        if outcome.unsettled.isEmpty { openFiles.forget() }
        for notice in outcome.notices { tell(.notice(notice)) }
        if let held = outcome.held { tell(.held(held)) }
        if outcome.edits > 0 || directories == nil { tell(.looked(names: outcome.looked, changes: outcome.edits)) }
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

    func place(confirmsDeletions: Bool, _ watcher: FolderWatcher? = nil) async throws -> PlacementOutcome {
        let outcome = try await state.place(
            from: remote, confirmsDeletions: confirmsDeletions, visit: { self.watch($0, $1, watcher) }
        ) { [tell] outcome in
            tell(.progress(FolderProgress(
                direction: .receiving, files: outcome.written + outcome.deleted, bytes: outcome.bytes, totalBytes: outcome.totalBytes)))
        }
        for notice in outcome.notices { tell(.notice(notice)) }
        if let held = outcome.held { tell(.held(held)) }
        return outcome
    }

    /// An error in words for people.
    public static func words(_ error: any Error) -> String {
        let isFull =
            switch error {
            case let error as FolderError: error.code == .full
            case let error as DiskError: error.code == .full
            case let error as StoreError: error.code == .full
            case let error as DatabaseError: error.code == .full
            default: false
            }
        return isFull ? "the disk is full; with more room the sync goes on where it stopped" : "\(error)"
    }
}
