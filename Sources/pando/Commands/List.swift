import ArgumentParser
import Foundation
import HTTPClient

struct List: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "ls", abstract: "List directories.")

    @OptionGroup var options: GlobalOptions
    @OptionGroup var reading: ReadOptions

    @Flag(name: [.customShort("l"), .long], help: "Show kind, size, time and conflicts.")
    var long = false

    @Flag(name: [.customShort("r"), .customShort("R"), .long], help: "List everything below, too.")
    var recursive = false

    @Option(help: "Only what the pattern matches: '*' and '?' within a name, '**' for any names.")
    var glob: String?

    @Argument(help: "Directories or files on the node (default: /).", transform: { try RemotePath($0) })
    var paths: [RemotePath] = []

    func run() async throws {
        let paths = paths.isEmpty ? [RemotePath(path: "/")] : paths
        try await options.withClient { client in
            if options.json {
                try await printJSON(paths, client)
            } else {
                for (index, path) in paths.enumerated() {
                    if paths.count > 1 {
                        if index > 0 { Output.line("") }
                        Output.line(Output.shown(path.path) + ":")
                    }
                    try await printPlain(path, client)
                }
            }
        }
    }

    /// One document for all, written page by page.
    private func printJSON(_ paths: [RemotePath], _ client: PandoClient) async throws {
        var separator = "{\"items\":["
        let encoder = Output.encoder
        for path in paths {
            try await eachPage(path, client, as: JSONValue.self) { item, _ in item } body: { items in
                for item in items {
                    Output.write(Array(separator.utf8) + Array(try encoder.encode(item)))
                    separator = ",\n"
                }
            }
        }
        Output.line((separator.hasPrefix("{") ? separator : "") + "]}")
    }

    private func printPlain(_ path: RemotePath, _ client: PandoClient) async throws {
        let base = path.path == "/" ? "/" : path.path + "/"
        try await eachPage(path, client, as: ListItem.self) { _, item in item } body: { items in
            var table = Table([.left, .right, .left, .right, .left])
            for item in items {
                var name = recursive && item.path.hasPrefix(base) ? String(item.path.dropFirst(base.count)) : item.name
                name = Output.shown(name) + (item.kind == .directory ? "/" : "")
                if !long {
                    Output.line(name)
                    continue
                }
                if let target = item.target { name += " -> " + Output.shown(target) }
                let conflicts = item.conflicts ?? 0
                table.add(
                    mark(item), item.size.map(Output.size) ?? "-", Output.time(item.modifiedAt),
                    conflicts == 0 ? "" : Output.count(conflicts, "conflict"), name)
            }
            if long { table.print() }
        }
    }

    private func mark(_ item: ListItem) -> String {
        switch item.kind {
        case .directory: "dir"
        case .symlink: "link"
        case .file: item.executable == true ? "exec" : "file"
        }
    }

    /// Calls `body` with each page; a path that is a file makes a page of its own.
    private func eachPage<Item: Codable & Sendable>(
        _ path: RemotePath, _ client: PandoClient, as type: Item.Type,
        single: (JSONValue, ListItem) throws -> Item, body: ([Item]) throws -> Void
    ) async throws {
        if !path.isDirectory {
            let head = try await client.head(path.path, at: reading.at)
            if head.kind != .directory {
                let item = ListItem(head, name: path.name)
                try body([single(try JSONValue(encoding: item), item)])
                return
            }
        }
        var cursor: String?
        repeat {
            let page = try await client.list(
                path.path, recursive: recursive, glob: glob, at: reading.at, after: cursor, limit: 10_000, as: type)
            try body(page.items)
            cursor = page.next
        } while cursor != nil
    }
}
