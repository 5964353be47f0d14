import ArgumentParser
import HTTPClient

struct Stat: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "stat", abstract: "Show what is known of a path.")

    @OptionGroup var options: GlobalOptions
    @OptionGroup var reading: ReadOptions

    @Argument(help: "Paths on the node.", transform: { try RemotePath($0) })
    var paths: [RemotePath]

    func run() async throws {
        try await options.withClient { client in
            for (index, path) in paths.enumerated() {
                let head = try await client.head(path.path, at: reading.at)
                if options.json {
                    try Output.json(head)
                } else {
                    if index > 0 { Output.line("") }
                    show(head)
                }
            }
        }
    }

    private func show(_ head: FileHead) {
        var table = Table([.left, .left])
        table.add("path", Output.shown(head.path))
        table.add("kind", head.kind.rawValue + (head.executable ? " (executable)" : ""))
        if let target = head.target { table.add("target", Output.shown(target)) }
        if let size = head.size { table.add("size", "\(Output.size(size)) (\(Output.count(size, "byte")))") }
        if head.kind == .file, let type = head.contentType { table.add("type", type) }
        if let hash = head.contentHash { table.add("content", hash) }
        if let time = head.modifiedAt { table.add("modified", time) }
        if let version = head.version { table.add("version", version) }
        if head.conflicts > 0 { table.add("conflicts", "\(head.conflicts) (see 'pando conflicts')") }
        table.print()
    }
}
