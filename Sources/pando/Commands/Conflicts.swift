import ArgumentParser
import HTTPClient

struct Conflicts: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "conflicts", abstract: "Show and decide conflicts.", subcommands: [Show.self, Resolve.self], defaultSubcommand: Show.self)

    struct Show: AsyncParsableCommand {
        static let configuration = CommandConfiguration(commandName: "list", abstract: "Show the conflicts.")

        @OptionGroup var options: GlobalOptions

        @Option(help: ArgumentHelp("Only conflicts at or below a path.", valueName: "prefix"))
        var under: String?

        @Option(help: ArgumentHelp(FolderConflicts.help, valueName: "dir"))
        var folder: String?

        func run() async throws {
            if let folder = try FolderConflicts.folder(folder, options) {
                let items = try await FolderConflicts.list(folder, under: try under.map { try FolderConflicts.path($0, in: folder) })
                if options.json { return try Output.json(["items": items]) }
                for conflict in try items.map({ try $0.decode(Conflict.self) }) { show(conflict) }
                if items.isEmpty { Output.note("no conflicts") }
                return
            }
            let under = try under.map { try Conflicts.path($0) }
            try await options.withClient { client in
                if options.json {
                    var items: [JSONValue] = []
                    try await Conflicts.eachPage(client, under: under, as: JSONValue.self) { items += $0 }
                    try Output.json(["items": items])
                    return
                }
                var isEmpty = true
                try await Conflicts.eachPage(client, under: under, as: Conflict.self) { conflicts in
                    for conflict in conflicts {
                        isEmpty = false
                        show(conflict)
                    }
                }
                if isEmpty { Output.note("no conflicts") }
            }
        }

        private func show(_ conflict: Conflict) {
            Output.line("\(Output.shown(conflict.path))  (\(conflict.kind))")
            var table = Table([.left, .left, .left, .right, .left, .left])
            let versions = (conflict.winner.map { [("winner", $0)] } ?? []) + conflict.losers.map { ("loser", $0) }
            for (role, version) in versions {
                table.add(
                    "  " + role, Output.time(version.timestamp), version.node.map { String($0.prefix(12)) } ?? "-",
                    version.deleted == true ? "deleted" : version.size.map(Output.size) ?? "-", version.version,
                    role == "loser" ? Output.shown(version.path ?? "") : "")
            }
            table.print()
        }
    }

    struct Resolve: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "resolve", abstract: "Decide conflicts.",
            discussion: """
                The versions that are not picked are dropped, on every node. In a synced folder, paths are taken from the working \
                directory, or with a slash in front as they are listed.
                """)

        @OptionGroup var options: GlobalOptions

        @Argument(help: "Paths with a conflict.")
        var paths: [String] = []

        @Option(help: ArgumentHelp("The version to keep: winner, loser, or a version's name.", valueName: "version"))
        var pick = "winner"

        @Flag(help: "Decide all conflicts.")
        var all = false

        @Option(help: ArgumentHelp("Decide all conflicts at or below a path.", valueName: "prefix"))
        var under: String?

        @Option(help: ArgumentHelp(FolderConflicts.help, valueName: "dir"))
        var folder: String?

        func validate() throws {
            guard paths.isEmpty == (all || under != nil) else {
                throw ValidationError(paths.isEmpty ? "give a path, --under PREFIX or --all" : "give paths or --all or --under, not both")
            }
            if paths.count != 1, pick != "winner", pick != "loser" {
                throw ValidationError("a version's name decides one path; --pick for several is winner or loser")
            }
        }

        func run() async throws {
            if let folder = try FolderConflicts.folder(folder, options) { return try await resolve(in: folder) }
            let named = try self.paths.map { try Conflicts.path($0) }
            let under = try under.map { try Conflicts.path($0) }
            try await options.withClient { client in
                var paths = named
                if all || under != nil {
                    try await Conflicts.eachPage(client, under: under, as: Conflict.self) { paths += $0.map(\.path) }
                }
                var resolved: [JSONValue] = []
                var failed = false
                for path in paths {
                    do {
                        resolved.append(try await client.resolve(path, pick: pick))
                        if !options.json { Output.line("resolved \(Output.shown(path))") }
                    } catch let error as ClientError where error.status != nil && error.status != 401 {
                        failed = true
                        Output.complain("\(Output.shown(path)): \(error.detail)")
                    }
                }
                if options.json { try Output.json(["items": resolved]) }
                if paths.isEmpty, !options.json { Output.note("no conflicts") }
                if failed { throw ExitCode.failure }
            }
        }
    }

    /// A path on the node as a person typed it.
    static func path(_ text: String) throws -> String {
        do {
            return try RemotePath(text).path
        } catch {
            throw ValidationError("\(error)")
        }
    }

    static func eachPage<Item: Decodable & Sendable>(
        _ client: PandoClient, under: String?, as type: Item.Type, _ body: ([Item]) throws -> Void
    ) async throws {
        var cursor: String?
        repeat {
            let page = try await client.conflicts(under: under, after: cursor, as: type)
            try body(page.items)
            cursor = page.next
        } while cursor != nil
    }
}
