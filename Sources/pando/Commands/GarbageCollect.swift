import ArgumentParser
import FileDatabase
import Foundation
import HTTPClient
import Node

struct GarbageCollect: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "gc", abstract: "Let go of what no state that is kept needs any more.",
        discussion: """
            What is kept is what 'pando retention' says, and snapshots. --dry-run explains what would go and what is kept for which \
            reason, and changes nothing. Of a running node, beside its other work, or of a stopped one's directory. A running node collects by \
            itself once a day.
            """)

    @OptionGroup var options: GlobalOptions

    @Flag(help: "Only tell what would go.")
    var dryRun = false

    @Option(help: ArgumentHelp("Bytes a second to read and write at the most: 64M, 500K, 1G (default: as fast as it goes).", valueName: "rate"))
    var rate: ByteRate?

    func run() async throws {
        let session = CareSession(options, verb: "collected")
        let rate = rate?.bytes
        let result: JSONValue
        if let directory = session.stoppedDirectory {
            result = try await collect(session, directory, rate)
        } else {
            result = try await session.run("gc", isDryRun: dryRun, rate: rate)
        }
        if options.json { return try Output.json(result) }
        show(try result.decode())
    }

    private func collect(_ session: CareSession, _ directory: String, _ rate: UInt64?) async throws -> JSONValue {
        var options = CollectionOptions()
        options.isDryRun = dryRun
        options.bytesPerSecond = rate
        // By the cluster's time as the node last knew it.
        let now = Int64(Date().timeIntervalSince1970 * 1e6) + NodeClock.storedCorrection(directory: directory)
        options.now = UInt64(clamping: now)
        let chosen = options
        let figures = try await session.run(on: directory) { database, report in
            CollectionFigures(try database.collect(chosen, progress: { progress in
                if progress.phase == .compact { report(progress.done, progress.total) }
            }))
        }
        return try JSONDecoder().decode(JSONValue.self, from: Data(JSON.encode(figures)))
    }

    private func show(_ outcome: CollectionOutcome) {
        if dryRun {
            var table = Table([.left, .right, .right], header: ["kept as", "states", "for that alone"])
            for kept in outcome.kept { table.add(kept.reason, "\(kept.states)", kept.own.map { Output.size($0.bytes) } ?? "-") }
            table.print()
            for state in outcome.expired.prefix(10) {
                Output.line("goes: \(Output.time(state.time))  \(state.commit.prefix(12))  \(Output.shown(state.cause))")
            }
            if outcome.expiredStates > min(10, outcome.expired.count) {
                Output.line("goes: \(outcome.expiredStates - min(10, outcome.expired.count)) earlier states")
            }
        }
        Output.line("needed: \(Output.count(outcome.live.objects, "object")), \(Output.size(outcome.live.bytes))")
        let dead = "\(Output.count(outcome.dead.objects, "object")), \(Output.size(outcome.dead.bytes))"
        let freed = Output.size(UInt64(max(0, outcome.freedBytes)))
        Output.line(dryRun ? "would go: \(dead); that would free \(freed)" : "not needed: \(dead); freed \(freed) in \(Output.fixed(outcome.seconds)) s")
        if let remark = outcome.remark { Output.line(remark) }
    }
}
