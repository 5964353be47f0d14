import ArgumentParser
import Foundation

struct Token: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "token", abstract: "Print a token for the local node, good for an hour.",
        discussion: "Only the owner of the data directory can: the token is signed with the node's key.")

    @Option(help: ArgumentHelp("The node's data directory (also PANDO_DATA).", valueName: "dir"))
    var data: String?

    func run() async throws {
        Output.line(try await LocalNode.token(dataDirectory: data ?? ProcessInfo.processInfo.environment["PANDO_DATA"] ?? LocalNode.configuredDirectory() ?? "./pando-data"))
    }
}
