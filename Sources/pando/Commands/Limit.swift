import ArgumentParser
import HTTPClient

/// The paths that a peer or a member is limited to.
struct LimitOptions: ParsableArguments {
    @Option(name: .customLong("sync-path"), help: ArgumentHelp("A pattern of what is exchanged (can be given several times).", valueName: "glob"))
    var syncPaths: [String] = []

    @Flag(help: "Everything, from now on.")
    var all = false

    func validate() throws {
        guard all != !syncPaths.isEmpty else { throw ValidationError("give --sync-path, or --all") }
    }

    /// Nil for everything.
    var paths: [String]? { all ? nil : syncPaths }
}

extension Peers {
    struct Limit: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "limit", abstract: "Change what is exchanged with a peer.",
            discussion: "Wider paths fetch what is missing. Narrower ones keep what is there; 'pando drop' lets it go.")

        @OptionGroup var options: GlobalOptions

        @Argument(help: "The peer's id, the beginning of it, its label or its address.")
        var peer: String

        @OptionGroup var limit: LimitOptions

        func run() async throws {
            try await options.withClient { client in
                let peers: [Peer] = try await client.peers()
                let id = try NodeChoice.find(
                    peer, in: peers.compactMap { peer in peer.nodeID.map { ($0, [peer.label, peer.address]) } }, what: "peer")
                let answer = try await client.limit(.peer, id, to: limit.paths)
                if options.json { try Output.json(answer) } else { Output.line("changed what is exchanged with \(id)") }
            }
        }
    }
}

extension Members {
    struct Limit: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "limit", abstract: "Change what of the files another member takes part in.",
            discussion: "A member with --all is a full one, on which others rely to hold everything.")

        @OptionGroup var options: GlobalOptions

        @Argument(help: "The node's id, the beginning of it, or its label.")
        var member: String

        @OptionGroup var limit: LimitOptions

        func run() async throws {
            try await options.withClient { client in
                let members: [Member] = try await client.members()
                let id = try NodeChoice.find(member, in: members.map { ($0.nodeID, [$0.label, $0.address]) }, what: "member")
                let answer = try await client.limit(.member, id, to: limit.paths)
                if options.json { try Output.json(answer) } else { Output.line("changed what \(id) takes part in") }
            }
        }
    }
}
