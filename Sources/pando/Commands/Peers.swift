import ArgumentParser
import HTTPClient

struct Peers: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "peers", abstract: "Show, add, limit and remove peers.", subcommands: [Show.self, Add.self, Limit.self, Drop.self], defaultSubcommand: Show.self)

    struct Show: AsyncParsableCommand {
        static let configuration = CommandConfiguration(commandName: "list", abstract: "Show the node's peers.")

        @OptionGroup var options: GlobalOptions

        func run() async throws {
            try await options.withClient { client in
                if options.json {
                    try Output.json(["items": try await client.peers(as: JSONValue.self)])
                    return
                }
                let peers: [Peer] = try await client.peers()
                if peers.isEmpty {
                    Output.note("no peers; add one with 'pando peers add URL' or 'pando join URL --token T'")
                    return
                }
                var table = Table(
                    [.left, .left, .left, .left, .right, .left, .left],
                    header: ["NODE", "LABEL", "STATE", "ADDRESS", "OFFSET", "LAST SYNC", "IN SYNC"])
                for peer in peers {
                    var state = peer.state ?? "-"
                    if let reason = peer.reason, !reason.isEmpty { state += " (\(Output.shown(reason)))" }
                    table.add(
                        peer.nodeID.map { String($0.prefix(12)) } ?? "-", Output.shown(peer.label ?? "-"), state,
                        Output.shown(peer.address ?? "-"),
                        peer.offsetMicroseconds.map { Output.fixed($0 / 1000) + " ms" } ?? "-",
                        Output.time(peer.lastSyncAt), peer.inSync == true ? "yes" : "no")
                }
                table.print()
            }
        }
    }

    struct Add: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "add", abstract: "Add a peer.", discussion: "One that does not answer now is kept and tried again.")

        @OptionGroup var options: GlobalOptions

        @Argument(help: "The peer's address.")
        var url: String

        @Option(help: "What to call it.")
        var label: String?

        @Option(name: .customLong("sync-path"), help: "What to exchange with it (can be given several times; default: all).")
        var syncPaths: [String] = []

        @Option(help: "A token for it, where the nodes are of different clusters; '-' reads it from standard input.")
        var token: String?

        func run() async throws {
            let address = try Connection.normalise(url)
            let secret = token == "-" ? readLine(strippingNewline: true) : token
            try await options.withClient { client in
                let answer = try await client.addPeer(NewPeer(
                    address: address, label: label, syncPaths: syncPaths.isEmpty ? nil : syncPaths, token: secret))
                if options.json {
                    try Output.json(answer)
                } else {
                    Output.line("added \(address)")
                }
            }
        }
    }

    struct Drop: AsyncParsableCommand {
        static let configuration = CommandConfiguration(commandName: "remove", abstract: "Forget a peer.")

        @OptionGroup var options: GlobalOptions

        @Argument(help: "The peer's id, the beginning of it, its label or its address.")
        var peer: String

        func run() async throws {
            try await options.withClient { client in
                let peers: [Peer] = try await client.peers()
                let id: String
                if let address = unknown(among: peers) {
                    id = address
                } else {
                    id = try NodeChoice.find(
                        peer, in: peers.compactMap { peer in peer.nodeID.map { ($0, [peer.label, peer.address]) } }, what: "peer")
                }
                try await client.removePeer(id)
                if options.json {
                    try Output.json(["removed": id])
                } else {
                    Output.line("removed \(id)")
                }
            }
        }

        /// The address of a peer that has never answered, and so has no id, if it is such a one that is meant.
        private func unknown(among peers: [Peer]) -> String? {
            let addresses = [peer, try? Connection.normalise(peer)]
            let found = peers.filter { $0.nodeID == nil && $0.address != nil && (addresses.contains($0.address) || $0.label == peer) }
            return found.count == 1 ? found[0].address : nil
        }
    }
}

/// Finds the node that a person means.
enum NodeChoice {
    /// - Parameter nodes: the ids, each with the other names that the node goes by.
    static func find(_ text: String, in nodes: [(id: String, names: [String?])], what: String) throws -> String {
        if nodes.contains(where: { $0.id == text }) { return text }
        let found = nodes.filter { node in
            (text.utf8.count >= 4 && node.id.hasPrefix(text)) || node.names.contains(text)
        }
        if found.count == 1 { return found[0].id }
        // Not in the list: the node may know better, and says so if it does not.
        if found.isEmpty, text.utf8.count == 64 { return text }
        throw Failure(found.isEmpty ? "no \(what) is called '\(text)'" : "'\(text)' stands for \(found.count) \(what)s; give more of the id")
    }
}
