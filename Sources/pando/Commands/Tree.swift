import ArgumentParser
import HTTPClient

struct Tree: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "tree", abstract: "Show directories as a tree.")

    @OptionGroup var options: GlobalOptions
    @OptionGroup var reading: ReadOptions

    @Option(name: [.customShort("L"), .customLong("depth")], help: "How many levels to show.")
    var depth: Int?

    @Argument(help: "A directory on the node.", transform: { try RemotePath($0) })
    var path = RemotePath(path: "/")

    func validate() throws {
        if let depth, depth < 1 { throw ValidationError("--depth must be at least 1") }
    }

    func run() async throws {
        try await options.withClient { client in
            if options.json {
                try Output.json(try await document(path.path, name: path.path, level: 1, client))
                return
            }
            Output.line(Output.shown(path.path))
            var counts = (directories: 0, files: 0)
            try await show(path.path, indent: "", level: 1, client, &counts)
            Output.line("")
            let directories = counts.directories == 1 ? "1 directory" : "\(counts.directories) directories"
            Output.line("\(directories), \(Output.count(counts.files, "file"))")
        }
    }

    private func show(
        _ path: String, indent: String, level: Int, _ client: PandoClient, _ counts: inout (directories: Int, files: Int)
    ) async throws {
        var cursor: String?
        var last: ListItem?
        repeat {
            let page: Page<ListItem> = try await client.list(path, at: reading.at, after: cursor, limit: 1000)
            cursor = page.next
            // The last line of a directory looks different, so each line waits for the next.
            for item in page.items {
                if let last { try await show(last, isLast: false, indent: indent, level: level, client, &counts) }
                last = item
            }
        } while cursor != nil
        if let last { try await show(last, isLast: true, indent: indent, level: level, client, &counts) }
    }

    private func show(
        _ item: ListItem, isLast: Bool, indent: String, level: Int, _ client: PandoClient,
        _ counts: inout (directories: Int, files: Int)
    ) async throws {
        var line = indent + (isLast ? "└── " : "├── ") + Output.shown(item.name)
        if let target = item.target { line += " -> " + Output.shown(target) }
        Output.line(item.kind == .directory ? line + "/" : line)
        guard item.kind == .directory else {
            counts.files += 1
            return
        }
        counts.directories += 1
        if let depth, level >= depth { return }
        try await show(item.path, indent: indent + (isLast ? "    " : "│   "), level: level + 1, client, &counts)
    }

    private struct Document: Encodable {
        var name: String
        var path: String
        var kind: FileKind
        var size: UInt64?
        var children: [Document]?
    }

    private func document(_ path: String, name: String, level: Int, _ client: PandoClient) async throws -> Document {
        var children: [Document] = []
        var cursor: String?
        repeat {
            let page: Page<ListItem> = try await client.list(path, at: reading.at, after: cursor, limit: 10_000)
            cursor = page.next
            for item in page.items {
                if item.kind == .directory, depth.map({ level < $0 }) ?? true {
                    children.append(try await document(item.path, name: item.name, level: level + 1, client))
                } else {
                    children.append(Document(name: item.name, path: item.path, kind: item.kind, size: item.size))
                }
            }
        } while cursor != nil
        let size = children.reduce(0) { $0 + ($1.size ?? 0) }
        return Document(name: name, path: path, kind: .directory, size: size, children: children)
    }
}
