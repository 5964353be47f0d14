import Access
import ArgumentParser
import Causality
import Content
import FileDatabase
import Foundation
import Node
import Platform

struct Verify: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Check a stopped node's data: every object that HEAD needs, against its hash.",
        discussion: "Exit code 1 if anything is missing or damaged; the paths that need it are named.")

    @Option(help: ArgumentHelp("The data directory (also PANDO_DATA).", valueName: "dir"))
    var data: String?

    @Flag(help: "Print JSON.")
    var json = false

    func run() async throws {
        let directory = data ?? ProcessInfo.processInfo.environment["PANDO_DATA"] ?? "./pando-data"
        // What was imported and has not been run yet has no key; nothing is written in its name here.
        guard FileManager.default.fileExists(atPath: directory + "/segments") else {
            throw Failure("there is no database in \(directory); name another directory with --data")
        }
        let actor = Actor(node: try NodeKey.existing(directory: directory)?.id ?? NodeID(publicKey: []))
        let report = try await BlockingThreads(count: 1, name: "verify").run {
            let database: FileDatabase
            do {
                database = try FileDatabase(directory: directory, actor: actor)
            } catch {
                throw Failure("\(error)")
            }
            defer { database.close() }
            return try database.verify()
        }
        if json {
            try Output.json(Summary(report))
        } else {
            Output.line("\(report.objects) objects, \(report.bytes) bytes checked; \(report.faults.count) faults")
            for fault in report.faults { Output.line("\(fault.path): \(fault.reason)") }
        }
        if !report.faults.isEmpty { throw ExitCode(1) }
    }

    private struct Summary: Encodable {
        struct Fault: Encodable {
            var path: String
            var reason: String
        }

        var objects: Int
        var bytes: UInt64
        var faults: [Fault]

        init(_ report: VerificationReport) {
            objects = report.objects
            bytes = report.bytes
            faults = report.faults.map { Fault(path: $0.path, reason: $0.reason) }
        }
    }
}
