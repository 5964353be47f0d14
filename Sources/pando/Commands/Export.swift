import Access
import ArgumentParser
import Causality
import Content
import FileDatabase
import Foundation
import HTTPClient
import Node
import Platform

struct Export: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "export", abstract: "Write a backup of a node into one file.",
        discussion: """
            Of the running node, or of a stopped one's data directory. Everything is checked while it is read. An export that broke \
            off goes on where it stopped when it is called again. 'pando import' makes a node from it.
            """)

    @OptionGroup var options: GlobalOptions

    @Option(help: ArgumentHelp("Export this state: a snapshot's name, a commit or a root (default: the newest).", valueName: "state"))
    var snapshot: String?

    @Option(help: ArgumentHelp(
        "Only what changed since this state, which can also be named by the backup file that was made of it.", valueName: "state"))
    var since: String?

    @Flag(help: "Put the node's private key into the backup, so that the import is this node again. Only of a stopped node. Keep the file secret.")
    var withIdentity = false

    @Argument(help: "The file; - for standard output.")
    var file: String

    func run() async throws {
        let directory = options.data ?? ProcessInfo.processInfo.environment["PANDO_DATA"] ?? "./pando-data"
        let isStopped = options.node == nil && LocalEndpoint.running(in: directory) == nil
            && FileManager.default.fileExists(atPath: directory + "/segments")
        if withIdentity, !isStopped {
            throw Failure("--with-identity exports a stopped node's directory: stop the node first and name its directory with --data")
        }
        if isStopped { return try await exportDirectory(directory) }
        let since = try base
        try await options.withClient { client in
            try await write(
                describe: {
                    // The first bytes say what an export would be of now.
                    var bytes: [UInt8] = []
                    for try await piece in try await client.export(state: snapshot, since: since) {
                        bytes += piece
                        if bytes.count >= BackupDescription.maximumSize { break }
                    }
                    return try BackupReader(bytes: bytes).description
                },
                source: { known, offset, sink in
                    let stream = try await client.export(
                        state: known.files.description, since: known.base?.description, commit: known.commit.description, offset: offset)
                    for try await bytes in stream { try sink(bytes) }
                })
        }
    }

    /// What the export is to go on from.
    private var base: String? {
        get throws {
            guard let since else { return nil }
            guard FileManager.default.fileExists(atPath: since) else { return since }
            do { return try BackupReader(path: since).description.files.description } catch { throw Failure("\(since): \(error)") }
        }
    }

    private func exportDirectory(_ directory: String) async throws {
        guard let key = try NodeKey.existing(directory: directory) else {
            throw Failure("no node has run in \(directory); name another directory with --data")
        }
        let since = try base
        let identity = withIdentity ? key.rawBytes : nil
        let database: FileDatabase
        do {
            database = try await BlockingThreads(count: 1, name: "export").run { try FileDatabase(directory: directory, actor: Actor(node: key.id)) }
        } catch {
            throw Failure("\(error)")
        }
        defer { database.close() }
        try await write(
            describe: { try BackupDescription.of(database, state: snapshot, since: since, identity: identity) },
            source: { known, offset, sink in try await BackupSource(database, known).write(from: offset) { try sink($0) } })
    }

    /// Writes a backup, or the rest of one that broke off.
    private func write(
        describe: () async throws -> BackupDescription,
        source: (_ of: BackupDescription, _ from: UInt64, _ sink: ([UInt8]) throws -> Void) async throws -> Void
    ) async throws {
        do {
            let wanted = try await describe()
            if file == "-" { return try await source(wanted, 0) { Output.write($0) } }
            guard !FileManager.default.fileExists(atPath: file) else {
                throw Failure("\(file) is there already; remove it, or name another file")
            }
            let progress = Progress(verb: "exported")
            let bytes = try await progress.show(isQuiet: options.json) {
                let part = try BackupPart(of: file) { found in
                    // The newest state may have moved on meanwhile; the one that was begun with is finished.
                    found.base == wanted.base && found.identity == wanted.identity && (snapshot == nil || found.files == wanted.files)
                }
                progress.update { $0.bytes = part.length }
                try await source(part.description ?? wanted, part.length) { bytes in
                    try part.append(bytes)
                    progress.update { $0.bytes += UInt64(bytes.count) }
                }
                return try part.finish()
            }
            if options.json { try Output.json(Result(file: file, bytes: bytes)) } else { Output.note("wrote \(file), \(Output.size(bytes))") }
        } catch let error as NodeError {
            throw Failure(error.reason)
        } catch let error as BackupError {
            throw Failure(error.reason)
        } catch let error as ClientError where error.status == 410 {
            throw Failure("\(error.detail); if \(file).part is there, remove it, and export anew")
        }
    }

    private struct Result: Encodable {
        var file: String
        var bytes: UInt64
    }
}
