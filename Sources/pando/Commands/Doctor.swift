import ArgumentParser
import HTTPClient

struct Doctor: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "doctor", abstract: "Look for what is wrong with the node of this machine, and say what to do.",
        discussion: """
            Looks at the configuration file, the data directory, the disk, limits, the port, the clock, the certificate and the peers, as far \
            as they can be seen: a node that does not run can be looked at too. Exit code 1 where something is broken; warnings alone are 0.
            """)

    @Option(help: ArgumentHelp("The data directory (also PANDO_DATA; default ./pando-data).", valueName: "dir"))
    var data: String?

    @Flag(help: "Print JSON.")
    var json = false

    func run() async throws {
        var diagnosis = Diagnosis()
        await diagnosis.look(at: data)
        if json {
            try Output.json(["checks": diagnosis.findings])
        } else {
            for finding in diagnosis.findings {
                Output.line("\(finding.state.mark)  \(finding.name): \(Output.shown(finding.detail))")
                if let advice = finding.advice { Output.line("      \(advice)") }
            }
        }
        if diagnosis.findings.contains(where: { $0.state == .broken }) { throw ExitCode.failure }
    }
}
