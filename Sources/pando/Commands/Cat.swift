import ArgumentParser
import HTTPClient

struct Cat: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "cat", abstract: "Write files to standard output.")

    @OptionGroup var options: GlobalOptions
    @OptionGroup var reading: ReadOptions

    @Argument(help: "Files on the node.", transform: { try RemotePath($0) })
    var paths: [RemotePath]

    func run() async throws {
        try await options.withClient { client in
            try await Cat.write(paths, at: reading.at, client)
        }
    }

    /// Writes files to standard output, one after another.
    static func write(_ paths: [RemotePath], at when: When?, _ client: PandoClient) async throws {
        for path in paths {
            // A directory answers with its listing, which is not what was asked for.
            if path.isDirectory { throw Failure("\(path.path) is a directory; see it with 'pando ls'") }
            let download = try await client.get(path.path, at: when)
            guard download.head.kind != .directory else {
                throw Failure("\(path.path) is a directory; see it with 'pando ls'")
            }
            for try await piece in download.body { Output.write(piece) }
        }
    }
}

/// Options of commands that can read an older state.
struct ReadOptions: ParsableArguments {
    @Option(help: ArgumentHelp("Read as of a snapshot, a commit or a time (RFC 3339).", valueName: "when"))
    var at: String?
}
