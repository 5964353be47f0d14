import ArgumentParser
import HTTPClient

struct MakeDirectory: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "mkdir", abstract: "Make empty directories.",
        discussion: "Directories above appear by themselves, and files need no directory to be made first.")

    @OptionGroup var options: GlobalOptions

    @Flag(name: .customShort("p"), help: "Accepted, as shells have it; directories above always appear.")
    var parents = false

    @Argument(help: "Paths on the node.", transform: { try RemotePath($0) })
    var paths: [RemotePath]

    func run() async throws {
        try await options.withClient { client in
            for path in paths where path.path != "/" { try await client.makeDirectory(path.path) }
            if options.json { try Output.json(["items": paths.map(\.path)]) }
        }
    }
}
