import ArgumentParser
import HTTPClient

struct Members: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "members", abstract: "Show, limit and remove the cluster's members.", subcommands: [Show.self, Limit.self, Drop.self], defaultSubcommand: Show.self)

    struct Show: AsyncParsableCommand {
        static let configuration = CommandConfiguration(commandName: "list", abstract: "Show the cluster's members.")

        @OptionGroup var options: GlobalOptions

        func run() async throws {
            try await options.withClient { client in
                if options.json {
                    try Output.json(["items": try await client.members(as: JSONValue.self)])
                    return
                }
                let members: [Member] = try await client.members()
                var table = Table([.left, .left, .left, .left], header: ["NODE", "LABEL", "ADDRESS", "SINCE"])
                for member in members {
                    table.add(
                        member.nodeID, Output.shown(member.label ?? "-"), Output.shown(member.address ?? "-"),
                        Output.time(member.joinedAt))
                }
                table.print()
            }
        }
    }

    struct Drop: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "remove", abstract: "Remove a node from the cluster for good.",
            discussion: "Its requests and its tokens fail on every member that knows of it.")

        @OptionGroup var options: GlobalOptions

        @Argument(help: "The node's id, the beginning of it, or its label.")
        var member: String

        func run() async throws {
            try await options.withClient { client in
                let members: [Member] = try await client.members()
                let id = try NodeChoice.find(member, in: members.map { ($0.nodeID, [$0.label, $0.address]) }, what: "member")
                try await client.removeMember(id)
                if options.json {
                    try Output.json(["removed": id])
                } else {
                    Output.line("removed \(id)")
                }
            }
        }
    }
}
