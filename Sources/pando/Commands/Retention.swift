import ArgumentParser
import Foundation
import HTTPClient

struct Retention: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "retention", abstract: "Show or set how long versions are kept.", subcommands: [Show.self, Set.self], defaultSubcommand: Show.self)

    struct Show: AsyncParsableCommand {
        static let configuration = CommandConfiguration(commandName: "show", abstract: "Show the policy in force.")

        @OptionGroup var options: GlobalOptions

        func run() async throws {
            try await options.withClient { client in
                try Retention.show(try await client.retention(), options)
            }
        }
    }

    struct Set: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "set", abstract: "Set the policy, for the whole cluster.",
            discussion: """
                A rule is GLOB=ALL,DAILY,WEEKLY: all states for so many days, then the last of each day for so many, then the last \
                of each week. 'ever' stands for no end. The first rule that matches a path decides; the last must be for '/**'. \
                For example: pando retention set '/scratch/**=1,0,0' '/**=30,365,ever'
                """)

        @OptionGroup var options: GlobalOptions

        @Argument(help: "Rules.")
        var rules: [String]

        func run() async throws {
            let values = try rules.map { try Self.rule($0) }
            try await options.withClient { client in
                try Retention.show(try await client.setRetention(.object(["rules": .array(values)])), options)
            }
        }

        private static func rule(_ text: String) throws -> JSONValue {
            let wrong = ValidationError("'\(text)' is no rule; one looks like '/**=30,365,ever'")
            guard let equals = text.lastIndex(of: "=") else { throw wrong }
            let days = try text[text.index(after: equals)...].split(separator: ",", omittingEmptySubsequences: false).map { part in
                if part == "ever" { return JSONValue.null }
                guard let number = Int64(part) else { throw wrong }
                return .integer(number)
            }
            guard days.count == 3 else { throw wrong }
            return .object([
                "path": .string(String(text[..<equals])), "all_days": days[0], "daily_days": days[1], "weekly_days": days[2],
            ])
        }
    }

    private struct Policy: Decodable {
        struct Rule: Decodable {
            var path: String
            var all_days: Int?
            var daily_days: Int?
            var weekly_days: Int?
        }

        var rules: [Rule]
        var is_default: Bool?
        var node: String?
        var set_at: String?
        var rivals: [Policy]?
    }

    private static func show(_ document: JSONValue, _ options: GlobalOptions) throws {
        if options.json { return try Output.json(document) }
        let policy = try document.decode(Policy.self)
        show(policy)
        for rival in policy.rivals ?? [] {
            Output.line("set at the same time on \(rival.node?.prefix(12) ?? "another node"), and kept to as well until a policy is set anew:")
            show(rival)
        }
    }

    private static func show(_ policy: Policy) {
        func days(_ number: Int?) -> String { number.map { "\($0) days" } ?? "ever" }
        var table = Table([.left, .left, .left, .left], header: ["path", "all for", "then daily for", "then weekly for"])
        for rule in policy.rules { table.add(Output.shown(rule.path), days(rule.all_days), days(rule.daily_days), days(rule.weekly_days)) }
        table.print()
    }
}
