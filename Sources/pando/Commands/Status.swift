import ArgumentParser
import HTTPClient

struct Status: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "status", abstract: "Show how the node is.")

    @OptionGroup var options: GlobalOptions

    @Flag(help: "Look again and again, with the peers: on a live screen, or line by line where the output is no terminal. Ctrl-C ends.")
    var watch = false

    @Option(help: "Seconds between two looks.")
    var interval = 1.0

    func validate() throws {
        guard (0.1...3600).contains(interval) else { throw ValidationError("--interval is a number of seconds between 0.1 and 3600") }
    }

    func run() async throws {
        try await options.withClient { client in
            if watch { return try await StatusWatch(client: client, interval: .seconds(interval), isJSON: options.json).run() }
            if options.json {
                try Output.json(try await client.status(as: JSONValue.self))
                return
            }
            let status: NodeStatus = try await client.status()
            var table = Table([.left, .left])
            table.add("address", client.url)
            table.add("node", status.nodeID)
            if let cluster = status.clusterID { table.add("cluster", cluster) }
            if let root = status.root { table.add("root", root) }
            if let head = status.head { table.add("head", head) }
            // Not told to keys with rules.
            table.add("files", status.files.map { "\($0)" } ?? "-")
            table.add("size", status.bytes.map(Output.size) ?? "-")
            table.add("conflicts", status.conflicts.map { "\($0)" } ?? "-")
            table.add("deletions", deletions(status))
            if let version = status.version { table.add("version", version) }
            if let uptime = status.uptimeSeconds { table.add("up", Progress.time(uptime)) }
            if let care = status.care {
                let found = care.lostObjects > 0 ? ", \(care.lostObjects) lost: 'pando scrub' names the paths"
                    : care.damagedObjects > 0 ? ", \(care.damagedObjects) damaged and healed" : ""
                table.add("last scrub", (care.lastScrubAt.map { Output.time($0) } ?? "not yet") + found)
                table.add("last gc", care.lastGcAt.map { Output.time($0) } ?? "not yet")
            }
            table.print()
        }
    }

    /// How many are kept, up to when they were dropped, and who is waited for.
    private func deletions(_ status: NodeStatus) -> String {
        var words = [status.tombstones.map { "\($0) kept" } ?? "-"]
        if let horizon = status.horizon { words.append("those from before \(Output.time(horizon)) dropped") }
        if let nodes = status.horizonWaitsFor, !nodes.isEmpty {
            words.append("old ones wait for " + nodes.map { String($0.prefix(12)) }.joined(separator: ", "))
        }
        return words.joined(separator: "; ")
    }
}
