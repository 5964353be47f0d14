import ArgumentParser
import Foundation
import Simulation

/// Runs one seed after another in this process.
struct Worker {
    var isSwarm: Bool

    func run(_ seeds: ClosedRange<UInt64>) throws {
        for seed in seeds {
            let outcome = try Worker.outcome(seed, Features(seed: seed, isSwarm: isSwarm), keepsTrace: false)
            print("\(seed) \(outcome.commits) \(outcome.acknowledged) \(outcome.messages) \(outcome.failure ?? "")")
            fflush(nil)
        }
    }

    /// On a thread with a deep stack, since trees are walked by recursion.
    static func outcome(_ seed: UInt64, _ features: Features, keepsTrace: Bool) throws -> ClusterRun.Outcome {
        let directory = scratchDirectory()
        // A run that was killed, in a process of the same number, has left its files there.
        try? FileManager.default.removeItem(atPath: directory)
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: directory) }
        nonisolated(unsafe) var outcome: ClusterRun.Outcome?
        let done = DispatchSemaphore(value: 0)
        let thread = Thread {
            outcome = ClusterRun(seed: seed, features: features, keepsTrace: keepsTrace).run(directory: directory)
            done.signal()
        }
        thread.stackSize = 64 << 20
        thread.start()
        done.wait()
        guard let outcome else { throw ExitCode.failure }
        return outcome
    }

    /// In memory where there is such a place: the small files are written and synced often.
    private static func scratchDirectory() -> String {
        let base = FileManager.default.isWritableFile(atPath: "/dev/shm") ? "/dev/shm" : NSTemporaryDirectory()
        return "\(base)/pando-simulation-\(ProcessInfo.processInfo.processIdentifier)"
    }
}
