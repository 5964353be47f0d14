import ArgumentParser
import HTTPClient

struct Log: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "log", abstract: "Show the versions of a file, or of all files below a directory.",
        discussion: "The latest arrival on this node comes first. Read an earlier version with 'pando cat PATH --at COMMIT'.")

    @OptionGroup var options: GlobalOptions

    @Option(name: [.customShort("n"), .long], help: "Show so many versions at the most.")
    var limit = 1000

    @Flag(name: [.customShort("l"), .long], help: "Show the commits and versions in full.")
    var long = false

    @Argument(help: "A path on the node (default: /).", transform: { try RemotePath($0) })
    var path = RemotePath(path: "/")

    func validate() throws {
        guard limit > 0 else { throw ValidationError("--limit is above 0") }
    }

    func run() async throws {
        try await options.withClient { client in
            if options.json {
                try Output.json(["items": try await pages(client, as: JSONValue.self)])
                return
            }
            let items: [HistoryVersion] = try await pages(client)
            if long {
                for item in items { show(item) }
                return
            }
            var table = Table([.left, .left, .right, .left, .left, .left])
            for item in items {
                table.add(
                    Output.time(item.timestamp), String(item.node.prefix(12)), item.deleted ? "deleted" : item.size.map(Output.size) ?? "-",
                    item.status, Output.shown(item.path), item.reason)
            }
            table.print()
        }
    }

    private func show(_ item: HistoryVersion) {
        Output.line("version \(item.version)  (\(item.status))")
        var table = Table([.left, .left])
        table.add("  path", Output.shown(item.path))
        table.add("  written", "\(Output.time(item.timestamp)) on \(item.node)")
        table.add("  here", Output.time(item.arrivedAt) + (item.cause.map { " by \(Output.shown($0))" } ?? ""))
        table.add("  why", item.reason)
        table.add("  size", item.deleted ? "deleted" : item.size.map(Output.size) ?? "-")
        if let hash = item.contentHash { table.add("  content", hash) }
        if let commit = item.commit { table.add("  commit", commit) }
        table.print()
    }

    private func pages<Item: Decodable & Sendable>(_ client: PandoClient, as type: Item.Type = Item.self) async throws -> [Item] {
        var items: [Item] = []
        var cursor: String?
        repeat {
            let page = try await client.history(of: path.path, after: cursor, limit: min(limit - items.count, 10_000), as: type)
            items += page.items
            cursor = page.next
        } while cursor != nil && items.count < limit
        return items
    }
}
