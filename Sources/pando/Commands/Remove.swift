import ArgumentParser
import HTTPClient

struct Remove: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "rm", abstract: "Delete files and directories.")

    @OptionGroup var options: GlobalOptions

    @Flag(name: [.customShort("r"), .customShort("R"), .long], help: "Delete directories with all that is in them.")
    var recursive = false

    @Flag(name: .shortAndLong, help: "Say nothing of paths that are not there.")
    var force = false

    @Argument(help: "Paths on the node.", transform: { try RemotePath($0) })
    var paths: [RemotePath]

    func run() async throws {
        try await options.withClient { client in
            var failed = false
            var deleted: [String] = []
            for path in paths {
                do {
                    try await client.delete(path.path, recursive: recursive)
                    deleted.append(path.path)
                } catch let error as ClientError where error.status != nil && error.status != 401 {
                    if force, error.status == 404 { continue }
                    failed = true
                    Output.complain("\(Output.shown(path.path)): \(error.detail)")
                    if error.status == 409, !recursive { Output.note("  (a directory that is not empty needs -r)") }
                }
            }
            if options.json { try Output.json(["deleted": deleted]) }
            if failed { throw ExitCode.failure }
        }
    }
}
