import ArgumentParser
import HTTPClient

struct Restore: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "restore", abstract: "Put a file, a folder or everything back to what it was.",
        discussion: """
            The old content is written anew, as one commit that replicates like any other, so a restore can be undone by \
            another. Files below a folder that were made since are deleted. --dry-run tells first.
            """)

    @OptionGroup var options: GlobalOptions

    @Option(help: ArgumentHelp("A snapshot, a commit or a time (RFC 3339).", valueName: "when"))
    var at: String?

    @Option(help: ArgumentHelp("A version of a file, as 'pando log -l' names it.", valueName: "version"))
    var version: String?

    @Flag(name: [.customShort("n"), .long, .customLong("preview")], help: "Tell what would change, and change nothing.")
    var dryRun = false

    @Argument(help: "A path on the node; / for everything.", transform: { try RemotePath($0) })
    var path: RemotePath

    func validate() throws {
        guard (at == nil) != (version == nil) else { throw ValidationError("give --at WHEN or --version VERSION") }
    }

    func run() async throws {
        try await options.withClient { client in
            let document = try await client.restore(RestoreOrder(path: path.path, at: at, version: version, preview: dryRun))
            if options.json {
                try Output.json(document)
                return
            }
            let outcome = try document.decode(RestoreOutcome.self)
            for change in outcome.paths { Output.line("\(change.change)  \(Output.shown(change.path))") }
            let total = outcome.restored + outcome.reverted + outcome.deleted
            if total > outcome.paths.count { Output.line("and \(Output.count(total - outcome.paths.count, "more path"))") }
            let verb = dryRun ? "would be " : ""
            Output.line(
                "\(outcome.restored) \(verb)brought back, \(outcome.reverted) \(verb)put back, \(outcome.deleted) \(verb)deleted "
                    + "(made since); \(Output.size(outcome.bytes)) of files written, none of them copied")
            if !dryRun, outcome.commit != nil, let before = outcome.before {
                Output.line("undo it with: pando restore \(Output.shown(path.path)) --at \(before)")
            }
        }
    }
}
