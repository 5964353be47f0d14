import ArgumentParser
import HTTPClient

struct Copy: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "cp", abstract: "Copy files and directories on the node.",
        discussion: "Copies are by reference: they take no time and no space for content, whatever their size.")

    @OptionGroup var options: GlobalOptions

    @Flag(name: [.customShort("r"), .customShort("R"), .long], help: "Copy directories with all that is in them.")
    var recursive = false

    @Argument(help: "Paths on the node, the target last. Where the target is a directory, it takes them in.", transform: { try RemotePath($0) })
    var paths: [RemotePath]

    func validate() throws {
        if paths.count < 2 { throw ValidationError("give at least one path and the target") }
    }

    func run() async throws {
        try await options.withClient { client in
            var copied: [JSONValue] = []
            let isDirectory = try await Destination.isDirectory(paths, client)
            for path in paths.dropLast() {
                if !recursive, try await client.kind(of: path.path) == .directory {
                    throw Failure("\(Output.shown(path.path)) is a directory; copy it with -r")
                }
                let target = isDirectory ? paths[paths.count - 1].appending(path.name) : paths[paths.count - 1].path
                copied.append(try await client.copy(path.path, to: target))
            }
            if options.json { try Output.json(["items": copied]) }
        }
    }
}
