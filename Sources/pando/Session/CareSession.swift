import Access
import Causality
import Content
import FileDatabase
import Foundation
import HTTPClient
import Node
import Platform

/// Runs a task of care and shows how far it has come: at the node that the options name, or on a stopped node's directory.
struct CareSession {
    let options: GlobalOptions
    let progress: Progress

    init(_ options: GlobalOptions, verb: String) {
        self.options = options
        progress = Progress(verb: verb, countsFiles: false)
    }

    /// The directory of a stopped node, where that is what is meant.
    var stoppedDirectory: String? {
        let directory = options.data ?? ProcessInfo.processInfo.environment["PANDO_DATA"] ?? "./pando-data"
        guard options.node == nil, LocalEndpoint.running(in: directory) == nil, FileManager.default.fileExists(atPath: directory + "/segments") else {
            return nil
        }
        return directory
    }

    // MARK: A running node

    /// Starts a task and waits for its end; one of the kind that runs already is followed instead.
    /// - Returns: its result.
    func run(_ kind: String, isDryRun: Bool = false, rate: UInt64? = nil) async throws -> JSONValue {
        try await options.withClient { client in
            var task: TaskItem
            do {
                task = try await client.startTask(kind, isDryRun: isDryRun, rate: rate)
            } catch let error as ClientError where error.status == 409 {
                guard let running = try await client.tasks().first(where: { $0.kind == kind && $0.state == "running" }) else { throw error }
                Output.note("one runs already; following it")
                task = running
            }
            let id = task.id
            task = try await progress.show(isQuiet: options.json) {
                var task = task
                while task.state == "running" {
                    try await Task.sleep(for: .milliseconds(200))
                    task = try await client.task(id)
                    let known = task.progress
                    progress.update { $0 = CareSession.state(known.bytes, known.totalBytes) }
                }
                return task
            }
            switch task.state {
            case "done": return task.result ?? .null
            case "cancelled": throw Failure("the task was cancelled")
            default: throw Failure(task.error ?? "the task failed")
            }
        }
    }

    private static func state(_ bytes: UInt64, _ total: UInt64?) -> Progress.State {
        Progress.State(bytes: bytes, totalBytes: total ?? 0, isCounted: total != nil)
    }

    // MARK: A stopped one

    /// Opens a stopped node's database for a while.
    func run<Result: Sendable>(
        on directory: String, _ body: @escaping @Sendable (FileDatabase, _ report: @escaping @Sendable (_ bytes: UInt64, _ total: UInt64?) -> Void) throws -> Result
    ) async throws -> Result {
        guard !FileManager.default.fileExists(atPath: directory + "/../pairing.json") else {
            throw Failure("\(directory) belongs to a synced folder, and 'pando sync' looks after it")
        }
        // What was imported and has not been run yet has no key; nothing is written in its name here.
        let actor = Actor(node: try NodeKey.existing(directory: directory)?.id ?? NodeID(publicKey: []))
        let progress = progress
        return try await progress.show(isQuiet: options.json) {
            try await BlockingThreads(count: 1, name: "care").run {
                do {
                    let database = try FileDatabase(directory: directory, actor: actor)
                    defer { database.close() }
                    return try body(database) { bytes, total in progress.update { $0 = CareSession.state(bytes, total) } }
                } catch let error as DatabaseError {
                    throw Failure(error.description)
                } catch let error as DirectoryInUse {
                    throw Failure(error.description)
                }
            }
        }
    }
}
