import ArgumentParser
import FileDatabase
import Foundation
import HTTPClient
import Node

struct Verify: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "verify", abstract: "Check all that the present state and those that are kept need.",
        discussion: """
            Every object against its hash, every node against what leads to it. A running node brings back from its peers what is \
            damaged or missing; of a stopped node's directory it is only named. Exit code 1 if anything is lost; the paths that need it are named.
            """)

    @OptionGroup var options: GlobalOptions

    func run() async throws {
        let session = CareSession(options, verb: "checked")
        let result: JSONValue
        if let directory = session.stoppedDirectory {
            let figures = try await session.run(on: directory) { database, _ in RepairFigures(try database.verify(keptStates: true)) }
            result = try JSONDecoder().decode(JSONValue.self, from: Data(JSON.encode(figures)))
        } else {
            if options.node == nil, let directory = options.data, LocalEndpoint.running(in: directory) == nil {
                throw Failure("there is no database in \(directory); name another directory with --data")
            }
            result = try await session.run("verify")
        }
        try Repair.show(result, options)
    }
}
