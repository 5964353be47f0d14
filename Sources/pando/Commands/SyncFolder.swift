import ArgumentParser
import FileDatabase
import FolderSync
import Foundation
import Merkle
import Objects
import Platform
import UnixSignals

struct SyncFolder: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "folder",
        abstract: "Keep a folder and a node the same, both ways.",
        usage: "pando sync FOLDER [URL] [--path GLOB]... [--once] [--dry-run] [--yes-delete]",
        discussion: """
            The first time, the folder is paired with the node at URL, for which there must be a key: of 'pando login', or in \
            PANDO_KEY. What both have stays, and where they differ both versions are kept. Everything that is needed for it stands \
            in FOLDER/.pando. A file .pandoignore says what is left out, by the rules of .gitignore.

            With another URL, a node of the same cluster takes the place of the one before: the cluster has moved, or another of its \
            nodes is nearer.

            With --once, a sync of the folder that is running already brings the two together.

            A change that would delete more than 1,000 files, or more than half of ten or more, is held until it is confirmed \
            with --yes-delete.
            """)

    @Argument(help: "The folder.")
    var folder: String

    @Argument(help: "The node's address; needed the first time.")
    var url: String?

    @Option(name: .customLong("path"), help: ArgumentHelp("What of the tree the folder takes part in (can be given several times; default: all).", valueName: "glob"))
    var paths: [String] = []

    @Flag(help: "Bring the two together, and end.")
    var once = false

    @Flag(name: [.customLong("dry-run"), .customLong("preview")], help: "Say what would be done, and change nothing.")
    var dryRun = false

    @Flag(help: "Carry out deletions that would be held.")
    var yesDelete = false

    @Option(help: ArgumentHelp("Say why a path is ignored or not, and whose version it has.", valueName: "path"))
    var explain: String?

    @Option(help: ArgumentHelp("Send no more than so many bytes a second: a number, with K, M or G.", valueName: "rate"))
    var limitUp: ByteRate?

    @Option(help: ArgumentHelp("Receive no more than so many bytes a second.", valueName: "rate"))
    var limitDown: ByteRate?

    @Flag(help: "Pair a folder anew that has lost its .pando.")
    var new = false

    @Flag(help: "Print JSON: an event a line.")
    var json = false

    func run() async throws {
        // It runs beside somebody's work all day.
        ProcessLimits.keepHeapSmall()
        ProcessLimits.keepLargePieces()
        let folder = try PairedFolder.path(folder)
        if let explain { return try await self.explain(explain, folder) }
        let paths = paths.isEmpty ? nil : try paths.map { try Glob($0).description }
        if once, !dryRun, let process = FolderSession.process(syncing: folder) { return try await askOnce(folder, process) }
        let session = try await FolderSession.open(
            folder: folder, url: url, paths: paths, isNew: new, isTrial: dryRun, limitUp: limitUp?.bytes, limitDown: limitDown?.bytes)
        let result: Result<Void, any Error>
        do {
            try await work(session)
            result = .success(())
        } catch {
            result = .failure(error is FolderError || error is DiskError || error is StoreError || error is DatabaseError ? Failure(FolderSync.words(error)) : error)
        }
        await session.close()
        try result.get()
    }

    private func work(_ session: FolderSession) async throws {
        let display = FolderDisplay(json: json, traffic: { session.traffic })
        var options = FolderSync.Options()
        options.confirmsDeletions = yesDelete
        let sync = FolderSync(state: session.state, remote: session.remote, options: options, tell: { display.show($0) })
        if dryRun { return try display.show(try await sync.preview(), rate: session.lastRate) }
        if once {
            let summary = try await display.live { try await sync.runOnce() }
            session.noteRate()
            try display.show(summary)
            if !summary.isInSync { throw ExitCode.failure }
            return await session.collectIfDue()
        }
        session.startCare()
        display.note("keeping \(session.folder) and \(session.url) the same; Ctrl-C ends it")
        try await display.live {
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { try await sync.run() }
                group.addTask {
                    for await _ in await UnixSignalsSequence(trapping: .sigterm, .sigint) { return }
                }
                defer { group.cancelAll() }
                try await group.next()
            }
        }
    }

    /// Has the sync that runs bring the two together.
    private func askOnce(_ folder: String, _ process: Int) async throws {
        if let url = try url.map({ try Connection.normalise($0) }), let known = try Pairing.of(folder: folder), known.url != url {
            throw Failure("\(folder) is being synced with \(known.url), by process \(process); end that first to sync it with \(url)")
        }
        let answer = try await FolderRequests(folder: folder).ask(.once(confirmsDeletions: yesDelete), of: process)
        guard let summary = answer.summary else { throw Failure(answer.error ?? "the sync that runs gives no answer") }
        let display = FolderDisplay(json: json, traffic: { (0, 0) })
        for notice in summary.notices { display.show(.notice(notice)) }
        for held in summary.held { display.show(.held(held)) }
        try display.show(summary)
        if !summary.isInSync { throw ExitCode.failure }
    }

    private func explain(_ text: String, _ folder: String) async throws {
        let path = try FolderSession.treePath(text, in: folder)
        let pairing = try Pairing.of(folder: folder)
        var explanation = FolderExplanation()
        explanation.ignore = try FolderState.ignoreDecision(path, folder: folder)
        explanation.isReserved = FolderState.isReserved(path)
        var isComplete = false
        if pairing != nil {
            do {
                explanation = try await FolderSession.explain(path, in: folder)
                isComplete = true
            } catch is DirectoryInUse {
                // A sync is running, and only it knows.
            }
        }
        try FolderDisplay.show(explanation, path, json: json)
        if pairing == nil {
            Output.note("\(folder) is not paired; its versions are not known")
        } else if !isComplete {
            Output.note("a sync of \(folder) is running; stop it to see whose version this is")
        }
    }
}

struct SyncPause: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "pause", abstract: "Have the sync of a folder rest until 'pando sync resume'.")

    @Argument(help: "The folder.")
    var folder: String

    func run() throws {
        let folder = try PairedFolder.path(folder)
        try PairedFolder.requirePairing(folder)
        try FolderPause.set(true, folder: folder)
        Output.line("paused \(folder)")
    }
}

struct SyncResume: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "resume", abstract: "End the rest of 'pando sync pause'.")

    @Argument(help: "The folder.")
    var folder: String

    func run() throws {
        let folder = try PairedFolder.path(folder)
        try PairedFolder.requirePairing(folder)
        try FolderPause.set(false, folder: folder)
        Output.line("resumed \(folder)")
    }
}
