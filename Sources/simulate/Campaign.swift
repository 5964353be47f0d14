import ArgumentParser
import Foundation
import Simulation

/// Many runs, spread over processes. Each process does a few and goes: what a simulated world leaves in memory goes along.
struct Campaign {
    private static let runsOfProcess: UInt64 = 16

    var isSwarm: Bool
    var first: UInt64
    var runs: Int?
    var minutes: Double?
    var jobs: Int
    /// Whether a shorter run is looked for behind each that fails.
    var shrinks: Bool

    func run() throws {
        let start = Date()
        let limit = minutes.map { start.addingTimeInterval($0 * 60) }
        let jobs = jobs > 0 ? jobs : ProcessInfo.processInfo.activeProcessorCount
        var next = first
        let end = runs.map { first + UInt64($0) }
        var open: [Batch] = []
        var done = 0, commits = 0, acknowledged = 0, messages = 0
        var failures: [(seed: UInt64, reason: String)] = []
        while true {
            while open.count < jobs, failures.isEmpty, end.map({ next < $0 }) ?? true, limit.map({ Date() < $0 }) ?? true {
                let last = min(next + Campaign.runsOfProcess, end ?? .max) - 1
                open.append(try Batch(next...last, isSwarm: isSwarm))
                next = last + 1
            }
            guard !open.isEmpty else { break }
            let batch = open.removeFirst()
            for line in try batch.finish() {
                done += 1
                commits += line.commits
                acknowledged += line.acknowledged
                messages += line.messages
                if let reason = line.failure { failures.append((line.seed, reason)) }
            }
        }
        let seconds = Date().timeIntervalSince(start)
        print("\(done) runs from seed \(first) in \(Int(seconds)) s (\(Int(Double(done) / seconds * 60)) a minute): "
            + "\(commits) commits, \(acknowledged) versions told to users, \(messages) messages, \(failures.count) failures")
        for failure in failures.sorted(by: { $0.seed < $1.seed }) { try report(failure.seed, failure.reason) }
        if !failures.isEmpty { throw ExitCode.failure }
    }

    /// Looks for a shorter run that fails too, and prints how to repeat it.
    private func report(_ seed: UInt64, _ reason: String) throws {
        print("seed \(seed) FAILED: \(reason)")
        guard shrinks else { return }
        var shortest = Features(seed: seed, isSwarm: isSwarm)
        var words = reason
        var isShorter = true
        while isShorter {
            isShorter = false
            for reduced in shortest.reductions {
                guard let failure = try Campaign.failure(seed, reduced) else { continue }
                (shortest, words, isShorter) = (reduced, failure, true)
                break
            }
        }
        let text = String(decoding: try JSONEncoder().encode(shortest), as: UTF8.self)
        print("  the shortest found: \(shortest)\n  \(words)\n  simulate --seed \(seed) --trace --features '\(text)'")
    }

    /// Runs one seed in a process of its own.
    private static func failure(_ seed: UInt64, _ features: Features) throws -> String? {
        let text = String(decoding: try JSONEncoder().encode(features), as: UTF8.self)
        let output = try run(["--seed", "\(seed)", "--features", text])
        return output.split(separator: "\n").first { $0.hasPrefix("FAILED: ") }.map { String($0.dropFirst(8)) }
    }

    private static func run(_ arguments: [String]) throws -> String {
        let (process, output) = try start(arguments)
        let bytes = output.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        return String(decoding: bytes, as: UTF8.self)
    }

    fileprivate static func start(_ arguments: [String]) throws -> (Process, Pipe) {
        let process = Process()
        process.executableURL = Bundle.main.executableURL
        process.arguments = arguments
        let output = Pipe()
        process.standardOutput = output
        try process.run()
        return (process, output)
    }
}

/// Some runs in a process of their own.
private struct Batch {
    struct Line {
        var seed: UInt64
        var commits: Int
        var acknowledged: Int
        var messages: Int
        var failure: String?
    }

    private let seeds: ClosedRange<UInt64>
    private let process: Process
    private let output: Pipe

    init(_ seeds: ClosedRange<UInt64>, isSwarm: Bool) throws {
        self.seeds = seeds
        (process, output) = try Campaign.start([
            "--from", "\(seeds.lowerBound)", "--last", "\(seeds.upperBound)", isSwarm ? "--swarm" : "--no-swarm",
        ])
    }

    /// Waits for the process. A run that it died in counts as failed.
    func finish() throws -> [Line] {
        let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        var lines: [Line] = text.split(separator: "\n").compactMap { line in
            let parts = line.split(separator: " ", maxSplits: 4, omittingEmptySubsequences: false)
            guard parts.count == 5, let seed = UInt64(parts[0]), let commits = Int(parts[1]), let acknowledged = Int(parts[2]),
                let messages = Int(parts[3])
            else { return nil }
            return Line(
                seed: seed, commits: commits, acknowledged: acknowledged, messages: messages,
                failure: parts[4].isEmpty ? nil : String(parts[4]))
        }
        if lines.count < Int(seeds.upperBound - seeds.lowerBound + 1) {
            let seed = (lines.last?.seed ?? seeds.lowerBound &- 1) &+ 1
            lines.append(Line(
                seed: seed, commits: 0, acknowledged: 0, messages: 0, failure: "the process ended with status \(process.terminationStatus)"))
        }
        return lines
    }
}
