import Causality
import Content
import Crypto
import FileDatabase
import Foundation
import Merkle
import Objects
import Platform

/// What keeps a database in order: the mark, compaction, scrub; and what of its past is looked up.
struct CareBenchmark {
    let settings: Settings

    func run(_ report: inout Report) async throws {
        try await mark(&report)
        try compact(&report)
        try scrub(&report)
        try await past(&report)
    }

    // MARK: Mark

    /// Files of one small chunk each, in directories of some hundred.
    private func mark(_ report: inout Report) async throws {
        let scratch = try Scratch(in: settings.scratch)
        let count = settings.scaled(1_000_000)
        do {
            let database = try FileDatabase.unsynced(in: scratch.path)
            for start in stride(from: 0, to: count, by: 20_000) {
                let objects = (start..<min(start + 20_000, count)).map { PreparedObject(.chunk, Array("file \($0)".utf8)) }
                try database.store.append(objects)
                let items = try objects.enumerated().map { index, object in
                    let content = FileContent(root: object.hash, height: 0, size: UInt64(object.rawLength))
                    return FileDatabase.BulkItem(
                        path: try TreePath("/d\((start + index) / 300)/file-\(start + index)"),
                        value: .file(FileValue(content: content, mediaType: "text/plain", modifiedAt: 0)))
                }
                _ = try await database.put(items)
            }
            database.close()
        }
        let database = try FileDatabase.unsynced(in: scratch.path)
        defer { database.close() }
        var rates: [Double] = []
        var objects: UInt64 = 0
        for run in 0...settings.runs {
            let start = ContinuousClock.now
            var marked: Double?
            var options = CollectionOptions()
            options.bytesPerSecond = nil
            let result = try database.collect(options, progress: { progress in
                if progress.phase != .mark, marked == nil { marked = start.duration(to: .now).seconds }
            })
            objects = result.live.objects
            if run > 0, let marked { rates.append(Double(objects) / marked) }
        }
        report.add("care/mark", rates, "objects/s", goal: .atLeast(500_000), note: "\(objects) objects")
    }

    // MARK: Compaction

    private func compact(_ report: inout Report) throws {
        let size = 256 << 10
        let payload = Payload.random(settings.scaled(2 << 30) / size * size, seed: 3)
        defer { withExtendedLifetime(payload) {} }
        let pieces = payload.pieces(of: size)
        let megabytes = Double(pieces.count * size) / 1e6
        var (rates, copied, limits): ([Double], [Double], [Double]) = ([], [], [])
        for _ in 0..<settings.runs {
            let scratch = try Scratch(in: settings.scratch)
            do {
                let file = try BareFile(in: scratch.path)
                sync()
                limits.append(megabytes / (try seconds {
                    for piece in pieces { try file.append(piece) }
                    try file.sync()
                }))
            }
            let store = try ObjectStore.empty(in: scratch.path)
            let marks = Marks()
            for (index, piece) in pieces.enumerated() {
                let object = PreparedObject(.chunk, Array(piece))
                if index % 2 == 0 { marks.keep(object.hash) }
                try store.append([object])
            }
            let start = try store.startOfCollection()
            let use = try store.sweep(before: start, except: marks, removes: true) { _ in }
            sync()
            var done: CompactionReport?
            let time = try seconds {
                done = try store.compact(use, bytesPerSecond: nil, isCancelled: { false }, progress: { _, _ in })
            }
            rates.append(megabytes / time)
            copied.append(Double(done?.copiedBytes ?? 0) / 1e6 / time)
            store.close()
        }
        report.add(
            "care/compact segments half dead", rates, "MB/s", limit: ("writing a file", limits), goal: .ratioAtLeast(0.5),
            note: "copied \(Report.short(Spread(copied).median)) MB/s")
    }

    // MARK: Scrub

    private func scrub(_ report: inout Report) throws {
        let size = 256 << 10
        let payload = Payload.random(settings.scaled(1 << 30) / size * size, seed: 4)
        let megabytes = Double(payload.bytes.count) / 1e6
        let scratch = try Scratch(in: settings.scratch)
        let store = try ObjectStore.empty(in: scratch.path)
        for piece in payload.pieces(of: size) { try store.append([PreparedObject(.chunk, Array(piece))]) }
        store.close()
        var (rates, limits): ([Double], [Double]) = ([], [])
        for run in 0...settings.runs {
            let bare = seconds {
                for piece in payload.pieces(of: size) { keep(SHA256.hash(data: UnsafeRawBufferPointer(piece))) }
            }
            var options = ScrubOptions()
            options.bytesPerSecond = nil
            let time = try seconds { keep(try store.scrub(options)) }
            if run > 0 {
                limits.append(megabytes / bare)
                rates.append(megabytes / time)
            }
        }
        report.add("care/scrub", rates, "MB/s", limit: ("SHA-256", limits), goal: .ratioAtLeast(0.7))
    }

    // MARK: The past

    private func past(_ report: inout Report) async throws {
        let scratch = try Scratch(in: settings.scratch)
        let database = try FileDatabase.unsynced(in: scratch.path)
        defer { database.close() }
        let count = settings.scaled(100_000)
        var numbers = Numbers(seed: 6)
        var times: [UInt64] = []
        for number in 0..<count {
            let object = PreparedObject(.chunk, Array("state \(number)".utf8))
            let content = FileContent(root: object.hash, height: 0, size: UInt64(object.rawLength))
            let path = try TreePath("/d\(number % 50)/file-\(number % 1000)")
            _ = try await database.put(.file(FileValue(content: content, mediaType: "text/plain", modifiedAt: 0)), at: path, objects: [object])
            times.append(database.now)
        }
        let path = try TreePath("/d7/file-7")
        keep(try database.history(of: path, limit: 1))
        var (looks, pages, snapshots): ([Double], [Double], [Double]) = ([], [], [])
        for number in 0..<50 {
            let time = times[Int.random(in: 0..<count, using: &numbers)]
            looks.append(1000 * (try seconds { keep(try database.view(at: .time(time), for: path).view.entry(at: path)) }))
            pages.append(1000 * (try seconds { keep(try database.history(of: path, limit: 1000)) }))
            snapshots.append(1000 * (try await seconds { keep(try await database.makeSnapshot("s\(number)")) }))
        }
        report.add("care/?at= through \(count) commits", looks, "ms", goal: .atMost(50))
        report.add("care/history of a path through \(count) commits", pages, "ms", goal: .atMost(50), note: "\(count / 1000) versions")
        report.add("care/snapshot", snapshots, "ms", goal: .atMost(5), note: "without sync to disk")
    }
}

extension FileDatabase {
    /// A database that acknowledges what is not durable yet.
    fileprivate static func unsynced(in directory: String) throws -> FileDatabase {
        _ = try OperatingSystemDisk(path: directory + "/history")
        return try FileDatabase(
            store: ObjectStore.empty(in: directory, syncs: false), actor: .benchmark, time: SystemTime(),
            history: LMDBTable(directory: directory + "/history"))
    }
}
