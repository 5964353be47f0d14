import ArgumentParser
import Causality
import Content
import FileDatabase
import Foundation
import Merkle
import Objects

/// Half a million small files: what they take on the disk besides their bytes, and what a process that opens them takes.
struct FootprintBenchmark {
    let settings: Settings
    private static let fileSize = 4096
    private static let filesPerDirectory = 1000
    private static let batch = 10_000

    func run(_ report: inout Report) async throws {
        let count = settings.scaled(500_000)
        let scratch = try Scratch(in: settings.scratch)
        let filling = try await seconds { try await fill(scratch.path, count) }
        let name = "footprint/\(count) files of 4 KiB"
        report.add(name + ": bulk put", [Double(count) / filling], "files/s")
        let beyond = scratch.diskBytes - count * FootprintBenchmark.fileSize
        report.add(name + ": disk beyond content", [Double(beyond) / Double(count)], "bytes/file", goal: .atMost(400))

        let reopened = try Reopen.inProcess(of: scratch.path)
        let goal = Goal.atMost(150)
        func note(_ resident: Process.Resident) -> String { "\(resident.anonymous / 1_000_000) MB without mapped files" }
        report.add(name + ": open", [reopened.openSeconds * 1000], "ms")
        report.add(name + ": resident at rest", [Double(reopened.atRest.total) / 1e6], "MB", goal: goal, note: note(reopened.atRest))
        report.add(name + ": list all", [Double(reopened.items) / reopened.listSeconds], "items/s")
        report.add(name + ": resident after listing", [Double(reopened.listed.total) / 1e6], "MB", goal: goal, note: note(reopened.listed))
    }

    private func fill(_ directory: String, _ count: Int) async throws {
        let database = try FileDatabase.empty(in: directory)
        defer { database.close() }
        var numbers = Numbers(seed: 11)
        for start in stride(from: 0, to: count, by: FootprintBenchmark.batch) {
            var objects: [PreparedObject] = []
            var items: [FileDatabase.BulkItem] = []
            for index in start..<min(start + FootprintBenchmark.batch, count) {
                let object = PreparedObject(.chunk, numbers.bytes(FootprintBenchmark.fileSize))
                objects.append(object)
                items.append(FileDatabase.BulkItem(
                    path: try TreePath("/folder-\(index / FootprintBenchmark.filesPerDirectory)/file-\(index).dat"),
                    value: .file(FileValue(
                        content: FileContent(root: object.hash, height: 0, size: UInt64(FootprintBenchmark.fileSize)),
                        mediaType: "application/octet-stream", modifiedAt: 1_700_000_000_000_000_000 + Int64(index)))))
            }
            try database.store.append(objects)
            keep(try await database.put(items))
        }
    }
}

/// Opens a database in a process of its own, and tells its memory: at rest, and after listing everything.
struct Reopen: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Open a database and print its resident memory, as JSON.", shouldDisplay: false)

    struct Reading: Codable {
        var openSeconds = 0.0
        var atRest = Process.Resident()
        var items = 0
        var listSeconds = 0.0
        var listed = Process.Resident()
    }

    @Argument(help: "The database's directory.")
    var directory: String

    func run() async throws {
        var reading = Reading()
        var opened: FileDatabase?
        reading.openSeconds = try seconds { opened = try FileDatabase.empty(in: directory) }
        guard let database = opened else { return }
        try await Task.sleep(for: .seconds(1))
        reading.atRest = Process.resident()
        reading.listSeconds = try seconds {
            var options = ListOptions()
            options.recursive = true
            options.limit = 1000
            repeat {
                let page = try database.view.list(.root, options)
                reading.items += page.items.count
                options.after = page.next
            } while options.after != nil
        }
        reading.listed = Process.resident()
        database.close()
        FileHandle.standardOutput.write(try JSONEncoder().encode(reading))
    }

    static func inProcess(of directory: String) throws -> Reading {
        let process = Foundation.Process()
        process.executableURL = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath()
        process.arguments = ["reopen", directory]
        let pipe = Pipe()
        process.standardOutput = pipe
        try process.run()
        let output = try pipe.fileHandleForReading.readToEnd() ?? Data()
        process.waitUntilExit()
        return try JSONDecoder().decode(Reading.self, from: output)
    }
}
