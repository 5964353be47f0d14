import ArgumentParser
import HTTPClient

struct Sync: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "sync", abstract: "Keep a folder and a node the same, or have a node exchange changes.",
        subcommands: [SyncFolder.self, SyncPause.self, SyncResume.self, Trigger.self], defaultSubcommand: SyncFolder.self)

    struct Trigger: AsyncParsableCommand {
        static let configuration = CommandConfiguration(commandName: "trigger", abstract: "Have the node sync with its peers now, and wait for it.")

        @OptionGroup var options: GlobalOptions

        @Option(help: ArgumentHelp("Sync with this peer alone.", valueName: "id"))
        var peer: String?

        func run() async throws {
            try await options.withClient { client in
                var id: String?
                if let peer {
                    let peers: [Peer] = try await client.peers()
                    id = try NodeChoice.find(
                        peer, in: peers.compactMap { peer in peer.nodeID.map { ($0, [peer.label, peer.address]) } }, what: "peer")
                }
                let document = try await client.trigger(peer: id, as: JSONValue.self)
                let outcomes: SyncOutcomes = try document.decode()
                if options.json {
                    try Output.json(document)
                } else {
                    show(outcomes)
                }
                if outcomes.peers.contains(where: { !$0.ok }) { throw ExitCode.failure }
            }
        }

        private func show(_ outcomes: SyncOutcomes) {
            if outcomes.peers.isEmpty { Output.note("no peers") }
            for outcome in outcomes.peers {
                let node = outcome.nodeID.map { String($0.prefix(12)) } ?? "-"
                if outcome.ok {
                    Output.line(
                        "\(node)  \(Output.count(outcome.entries ?? 0, "change")), "
                            + "\(Output.count(outcome.chunks ?? 0, "chunk")), \(Output.size(outcome.bytes ?? 0)), "
                            + Output.count(outcome.conflicts ?? 0, "conflict"))
                } else {
                    Output.complain("\(node): \(Output.shown(outcome.error ?? "the sync failed"))")
                }
            }
        }
    }
}
