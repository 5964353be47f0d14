import ArgumentParser
import HTTPClient
import Node

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

struct Pando: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "pando",
        abstract: "A file database whose nodes replicate each other.",
        discussion: """
            Commands talk to the node of --node or PANDO_NODE, or else to the one of 'pando login', or else to the \
            node that runs on this machine's data directory (--data, PANDO_DATA, ./pando-data). PANDO_TOKEN and \
            PANDO_KEY stand over a stored login. Exit codes: 0 done, 1 failed, 2 wrong use.
            """,
        version: Node.version,
        groupedSubcommands: [
            CommandGroup(name: "Node", subcommands: [Serve.self, Token.self, Export.self, Import.self, Doctor.self]),
            CommandGroup(name: "Care", subcommands: [GarbageCollect.self, Scrub.self, Verify.self]),
            CommandGroup(name: "Files", subcommands: [
                Put.self, Get.self, Cat.self, List.self, Tree.self, DiskUsage.self, Stat.self, Remove.self, Move.self,
                Copy.self, MakeDirectory.self,
            ]),
            CommandGroup(name: "Versions", subcommands: [Log.self, Diff.self, Snapshot.self, Restore.self, Retention.self]),
            CommandGroup(name: "Cluster", subcommands: [
                Login.self, Keys.self, Invite.self, Join.self, Peers.self, Members.self, Drop.self, Status.self, Sync.self, Conflicts.self, Copies.self,
                Receipt.self,
            ]),
        ])
}

@main
enum Main {
    static func main() async {
        // A closed pipe is an error of the write that meets it.
        signal(SIGPIPE, SIG_IGN)
        do {
            try checkHelp(CommandLine.arguments.dropFirst())
            var command = try await Pando.asyncParseAsRoot(arguments(Array(CommandLine.arguments.dropFirst())))
            if var command = command as? any AsyncParsableCommand {
                try await command.run()
            } else {
                try command.run()
            }
        } catch {
            exit(report(error))
        }
        exit(0)
    }

    /// The parser takes any name behind 'help', and shows the help of what is above it.
    private static func checkHelp(_ arguments: ArraySlice<String>) throws {
        guard arguments.first == "help" else { return }
        var commands = Pando.configuration.subcommands
        for name in arguments.dropFirst() where !name.hasPrefix("-") {
            guard let command = commands.first(where: { $0.configuration.commandName == name }) else {
                throw ValidationError("there is no command '\(name)'; 'pando help' shows all")
            }
            commands = command.configuration.subcommands
        }
    }

    /// Global options may stand in front of the command too; the parser wants them behind it.
    static func arguments(_ arguments: [String]) -> [String] {
        var leading: [String] = []
        var rest = arguments[...]
        while let first = rest.first {
            if first == "--json" || first.hasPrefix("--node=") || first.hasPrefix("--data=") {
                leading.append(first)
                rest = rest.dropFirst()
            } else if first == "--node" || first == "--data", rest.count > 1 {
                leading += rest.prefix(2)
                rest = rest.dropFirst(2)
            } else {
                break
            }
        }
        if leading.isEmpty { return arguments }
        let end = rest.firstIndex(of: "--") ?? rest.endIndex
        return rest[..<end] + leading + rest[end...]
    }

    /// Says what went wrong and gives the exit code for it.
    private static func report(_ error: any Error) -> Int32 {
        switch error {
        case let failure as Failure:
            Output.complain(failure.description)
            return 1
        case let error as ClientError:
            Output.complain(error.description)
            return 1
        case is CancellationError:
            Output.complain("stopped")
            return 1
        case let code as ExitCode:
            return code.rawValue
        default:
            break
        }
        let code = Pando.exitCode(for: error)
        let message = Pando.fullMessage(for: error)
        if code.isSuccess {
            Output.line(message)
            return 0
        }
        if code == .validationFailure {
            // The parser's message starts with "Error: " and ends with the usage.
            Output.complain(message.hasPrefix("Error: ") ? String(message.dropFirst(7)) : message)
            return 2
        }
        Output.complain("\(error)")
        return 1
    }
}
