import Causality
import Content
import FileDatabase
import Foundation
import Merkle
import Synchronization

/// Small files from several writers at once, each acknowledged when it is durable, against the disk's own rate of syncs.
struct CommitBenchmark {
    let settings: Settings
    private static let duration = Duration.seconds(3)

    func run(_ report: inout Report) async throws {
        for writers in [1, 16, 64, 256] {
            var rates: [Double] = []
            var limits: [Double] = []
            var latencies: [Double] = []
            var commits = 0
            var files = 0
            for _ in 0..<settings.runs {
                limits.append(try BareFile.syncRate(in: settings.scratch, count: settings.scaled(1000)))
                let scratch = try Scratch(in: settings.scratch)
                let database = try FileDatabase.empty(in: scratch.path)
                let counter = Mutex(0)
                let observer = database.addObserver { _ in counter.withLock { $0 += 1 } }
                let start = ContinuousClock.now
                let taken = try await write(to: database, writers)
                rates.append(Double(taken.count) / start.duration(to: .now).seconds)
                database.removeObserver(observer)
                database.close()
                latencies += taken
                files += taken.count
                commits += counter.withLock { $0 }
            }
            report.add(
                "commit/\(writers) writers of 4 KiB", rates, "files/s", limit: ("fdatasync/s", limits),
                note: String(
                    format: "%.1f files a commit, p50 %.2f ms, p99 %.2f ms", Double(files) / Double(max(commits, 1)),
                    percentile(latencies, 50) * 1000, percentile(latencies, 99) * 1000))
        }
    }

    /// - Returns: the seconds that each write took.
    private func write(to database: FileDatabase, _ writers: Int) async throws -> [Double] {
        let duration = CommitBenchmark.duration * min(settings.scale, 1)
        return try await withThrowingTaskGroup(of: [Double].self) { group in
            for writer in 0..<writers {
                group.addTask {
                    var numbers = Numbers(seed: UInt64(writer + 1))
                    var times: [Double] = []
                    let end = ContinuousClock.now + duration
                    while ContinuousClock.now < end {
                        let bytes = numbers.bytes(4096)
                        let path = try TreePath("/writer-\(writer)/file-\(times.count)")
                        times.append(try await seconds { try await database.put(bytes, at: path) })
                    }
                    return times
                }
            }
            return try await group.reduce(into: []) { $0 += $1 }
        }
    }
}

extension FileDatabase {
    /// Puts a small file as a server does.
    fileprivate func put(_ bytes: [UInt8], at path: TreePath) async throws {
        let upload = FileUpload(to: self)
        bytes.withUnsafeBytes { upload.add($0) }
        let (content, objects) = try await upload.finish()
        let value = Value.file(FileValue(content: content, mediaType: "application/octet-stream", modifiedAt: 0))
        keep(try await put(value, at: path, objects: objects))
    }
}
