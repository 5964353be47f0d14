import ArgumentParser
import Foundation

@main
struct Benchmarks: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "benchmarks", abstract: "Measures Pando's layers, each against a limit taken in the same run.",
        subcommands: [Run.self, Reopen.self], defaultSubcommand: Run.self)
}

/// What can be measured.
enum Suite: String, CaseIterable, ExpressibleByArgument {
    case hash, chunker, ingest, tree, objects, commit, footprint, token, listing, care
}

/// What all suites go by.
struct Settings {
    var runs: Int
    var scale: Double
    var scratch: String
    /// The most entries of a directory.
    var largestDirectory: Int

    /// A count or a size at this scale.
    func scaled(_ full: Int) -> Int { max(1, Int(Double(full) * scale)) }
}

struct Run: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Measure some suites, or all of them.")

    @Argument(help: "Which (default: all): \(Suite.allCases.map(\.rawValue).joined(separator: ", ")).")
    var suites: [Suite] = []

    @Option(help: "How often each thing is measured, after a warm-up.")
    var runs = 3

    @Option(help: "The share of the full sizes: 0.05 is a quick look.")
    var scale = 1.0

    @Option(help: "Where databases and files are made; on the disk that is to be measured.")
    var scratch = NSTemporaryDirectory()

    @Option(help: ArgumentHelp("Also write the figures to a file, as JSON.", valueName: "file"))
    var json: String?

    func validate() throws {
        guard runs > 0, scale > 0 else { throw ValidationError("--runs and --scale are above 0") }
    }

    func run() async throws {
        let settings = Settings(runs: runs, scale: scale, scratch: scratch, largestDirectory: Int(1_000_000 * min(scale, 1)))
        var report = Report()
        for suite in suites.isEmpty ? Suite.allCases : suites {
            switch suite {
            case .hash: HashBenchmark(settings: settings).run(&report)
            case .chunker: ChunkerBenchmark(settings: settings).run(&report)
            case .ingest: try await IngestBenchmark(settings: settings).run(&report)
            case .tree: try await TreeBenchmark(settings: settings).run(&report)
            case .objects: try ObjectBenchmark(settings: settings).run(&report)
            case .commit: try await CommitBenchmark(settings: settings).run(&report)
            case .footprint: try await FootprintBenchmark(settings: settings).run(&report)
            case .token: try await TokenBenchmark(settings: settings).run(&report)
            case .listing: try await ListingBenchmark(settings: settings).run(&report)
            case .care: try await CareBenchmark(settings: settings).run(&report)
            }
        }
        if let json { try report.write(to: json, scale: scale) }
    }
}
