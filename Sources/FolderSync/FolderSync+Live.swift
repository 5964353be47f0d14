import Causality
import Content
import FileDatabase
import Merkle
import Platform
import Synchronization

extension FolderSync {
    /// Keeps the two the same until the task is cancelled, or the folder is not the one that it was.
    public func run() async throws {
        let inbox = Inbox()
        let watcher = FolderWatcher { inbox.add($0) }
        _ = try OperatingSystemDisk(path: state.layout.requests)
        _ = watcher?.watch(try DirectoryHandle(path: state.layout.requests), as: Inbox.requests)
        let observer = state.database.addObserver { _ in inbox.ring() }
        defer {
            state.database.removeObserver(observer)
            remote.stopLive()
        }
        var pass = Pass()
        if !FolderPause.isSet(state.layout) {
            try? await remote.meet()
            remote.goLive()
        }
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
        /// Requests to bring the two together that are not answered yet, and what was done since they came.
        var waiting: [String] = []
        var summary = FolderSummary()
        /// The newest state of the tree when the first of them came.
        var since = Timestamp.zero
        /// Whether one of them confirms deletions.
        var confirmsDeletions = false
        /// Whether deletions made here are held. A look at some directories finds nothing of those in others.
        var isHolding = false
    }

    private func step(_ pass: inout Pass, _ inbox: Inbox, _ watcher: FolderWatcher?) async throws {
        let (waiting, confirmsDeletions) = await requests.answerAll(state)
        if pass.waiting.isEmpty { pass.since = state.database.head.commit.time }
        pass.waiting += waiting
        pass.confirmsDeletions = pass.confirmsDeletions || confirmsDeletions
        let isPaused = FolderPause.isSet(state.layout)
        if isPaused != pass.isPaused {
            pass.isPaused = isPaused
            tell(isPaused ? .paused : .resumed)
            if isPaused { remote.stopLive() } else { remote.goLive() }
        }
        if isPaused {
            answer(&pass, FolderSync.pausedWords)
            return pass.retry = false
        }
        let trouble = remote.trouble
        if trouble != pass.offline {
            pass.offline = trouble
            tell(trouble.map { .offline($0) } ?? .online)
        }
        for refusal in remote.refusals where pass.refusals.insert(refusal).inserted { tell(.notice(refusal)) }
        if pass.waiting.isEmpty {
            await inbox.settle(FolderSync.quiet, longest: FolderSync.longestBurst)
        } else {
            // What was done before the request is to be seen.
            await inbox.catchUp(in: state.layout)
        }
        let (dirty, isWhole) = inbox.take()
        if isWhole || ContinuousClock.now - pass.lookedAt > rescanInterval(watcher) || pass.isHolding && !pass.waiting.isEmpty {
            pass.directories = nil
        } else if pass.directories != nil {
            pass.directories?.formUnion(dirty)
        }
        let directories = pass.directories
        if pass.isFirst {
            do {
                try await state.placeIgnoreLists(from: remote)
            } catch {
                answer(&pass, FolderSync.words(error))
                throw error
            }
        }
        let isConfirmed = pass.isFirst && options.confirmsDeletions || pass.confirmsDeletions
        let local = try await absorb(directories, confirmsDeletions: isConfirmed, watcher)
        if directories == nil { pass.lookedAt = ContinuousClock.now }
        if directories == nil || local.held != nil { pass.isHolding = local.held != nil }
        pass.directories = local.rulesChanged ? nil : local.unsettled
        if !pass.waiting.isEmpty {
            pass.summary.add(local, isWhole: directories == nil)
            do {
                pass.summary.notices = pass.summary.notices.filter { $0.kind != .kept } + (try await remote.exchange().refused)
            } catch {
                answer(&pass, FolderSync.words(error))
                throw error
            }
        }
        let root = state.database.head.commit.files.root
        if pass.waiting.isEmpty, root == pass.placedRoot, local.edits == 0, !pass.retry, local.rulesChanged == false, directories?.isEmpty == true { return }
        let placed = try await place(confirmsDeletions: isConfirmed, watcher)
        // What comes after it was not seen by who confirmed.
        pass.confirmsDeletions = false
        pass.directories?.formUnion(placed.dirty)
        if placed.written + placed.deleted > 0 || local.edits > 0 { tell(.conflicts(conflicts)) }
        try await state.keepLosers(from: remote)
        pass.isFirst = false
        pass.trouble = nil
        pass.retry = pass.directories?.isEmpty == false || placed.isIncomplete
        pass.placedRoot = pass.retry ? nil : root
        for finding in state.chunks.takeFindings() { try note(finding, &pass) }
        let isInSync = pass.offline == nil && !pass.retry && !pass.isHolding && placed.held == nil
        if isInSync, !pass.isInSync { tell(.inSync) }
        pass.isInSync = isInSync && local.edits == 0
        if !pass.waiting.isEmpty {
            pass.summary.add(placed)
            if !pass.retry || pass.tries > FolderSync.maximumPasses {
                pass.summary.notices += try unsettledNotices(local.unsettled, placed.dirty)
                answer(&pass)
            }
        }
    }

    private var requests: FolderRequests { FolderRequests(folder: state.layout.folder) }

    /// Tells those who wait what became of it.
    private func answer(_ pass: inout Pass, _ error: String? = nil) {
        var answer = FolderAnswer()
        if let error {
            answer.error = error
        } else {
            pass.summary.conflicts = conflicts
            discount(&pass.summary, since: pass.since)
            pass.summary.isInSync = !pass.retry && pass.summary.held.isEmpty && !pass.summary.notices.contains { $0.kind == .kept }
            answer.summary = pass.summary
        }
        for request in pass.waiting { requests.send(answer, to: request) }
        pass.waiting = []
        pass.confirmsDeletions = false
        pass.summary = FolderSummary()
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
}
