import ArgumentParser
import HTTPClient

struct Drop: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "drop", abstract: "Drop the files that lie outside of a node's paths.",
        discussion: """
            Narrower paths stop the exchange and keep what is there; this lets it go, on this node alone. Nothing is deleted: the \
            others keep theirs, and wider paths bring the files back. What no other node is known to have stays, and is named.
            """)

    @OptionGroup var options: GlobalOptions

    @Flag(help: "Only say what would go.")
    var dryRun = false

    func run() async throws {
        try await options.withClient { client in
            let document = try await client.drop(isDryRun: dryRun, as: JSONValue.self)
            if options.json { return try Output.json(document) }
            let outcome: DropOutcome = try document.decode()
            Output.line("\(dryRun ? "would drop" : "dropped") \(Output.count(Int(clamping: outcome.files), "file")), \(Output.size(outcome.bytes))")
            if outcome.keptCount > 0 {
                Output.note("\(Output.count(outcome.keptCount, "path")) kept, since no other node is known to have what is there; widen the paths and sync first:")
                for path in outcome.kept { Output.note("  " + Output.shown(path)) }
            }
        }
    }
}
