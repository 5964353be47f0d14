import ArgumentParser
import HTTPClient

struct Keys: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "keys", abstract: "Make, show and revoke API keys.", subcommands: [Show.self, Create.self, Revoke.self], defaultSubcommand: Show.self)

    struct Show: AsyncParsableCommand {
        static let configuration = CommandConfiguration(commandName: "list", abstract: "Show the cluster's keys; never their secrets.")

        @OptionGroup var options: GlobalOptions

        func run() async throws {
            try await options.withClient { client in
                if options.json {
                    try Output.json(["items": try await client.keys(as: JSONValue.self)])
                    return
                }
                let keys: [Key] = try await client.keys()
                var table = Table([.left, .left, .left, .left, .left], header: ["ID", "LABEL", "RULES", "MADE", "EXPIRES"])
                for key in keys {
                    table.add(
                        key.id, Output.shown(key.label), Output.shown(key.rules.map { $0.shown }.joined(separator: "  ")),
                        Output.time(key.createdAt), key.expiresAt.map { Output.time($0) } ?? "never")
                }
                table.print()
            }
        }
    }

    struct Create: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "create", abstract: "Make a key, and print it, once.",
            discussion: """
                Of the rules the first whose pattern matches a path decides; where none does, the answer is no. A rule is \
                GLOB=RIGHTS, with read, list, write and delete, or all, or none: --rule '/assets/secret/**=none' --rule \
                '/assets/**=read,list'. A key cannot grant more than the key that makes it has.
                """)

        @OptionGroup var options: GlobalOptions

        @Argument(help: "What the key is called: who or what has it.")
        var label: String

        @Option(name: .customLong("rule"), help: ArgumentHelp("What it may do (can be given several times, in order).", valueName: "glob=rights"))
        var rules: [RuleArgument] = []

        @Option(help: "How long it is good: seconds, or a number with s, m, h or d (default: until it is revoked).")
        var expires: Invite.Duration?

        func validate() throws {
            if rules.isEmpty { throw ValidationError("a key needs at least one --rule, as '/assets/**=read,list'") }
        }

        func run() async throws {
            try await options.withClient { client in
                let made = try await client.makeKey(NewKey(label: label, rules: rules.map(\.rule), expiresIn: expires?.seconds))
                if options.json {
                    try Output.json(made)
                    return
                }
                Output.line(made.apiKey)
                Output.note("key \(made.id), shown this once" + (made.expiresAt.map { "; good until \($0)" } ?? ""))
            }
        }
    }

    struct Revoke: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "revoke", abstract: "Take keys out of use.", discussion: "Their tokens fail at once on the node that is asked, and on every other as soon as it knows.")

        @OptionGroup var options: GlobalOptions

        @Argument(help: "The keys' ids, the beginnings of them, or their labels.")
        var keys: [String]

        func run() async throws {
            try await options.withClient { client in
                let known: [Key] = try await client.keys()
                // All are found before the first is gone.
                let ids = try keys.map { try NodeChoice.find($0, in: known.map { ($0.id, [$0.label]) }, what: "key") }
                for id in ids { try await client.revokeKey(id) }
                if options.json {
                    try Output.json(["revoked": ids])
                } else {
                    for id in ids { Output.line("revoked \(id)") }
                }
            }
        }
    }

    /// `GLOB=read,list` as people write it.
    struct RuleArgument: ExpressibleByArgument {
        static let rights = ["read", "list", "write", "delete"]

        var rule: KeyRule

        init?(argument: String) {
            // A pattern may hold an equals sign; rights do not.
            guard let mark = argument.lastIndex(of: "="), mark > argument.startIndex else { return nil }
            let words = argument[argument.index(after: mark)...].split(separator: ",").map { $0.trimmingPrefix(" ").lowercased() }
            let allow: [String]
            switch words {
            case ["all"]: allow = RuleArgument.rights
            case ["none"]: allow = []
            default:
                guard !words.isEmpty, words.allSatisfy(RuleArgument.rights.contains) else { return nil }
                allow = words
            }
            rule = KeyRule(path: String(argument[..<mark]), allow: allow)
        }
    }
}

extension KeyRule {
    fileprivate var shown: String { "\(path)=\(allow.isEmpty ? "none" : allow.count == 4 ? "all" : allow.joined(separator: ","))" }
}
