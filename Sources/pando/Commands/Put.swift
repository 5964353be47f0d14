import ArgumentParser
import Foundation
import HTTPClient

struct Put: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "put", abstract: "Send files and folders to the node.",
        usage: "pando put [-r] [--exact] LOCAL... REMOTE",
        discussion: """
            As with 'cp': where REMOTE is a directory, ends in '/', or several things are sent, they go into it; else \
            REMOTE is the name of the copy. 'FOLDER/.' sends what is in a folder. '-' is standard input. Links are kept \
            as links. Only content that the node lacks is sent, and a run that was cut off goes on where it stopped.
            """)

    @OptionGroup var options: GlobalOptions

    @Flag(name: [.customShort("r"), .customShort("R"), .long], help: "Send folders with all that is in them.")
    var recursive = false

    @Flag(name: [.customShort("T"), .long], help: "REMOTE is the name of the copy even where it is a directory.")
    var exact = false

    @Argument(help: "Files and folders of this machine, and the path on the node.")
    var paths: [String]

    func validate() throws {
        if paths.count < 2 { throw ValidationError("give what to send and, last, the path on the node") }
        if exact, paths.count > 2 { throw ValidationError("--exact is for one file or folder") }
    }

    private struct Report: Encodable {
        var files: UInt64
        var bytes: UInt64
        var sentBytes: UInt64
        var created: Int
        var replaced: Int
        var unchanged: Int
        var seconds: Double
        var errors: [String]

        enum CodingKeys: String, CodingKey {
            case files, bytes, created, replaced, unchanged, seconds, errors
            case sentBytes = "sent_bytes"
        }
    }

    func run() async throws {
        let remote: RemotePath
        do {
            remote = try RemotePath(paths[paths.count - 1])
        } catch {
            throw ValidationError("\(error)")
        }
        try await options.withClient { client in
            let roots = try await roots(to: remote, client)
            let progress = Progress(verb: "sent")
            var outcome = Upload.Outcome()
            if !roots.items.isEmpty {
                roots.note?.begin()
                outcome = try await progress.show(isQuiet: options.json && !Output.errorIsTerminal) {
                    try await Upload(client, progress: progress).run(roots.items)
                }
            }
            outcome.errors = roots.errors + outcome.errors
            if options.json {
                let state = progress.current
                try Output.json(Report(
                    files: state.files, bytes: state.bytes, sentBytes: state.sent, created: outcome.created,
                    replaced: outcome.replaced, unchanged: outcome.unchanged, seconds: progress.seconds,
                    errors: outcome.errors))
            } else if !roots.items.isEmpty {
                Output.line(progress.summary)
            }
            for error in outcome.errors { Output.complain(Output.shown(error, isTerminal: Output.errorIsTerminal)) }
            if !outcome.errors.isEmpty { throw ExitCode.failure }
            roots.note?.end()
        }
    }

    // MARK: What goes where

    private struct Roots {
        var items: [LocalItem] = []
        var errors: [String] = []
        var note: InterruptedTransfer?
    }

    private func roots(to remote: RemotePath, _ client: PandoClient) async throws -> Roots {
        var roots = Roots()
        let locals = paths.dropLast()
        let kind: FileKind? = remote.path == "/" ? .directory : try await client.kind(of: remote.path)
        var goesInto = !exact && (locals.count > 1 || remote.isDirectory || kind == .directory)
        if goesInto, kind == .file || kind == .symlink {
            throw Failure("\(remote.path) is a file on the node, so nothing can go into it")
        }
        if let only = locals.first, locals.count == 1, recursive, !exact, !remote.isDirectory, isFolder(only) {
            let note = InterruptedTransfer(
                node: client.url, source: InterruptedTransfer.absolute(only), target: remote.path)
            if kind == nil { roots.note = note }
            if kind == .directory, note.exists {
                roots.note = note
                goesInto = false
            }
        }
        var targets: Set<String> = []
        for local in locals {
            guard let item = try item(local, to: remote, goesInto: goesInto, &roots.errors) else { continue }
            guard targets.insert(item.remote).inserted else {
                throw ValidationError("two of the things to send would become \(item.remote)")
            }
            roots.items.append(item)
        }
        return roots
    }

    private func isFolder(_ local: String) -> Bool {
        (try? LocalFile.status(of: local))?.kind == .directory
    }

    private func item(
        _ local: String, to remote: RemotePath, goesInto: Bool, _ errors: inout [String]
    ) throws -> LocalItem? {
        if local == "-" {
            if goesInto { throw ValidationError("standard input needs the name of a file on the node, not a directory") }
            return LocalItem(kind: .standardInput, local: "standard input", remote: remote.path)
        }
        // 'LINK/' is what the link leads to, as everywhere.
        let status = local.hasSuffix("/") ? LocalFile.statusOfTarget(local) : try LocalFile.status(of: local)
        guard let status else {
            errors.append("\(local): no such file or directory")
            return nil
        }
        if status.kind == .directory, !recursive {
            errors.append("\(local): is a folder; send it with -r")
            return nil
        }
        let name = LocalFile.name(of: local).precomposedStringWithCanonicalMapping
        let meansContent = status.kind == .directory && (local.hasSuffix("/.") || name.isEmpty)
        let target = goesInto && !meansContent ? remote.appending(name) : remote.path
        do {
            return LocalItem(kind: .file, local: local, remote: try RemotePath(target).path)
        } catch {
            errors.append("\(local): \(error)")
            return nil
        }
    }
}
