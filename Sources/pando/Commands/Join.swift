import ArgumentParser
import HTTPClient

struct Join: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "join", abstract: "Have the local node join the cluster of another.",
        discussion: "The node that joins is the one of --node or --data; the URL is a member's address.")

    @OptionGroup var options: GlobalOptions

    @Argument(help: "The address of a member of the cluster.")
    var url: String

    @Option(help: "An invitation ('pando invite' there makes one) or the root key; '-' reads it from standard input.")
    var token: String

    @Option(help: ArgumentHelp("The id of the node that has to answer there; with an invitation, which names it, not needed.", valueName: "node id"))
    var joinFingerprint: String?

    func run() async throws {
        let address = try Connection.normalise(url)
        let secret = token == "-" ? readLine(strippingNewline: true) ?? "" : token
        guard !secret.isEmpty else { throw ValidationError("the token is empty") }
        try await options.withClient { client in
            let answer = try await client.join(address: address, token: secret, fingerprint: joinFingerprint)
            if options.json {
                try Output.json(answer)
                return
            }
            Output.line("the node at \(client.url) has joined the cluster of \(address)")
            let peers: [Peer] = try await client.peers()
            guard let host = peers.first(where: { $0.address == address })?.nodeID else { return }
            Output.line("through node  \(host)")
            if joinFingerprint == nil, !secret.hasPrefix("pandoinv_") {
                Output.note("nobody vouched for that node: compare its id with the one that 'pando status' shows on its machine; no other is believed there from now on")
            }
        }
    }
}
