import ArgumentParser
import HTTPClient

struct Move: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "mv", abstract: "Move or rename files and directories.")

    @OptionGroup var options: GlobalOptions

    @Flag(help: "Replace what stands at the target.")
    var replace = false

    @Argument(help: "Paths on the node, the target last. Where the target is a directory, it takes them in.", transform: { try RemotePath($0) })
    var paths: [RemotePath]

    func validate() throws {
        if paths.count < 2 { throw ValidationError("give at least one path and the target") }
    }

    func run() async throws {
        try await options.withClient { client in
            var moved: [JSONValue] = []
            let isDirectory = try await Destination.isDirectory(paths, client)
            for path in paths.dropLast() {
                let target = isDirectory ? paths[paths.count - 1].appending(path.name) : paths[paths.count - 1].path
                do {
                    moved.append(try await client.move(path.path, to: target, replace: replace))
                } catch let error as ClientError where error.status == 409 && !replace {
                    throw Failure("\(error.description) (--replace moves over what is there)")
                }
            }
            if options.json { try Output.json(["items": moved]) }
        }
    }
}

/// Where things go that are moved or copied on the node.
enum Destination {
    /// Whether the last of the paths is a directory that takes the others in.
    static func isDirectory(_ paths: [RemotePath], _ client: PandoClient) async throws -> Bool {
        guard let target = paths.last else { return false }
        if paths.dropLast().contains(where: { $0.path == "/" }) { throw ValidationError("the root cannot be moved or copied") }
        if target.isDirectory { return true }
        if try await client.kind(of: target.path) == .directory { return true }
        if paths.count > 2 { throw Failure("\(target.path) is no directory that could take in several paths") }
        return false
    }
}
