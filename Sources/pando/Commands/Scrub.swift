import ArgumentParser
import FileDatabase
import Foundation
import HTTPClient
import Node
import Objects

struct Scrub: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "scrub", abstract: "Read all stored data and compare it with its hashes.",
        discussion: """
            What is damaged or gone comes back from the peers of a running node; what no peer has is named by the paths that need it. Of a \
            stopped node's directory it is only named. A running node scrubs by itself once a month. Exit code 1 where something is lost.
            """)

    @OptionGroup var options: GlobalOptions

    @Option(help: ArgumentHelp("Bytes a second to read at the most: 64M, 500K, 1G (default: as fast as it goes).", valueName: "rate"))
    var rate: ByteRate?

    func run() async throws {
        let session = CareSession(options, verb: "read")
        let rate = rate?.bytes
        var result: JSONValue
        if let directory = session.stoppedDirectory {
            let figures = try await session.run(on: directory) { database, report in
                var options = ScrubOptions()
                options.bytesPerSecond = rate
                let found = try database.scrub(options, progress: { report($0.doneBytes, $0.totalBytes) })
                return try RepairFigures(found, of: database)
            }
            result = try JSONDecoder().decode(JSONValue.self, from: Data(JSON.encode(figures)))
        } else {
            result = try await session.run("scrub", rate: rate)
        }
        try Repair.show(result, options)
    }
}

/// What a scrub or a verification came to, for people.
enum Repair {
    /// - Throws: exit code 1 where something is lost.
    static func show(_ result: JSONValue, _ options: GlobalOptions) throws {
        let outcome: RepairOutcome = try result.decode()
        if options.json {
            try Output.json(report(outcome, result))
        } else {
            Output.line("\(Output.count(outcome.objects, "object")), \(outcome.bytes) bytes checked; \(outcome.damaged) damaged, \(outcome.healed) healed, \(outcome.lost) lost")
            for loss in outcome.losses { Output.line("\(Output.shown(loss.path)): \(loss.reason)") }
            if !outcome.whole { Output.line("it did not come to the end; the next one goes on there") }
        }
        if outcome.lost > 0 { throw ExitCode(1) }
    }

    /// What the node answered, but that `whole` stands for the data, and not for whether all of it was read.
    private static func report(_ outcome: RepairOutcome, _ answer: JSONValue) -> JSONValue {
        guard case .object(var fields) = answer else { return answer }
        fields["complete"] = .bool(outcome.whole)
        fields["whole"] = .bool(outcome.whole && outcome.lost == 0)
        return .object(fields)
    }
}
