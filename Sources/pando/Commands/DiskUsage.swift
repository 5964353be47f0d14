import ArgumentParser
import HTTPClient

struct DiskUsage: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "du", abstract: "Show how much directories hold.",
        discussion: """
            The node keeps these sums: nothing is walked through, however large a directory is. For a key with rules, what it may see is \
            summed up.
            """)

    @OptionGroup var options: GlobalOptions
    @OptionGroup var reading: ReadOptions

    @Flag(name: [.customShort("s"), .long], help: "Only the sum of each path.")
    var summarize = false

    @Argument(help: "Directories or files on the node (default: /).", transform: { try RemotePath($0) })
    var paths: [RemotePath] = []

    private struct Line: Encodable {
        var path: String
        var size: UInt64
        var files: UInt64
    }

    func run() async throws {
        let paths = paths.isEmpty ? [RemotePath(path: "/")] : paths
        try await options.withClient { client in
            var lines: [Line] = []
            for path in paths { lines += try await measure(path, client) }
            if options.json {
                try Output.json(["items": lines])
                return
            }
            var table = Table([.right, .right, .left])
            for line in lines {
                table.add(Output.size(line.size), Output.count(line.files, "file"), Output.shown(line.path))
            }
            table.print()
        }
    }

    private func measure(_ path: RemotePath, _ client: PandoClient) async throws -> [Line] {
        if !path.isDirectory {
            let head = try await client.head(path.path, at: reading.at)
            if head.kind != .directory { return [Line(path: path.path, size: head.size ?? 0, files: 1)] }
        }
        var lines: [Line] = []
        var total = Line(path: path.path, size: 0, files: 0)
        var cursor: String?
        repeat {
            let page: Page<ListItem> = try await client.list(path.path, at: reading.at, after: cursor, limit: 10_000)
            for item in page.items {
                let sum = try await sum(of: item, client)
                total.size += sum.size
                total.files += sum.files
                if item.kind == .directory, !summarize { lines.append(sum) }
            }
            cursor = page.next
        } while cursor != nil
        return lines + [total]
    }

    private func sum(of item: ListItem, _ client: PandoClient) async throws -> Line {
        guard item.kind == .directory else { return Line(path: item.path, size: item.size ?? 0, files: 1) }
        if let size = item.size, let files = item.files { return Line(path: item.path, size: size, files: files) }
        // Its sums would tell of what the key may not see.
        var sum = Line(path: item.path, size: 0, files: 0)
        var cursor: String?
        repeat {
            let page: Page<ListItem> = try await client.list(item.path, recursive: true, at: reading.at, after: cursor, limit: 10_000)
            for item in page.items where item.kind != .directory {
                sum.size += item.size ?? 0
                sum.files += 1
            }
            cursor = page.next
        } while cursor != nil
        return sum
    }
}
