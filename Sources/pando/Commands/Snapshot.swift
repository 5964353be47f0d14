import ArgumentParser
import Foundation
import HTTPClient

struct Snapshot: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "snapshot", abstract: "Name states of all files, and keep them.", subcommands: [Create.self, Show.self, Delete.self], defaultSubcommand: Show.self)

    struct Create: AsyncParsableCommand {
        static let configuration = CommandConfiguration(commandName: "create", abstract: "Name the present state.")

        @OptionGroup var options: GlobalOptions

        @Option(help: ArgumentHelp("A JSON value to keep with it.", valueName: "json"))
        var metadata: String?

        @Argument(help: "The name.")
        var name: String

        func run() async throws {
            let metadata = try self.metadata.map { text in
                do { return try JSONDecoder().decode(JSONValue.self, from: Data(text.utf8)) } catch {
                    throw ValidationError("--metadata is not valid JSON")
                }
            }
            try await options.withClient { client in
                let snapshot = try await client.makeSnapshot(name, metadata: metadata)
                if options.json { try Output.json(snapshot) } else { Output.line("made snapshot \(Output.shown(name))") }
            }
        }
    }

    struct Show: AsyncParsableCommand {
        static let configuration = CommandConfiguration(commandName: "list", abstract: "List the snapshots.")

        @OptionGroup var options: GlobalOptions

        func run() async throws {
            try await options.withClient { client in
                if options.json {
                    try Output.json(["items": try await client.snapshots(as: JSONValue.self)])
                    return
                }
                let snapshots: [SnapshotItem] = try await client.snapshots()
                if snapshots.isEmpty { return Output.note("no snapshots") }
                var table = Table([.left, .left, .right, .right, .right, .right], header: ["name", "made", "files", "size", "its own", "shared"])
                for snapshot in snapshots {
                    table.add(
                        Output.shown(snapshot.name) + (snapshot.isRival == true ? " (rival)" : ""), Output.time(snapshot.createdAt),
                        snapshot.files.map { "\($0)" } ?? "-", snapshot.size.map(Output.size) ?? "-",
                        snapshot.ownBytes.map(Output.size) ?? "-", snapshot.sharedBytes.map(Output.size) ?? "-")
                }
                table.print()
            }
        }
    }

    struct Delete: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "delete", abstract: "Forget snapshots, on every node.", discussion: "What only they kept is freed by the next garbage collection.")

        @OptionGroup var options: GlobalOptions

        @Argument(help: "Names.")
        var names: [String]

        func run() async throws {
            try await options.withClient { client in
                for name in names {
                    try await client.deleteSnapshot(name)
                    if !options.json { Output.line("deleted snapshot \(Output.shown(name))") }
                }
                if options.json { try Output.json(["deleted": names]) }
            }
        }
    }
}
