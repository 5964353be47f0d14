import ArgumentParser
import Foundation
import HTTPClient
import Node

struct Copies: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "copies", abstract: "Show which members hold all of a file or directory as it is now.",
        discussion: "With --verify each member reads every byte from its disk and hashes it before it answers.")

    @OptionGroup var options: GlobalOptions

    @Flag(help: "Have every byte read and hashed again.")
    var verify = false

    @Argument var path: RemotePath

    func run() async throws {
        try await options.withClient { client in
            let report = try await client.copies(of: path.path, verify: verify)
            if options.json { return try Output.json(report) }
            var table = Table([.left, .left, .left, .left, .left], header: ["NODE", "LABEL", "HELD", "VERIFIED", ""])
            for copy in report.copies {
                table.add(
                    String(copy.nodeID.prefix(12)), Output.shown(copy.label ?? "-"), copy.held ? "yes" : "no", Output.time(copy.verifiedAt),
                    Output.shown(copy.reason ?? ""))
            }
            table.print()
        }
    }
}

struct Receipt: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "receipt", abstract: "Have the members verify their copies of a path, and print what they sign: so that the camera's card can be wiped.",
        discussion: """
            Each member reads every byte from its disk and hashes it. The receipt is JSON: keep it, and check it later and anywhere with \
            --check, without a node. Exit code 1 if fewer members than --at-least hold a whole copy.
            """)

    @OptionGroup var options: GlobalOptions

    @Option(help: "How many members must hold a verified copy.")
    var atLeast = 1

    @Option(help: ArgumentHelp("Check a receipt instead: who signed it, and whether it is genuine.", valueName: "file"))
    var check: String?

    @Argument var path: RemotePath?

    func validate() throws {
        guard (path == nil) != (check == nil) else { throw ValidationError("name a path, or a receipt with --check") }
        guard atLeast >= 1 else { throw ValidationError("--at-least is at least 1") }
    }

    func run() async throws {
        if let check { return try checkReceipt(check) }
        guard let path else { return }
        let report = try await options.withClient { client in try await client.copies(of: path.path, verify: true) }
        let receipt = report.receipt
        for copy in report.copies where report.fault(of: copy) != nil {
            Output.complain("no copy on \(copy.label ?? String(copy.nodeID.prefix(12))): \(copy.reason ?? "it does not hold all of it")")
        }
        try Output.json(receipt)
        try demand(receipt.copies.count, path.path)
    }

    private func checkReceipt(_ file: String) throws {
        guard let data = FileManager.default.contents(atPath: file), let receipt = try? JSONDecoder().decode(CopyReport.self, from: data) else {
            throw Failure("\(file) is no receipt")
        }
        for copy in receipt.copies {
            if let fault = receipt.fault(of: copy) { throw Failure("\(file) is not genuine: \(fault)") }
        }
        if options.json {
            try Output.json(receipt)
        } else {
            Output.line("\(receipt.kind) \(Output.shown(receipt.path)), \(Output.size(receipt.size)), root \(receipt.root)")
            for copy in receipt.copies {
                Output.line("held by node \(copy.nodeID) (\(Output.shown(copy.label ?? "no label"))), read and hashed \(Output.time(copy.verifiedAt))")
            }
        }
        try demand(Set(receipt.copies.map(\.nodeID)).count, receipt.path)
    }

    private func demand(_ count: Int, _ path: String) throws {
        guard count >= atLeast else {
            throw Failure("\(path): \(Output.count(count, "member")) with a verified copy, and \(atLeast) are wanted")
        }
    }
}
