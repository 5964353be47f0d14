import ArgumentParser
import Content
import Foundation
import Node
import Platform

struct Import: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "import", abstract: "Make a node's data directory from backups.",
        discussion: """
            Name the whole backup first and then those that go on from it, in their order. The directory must not be there yet. A damaged \
            backup is refused with the place of the damage, and nothing is made then. 'pando serve' runs the node.
            """)

    @Option(help: ArgumentHelp("The data directory to make (also PANDO_DATA).", valueName: "dir"))
    var data: String?

    @Flag(help: "Only check the backups.")
    var check = false

    @Flag(help: "Print JSON.")
    var json = false

    @Argument(help: "The backups; - for standard input.")
    var files: [String]

    func validate() throws {
        if !check, data == nil, ProcessInfo.processInfo.environment["PANDO_DATA"]?.isEmpty != false {
            throw ValidationError("name the data directory to make with --data")
        }
    }

    func run() async throws {
        do {
            if check { return try checkAll() }
            let directory = data ?? ProcessInfo.processInfo.environment["PANDO_DATA"] ?? ""
            let progress = Progress(verb: "imported")
            let summary = try await progress.show(isQuiet: json) {
                try await BackupImport(paths: files.map { $0 == "-" ? nil : $0 }, directory: directory).run { bytes in
                    progress.update { $0.bytes += bytes }
                }
            }
            if json { return try Output.json(summary) }
            Output.line("imported \(Output.count(summary.files, "file")) into \(directory), root \(summary.root)")
            if let node = summary.nodeID {
                Output.line("it is node \(node.prefix(12)) again: 'pando serve --data \(directory)' runs it, and it syncs with its cluster")
                Output.line("never run the old directory beside it")
            } else {
                Output.line("it has no identity yet: 'pando serve --data \(directory)' makes a node and a cluster of its own,")
                Output.line("and with '--join URL --join-token INVITATION' a new member of a cluster ('pando invite' on one of its nodes)")
            }
        } catch let error as BackupError {
            throw Failure(error.reason)
        } catch let error as DirectoryInUse {
            throw Failure(error.description)
        }
    }

    private func checkAll() throws {
        for file in files {
            let reader = try BackupReader(path: file == "-" ? nil : file)
            var objects = 0
            while let batch = try reader.next() {
                for object in batch { _ = try object.checked(in: file) }
                objects += batch.count
            }
            let base = reader.description.base.map { ", since \($0)" } ?? ""
            if json {
                try Output.json(Checked(
                    file: file, objects: objects, bytes: reader.offset, root: reader.description.files.description,
                    since: reader.description.base?.description, hasIdentity: reader.description.identity != nil))
            } else {
                Output.line("\(file): whole, \(Output.count(objects, "object")), \(Output.size(reader.offset)), root \(reader.description.files)\(base)")
            }
        }
    }

    private struct Checked: Encodable {
        var file: String
        var objects: Int
        var bytes: UInt64
        var root: String
        var since: String?
        var hasIdentity: Bool

        private enum CodingKeys: String, CodingKey {
            case file, objects, bytes, root, since
            case hasIdentity = "has_identity"
        }
    }
}
