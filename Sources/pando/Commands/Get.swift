import ArgumentParser
import HTTPClient

struct Get: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "get", abstract: "Fetch files and folders from the node.",
        usage: "pando get [-r] [--exact] [--at WHEN] REMOTE... LOCAL",
        discussion: """
            As with 'cp': where LOCAL is a folder, ends in '/', or several things are fetched, they go into it; else \
            LOCAL is the name of the copy. 'FOLDER/.' fetches what is in a folder. '-' is standard output. Only content that is not on the disk \
            is fetched, and a run that was cut off goes on where it stopped.
            """)

    @OptionGroup var options: GlobalOptions
    @OptionGroup var reading: ReadOptions

    @Flag(name: [.customShort("r"), .customShort("R"), .long], help: "Fetch folders with all that is in them.")
    var recursive = false

    @Flag(name: [.customShort("T"), .long], help: "LOCAL is the name of the copy even where it is a folder.")
    var exact = false

    @Argument(help: "Paths on the node, and the path on this machine.")
    var paths: [String]

    func validate() throws {
        if paths.count < 2 { throw ValidationError("give what to fetch and, last, where it goes on this machine") }
        if exact, paths.count > 2 { throw ValidationError("--exact is for one file or folder") }
        if paths.last == "-" {
            if recursive { throw ValidationError("a folder cannot go to standard output; give '-' without -r, or a folder of this machine") }
            if options.json { throw ValidationError("the content goes to standard output; leave --json out, or name a file") }
        }
    }

    private struct Report: Encodable {
        var files: UInt64
        var bytes: UInt64
        var receivedBytes: UInt64
        var seconds: Double
        var errors: [String]

        enum CodingKeys: String, CodingKey {
            case files, bytes, seconds, errors
            case receivedBytes = "received_bytes"
        }
    }

    func run() async throws {
        let remotes: [RemotePath]
        do {
            remotes = try paths.dropLast().map { try RemotePath($0) }
        } catch {
            throw ValidationError("\(error)")
        }
        let local = paths[paths.count - 1]
        try await options.withClient { client in
            if local == "-" { return try await Cat.write(remotes, at: reading.at, client) }
            let progress = Progress(verb: "fetched")
            let fetch = Fetch(client, at: reading.at, progress: progress)
            let roots = try await roots(remotes, local, client)
            for folder in roots.folders { fetch.trust(folder: folder) }
            var errors = roots.errors
            if !roots.items.isEmpty {
                roots.note?.begin()
                errors += try await progress.show(isQuiet: options.json && !Output.errorIsTerminal) {
                    try await fetch.run(roots.items)
                }
            }
            if options.json {
                let state = progress.current
                try Output.json(Report(
                    files: state.files, bytes: state.bytes, receivedBytes: state.sent, seconds: progress.seconds,
                    errors: errors))
            } else if !roots.items.isEmpty {
                Output.line(progress.summary)
            }
            for error in errors { Output.complain(Output.shown(error, isTerminal: Output.errorIsTerminal)) }
            if !errors.isEmpty { throw ExitCode.failure }
            roots.note?.end()
        }
    }

    // MARK: What goes where

    private struct Roots {
        var items: [RemoteItem] = []
        /// Folders that the user named and that are there.
        var folders: [String] = []
        var errors: [String] = []
        var note: InterruptedTransfer?
    }

    private func roots(_ remotes: [RemotePath], _ local: String, _ client: PandoClient) async throws -> Roots {
        var roots = Roots()
        let status = LocalFile.statusOfTarget(local)
        var base = local
        while base.count > 1, base.last == "/" { base.removeLast() }
        var goesInto = !exact && (remotes.count > 1 || local.hasSuffix("/") || status?.kind == .directory)
        if goesInto, let status, status.kind != .directory { throw Failure("\(local): is no folder, so nothing can go into it") }
        if status?.kind == .directory { roots.folders.append(base) }
        let isNew = status == nil
        var targets: Set<String> = []
        for remote in remotes {
            let head: FileHead
            do {
                head = remote.path == "/"
                    ? FileHead.root : try await client.head(remote.path, at: reading.at)
            } catch let error as ClientError where error.status == 404 {
                roots.errors.append("\(remote.path): not on the node")
                continue
            }
            if head.kind == .directory, !recursive {
                roots.errors.append("\(remote.path): is a directory; fetch it with -r")
                continue
            }
            if remotes.count == 1, head.kind == .directory, !exact, !local.hasSuffix("/") {
                let note = InterruptedTransfer(
                    node: client.url, source: remote.path, target: InterruptedTransfer.absolute(base))
                if isNew { roots.note = note }
                if !isNew, note.exists {
                    roots.note = note
                    goesInto = false
                }
            }
            let meansContent = head.kind == .directory && (remote.meansContent || remote.path == "/")
            let target = goesInto && !meansContent ? LocalFile.join(base, remote.name) : base
            guard targets.insert(target).inserted || meansContent else {
                throw ValidationError("two of the things to fetch would become \(target)")
            }
            roots.items.append(RemoteItem(item: ListItem(head, name: remote.name), local: target))
        }
        return roots
    }
}

extension FileHead {
    /// The directory that holds all, which every node has.
    fileprivate static var root: FileHead {
        FileHead(path: "/", kind: .directory)
    }
}
