import Content
import Crypto
import Foundation
import Objects
import Platform

/// Objects in and out of the store, one at a time, against bare system calls and SHA-256 over the same bytes.
struct ObjectBenchmark {
    let settings: Settings

    func run(_ report: inout Report) throws {
        for (name, size, total) in [("4 KiB", 4 << 10, 128 << 20), ("64 KiB", 64 << 10, 512 << 20), ("1 MiB", 1 << 20, 512 << 20)] {
            try measure(name, size, count: max(16, settings.scaled(total) / size), &report)
        }
        try compression(&report)
    }

    private func measure(_ name: String, _ size: Int, count: Int, _ report: inout Report) throws {
        let payload = Payload.random(size * count, seed: UInt64(size))
        let pieces = payload.pieces(of: size)
        var numbers = Numbers(seed: 9)
        let order = Array(0..<count).shuffled(using: &numbers)
        var bare = Directions()
        var ours = Directions()
        for _ in 0..<settings.runs {
            try bareFile(pieces, order, &bare)
            try store(pieces, order, &ours)
        }
        let note = { (values: [Double]) in "\(Report.short(Spread(values).median * Double(size) / 1e6)) MB/s" }
        report.add("objects/put \(name)", ours.put, "per s", limit: ("hash and write", bare.put), note: note(ours.put))
        report.add(
            "objects/put \(name), 64 at a time", ours.putMany, "per s", limit: ("hash and write", bare.put), note: note(ours.putMany))
        report.add("objects/get \(name)", ours.get, "per s", limit: ("read and hash", bare.get), note: note(ours.get))
    }

    private struct Directions {
        var put: [Double] = []
        var putMany: [Double] = []
        var get: [Double] = []
    }

    private func bareFile(_ pieces: [UnsafeRawBufferPointer], _ order: [Int], _ rates: inout Directions) throws {
        let scratch = try Scratch(in: settings.scratch)
        let file = try BareFile(in: scratch.path)
        let count = Double(pieces.count)
        sync()
        rates.put.append(count / (try seconds {
            for piece in pieces {
                keep(ContentHash(of: .chunk, piece))
                try file.append(piece)
            }
            try file.sync()
        }))
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: pieces[0].count, alignment: 16)
        defer { buffer.deallocate() }
        rates.get.append(count / (try seconds {
            for index in order {
                try file.read(into: buffer, at: index * pieces[0].count)
                keep(ContentHash(of: .chunk, UnsafeRawBufferPointer(buffer)))
            }
        }))
    }

    private func store(_ pieces: [UnsafeRawBufferPointer], _ order: [Int], _ rates: inout Directions) throws {
        let count = Double(pieces.count)
        do {
            let scratch = try Scratch(in: settings.scratch)
            let store = try ObjectStore.empty(in: scratch.path)
            sync()
            rates.putMany.append(count / (try seconds {
                for start in stride(from: 0, to: pieces.count, by: 64) {
                    let group = pieces[start..<min(start + 64, pieces.count)]
                    try store.append(group.map { PreparedObject(.chunk, Array($0)) })
                }
                try store.sync()
            }))
            store.close()
        }
        let scratch = try Scratch(in: settings.scratch)
        let store = try ObjectStore.empty(in: scratch.path)
        sync()
        rates.put.append(count / (try seconds {
            for piece in pieces { try store.append([PreparedObject(.chunk, Array(piece))]) }
            try store.sync()
        }))
        // From here on the index answers, not the table of recent objects.
        store.close()
        let hashes = order.map { ContentHash(of: .chunk, pieces[$0]) }
        rates.get.append(count / (try seconds {
            for hash in hashes { keep(try store.read(hash, .chunk)) }
        }))
    }

    private func compression(_ report: inout Report) throws {
        let payload = Payload.text(settings.scaled(128 << 20), seed: 5)
        let pieces = payload.pieces(of: 256 << 10)
        let megabytes = Double(payload.bytes.count) / 1e6
        var packing: [Double] = []
        var unpacking: [Double] = []
        var objects: [PreparedObject] = []
        for run in 0...settings.runs {
            let packed = seconds { objects = pieces.map { PreparedObject(.chunk, Array($0)) } }
            let unpacked = seconds { for object in objects { keep(object.raw()) } }
            if run > 0 {
                packing.append(megabytes / packed)
                unpacking.append(megabytes / unpacked)
            }
        }
        let stored = objects.reduce(0) { $0 + $1.stored.count }
        report.add(
            "objects/hash and compress text", packing, "MB/s",
            note: String(format: "to %.0f %%", Double(stored) * 100 / Double(payload.bytes.count)))
        report.add("objects/decompress text", unpacking, "MB/s")
    }
}

extension ObjectStore {
    static func empty(in directory: String, syncs: Bool = true) throws -> ObjectStore {
        let disk = try OperatingSystemDisk(path: directory + "/segments")
        _ = try OperatingSystemDisk(path: directory + "/index")
        return try ObjectStore(disk: syncs ? disk : UnsyncedDisk(disk), index: LMDBIndex(directory: directory + "/index"))
    }
}

/// A disk that acknowledges syncs without doing them: shows what everything else costs.
struct UnsyncedDisk: Disk {
    private let disk: any Disk

    init(_ disk: any Disk) {
        self.disk = disk
    }

    func names() throws(DiskError) -> [String] { try disk.names() }
    func open(_ name: String) throws(DiskError) -> any DiskFile { UnsyncedFile(try disk.open(name)) }
    func create(_ name: String) throws(DiskError) -> any DiskFile { UnsyncedFile(try disk.create(name)) }
    func remove(_ name: String) throws(DiskError) { try disk.remove(name) }
    func syncDirectory() throws(DiskError) {}
}

private final class UnsyncedFile: DiskFile {
    private let file: any DiskFile

    init(_ file: any DiskFile) {
        self.file = file
    }

    func size() throws(DiskError) -> UInt64 { try file.size() }
    func read(into buffer: UnsafeMutableRawBufferPointer, at offset: UInt64) throws(DiskError) -> Int {
        try file.read(into: buffer, at: offset)
    }
    func write(_ parts: [UnsafeRawBufferPointer], at offset: UInt64) throws(DiskError) { try file.write(parts, at: offset) }
    func truncate(to size: UInt64) throws(DiskError) { try file.truncate(to: size) }
    func sync() throws(DiskError) {}
    func startWriting(_ range: Range<UInt64>) {}
}
