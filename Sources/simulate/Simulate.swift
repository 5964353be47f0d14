import ArgumentParser
import Foundation
import Simulation

#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

@main
struct Simulate: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "simulate",
        abstract: "Runs whole clusters in simulated worlds and looks for what must never happen.",
        discussion: """
            Each run is drawn from its seed: machines, network, users and faults. A run that fails is run again with less and \
            less in it, and the shortest that still fails is printed. 'simulate --seed N' repeats a run exactly.
            """)

    @Option(help: "Repeat the run of this seed alone, and print what went on.")
    var seed: UInt64?

    @Option(help: "How many runs.")
    var runs: Int?

    @Option(help: "Run for so many minutes.")
    var minutes: Double?

    @Option(help: "The seed of the first run; the next ones count on from there.")
    var from: UInt64 = 1

    @Option(help: "Processes at once; 0 for one a core.")
    var jobs: Int = 0

    @Flag(inversion: .prefixedNo, help: "Leave out features at random, so that each is also tried without the others.")
    var swarm = true

    @Flag(inversion: .prefixedNo, help: "Look for a shorter run behind each that fails.")
    var shrink = true

    @Flag(help: "Print each line of the trace, and what the nodes log.")
    var trace = false

    @Option(help: .hidden)
    var features: String?

    @Option(help: .hidden)
    var last: UInt64?

    func validate() throws {
        if let runs, runs < 1 { throw ValidationError("--runs takes a number from 1 on") }
        if let minutes, !(minutes > 0) { throw ValidationError("--minutes takes a number above 0") }
        if jobs < 0 { throw ValidationError("--jobs takes a number from 0 on") }
        if seed != nil, runs != nil || minutes != nil { throw ValidationError("--seed repeats one run; leave --runs and --minutes away") }
    }

    func run() throws {
        try repeatable()
        if let seed {
            try single(seed)
        } else if let last {
            try Worker(isSwarm: swarm).run(from...last)
        } else {
            try Campaign(isSwarm: swarm, first: from, runs: runs ?? (minutes == nil ? 100 : nil), minutes: minutes, jobs: jobs, shrinks: shrink).run()
        }
    }

    /// Starts this program anew where the order of sets and dictionaries would differ from process to process: then the same
    /// seed would not be the same run.
    private func repeatable() throws {
        guard getenv("SWIFT_DETERMINISTIC_HASHING") == nil else { return }
        setenv("SWIFT_DETERMINISTIC_HASHING", "1", 1)
        // Simulated disks grow and go by the megabyte: giving their memory back to the system each time costs more than filling it.
        setenv("MALLOC_ARENA_MAX", "1", 1)
        setenv("MALLOC_MMAP_THRESHOLD_", "\(32 << 20)", 1)
        setenv("MALLOC_TRIM_THRESHOLD_", "\(1 << 30)", 1)
        guard let path = Bundle.main.executablePath else { return }
        var arguments = CommandLine.arguments.map { strdup($0) } + [nil]
        execv(path, &arguments)
        throw ValidationError("cannot start this program anew: \(String(cString: strerror(errno)))")
    }

    /// One run, told of in full.
    private func single(_ seed: UInt64) throws {
        let features = try features.map { try JSONDecoder().decode(Features.self, from: Data($0.utf8)) } ?? Features(seed: seed, isSwarm: swarm)
        let outcome = try Worker.outcome(seed, features, keepsTrace: trace)
        for line in outcome.trace { print(line) }
        print("seed \(seed): \(features)")
        print("\(outcome.commits) commits, \(outcome.acknowledged) versions told to users, \(outcome.messages) messages, \(Int(outcome.seconds)) s of the world's time")
        print("trace \(outcome.digest)")
        guard let failure = outcome.failure else { return print("nothing wrong") }
        print("FAILED: \(failure)")
        throw ExitCode.failure
    }
}
