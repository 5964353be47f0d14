import ArgumentParser
import HTTPClient

struct Invite: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "invite", abstract: "Make an invitation for a node that is to join the cluster.",
        discussion: "It serves once. Whoever has it can join, so hand it over as you would a password.")

    @OptionGroup var options: GlobalOptions

    @Option(help: "What the new node is called.")
    var label: String?

    @Option(help: "How long it is good: seconds, or a number with s, m, h or d.")
    var expires: Duration?

    @Option(name: .customLong("sync-path"), help: "What the new node may have (can be given several times; default: all).")
    var syncPaths: [String] = []

    func run() async throws {
        try await options.withClient { client in
            let invitation = try await client.invite(NewInvitation(
                label: label, expiresIn: expires?.seconds, syncPaths: syncPaths.isEmpty ? nil : syncPaths))
            if options.json {
                try Output.json(invitation)
            } else {
                Output.line(invitation.invitation)
                if let expiresAt = invitation.expiresAt { Output.note("good until \(expiresAt), once") }
            }
        }
    }

    /// A stretch of time as people write it: `90`, `15m`, `2h`, `7d`.
    struct Duration: ExpressibleByArgument {
        var seconds: Int

        init?(argument: String) {
            let units: [Character: Int] = ["s": 1, "m": 60, "h": 3600, "d": 86_400]
            let unit = argument.last.flatMap { units[$0] }
            let digits = unit == nil ? Substring(argument) : argument.dropLast()
            guard let number = Int(digits), number > 0 else { return nil }
            let (seconds, overflow) = number.multipliedReportingOverflow(by: unit ?? 1)
            guard !overflow else { return nil }
            self.seconds = seconds
        }
    }
}
