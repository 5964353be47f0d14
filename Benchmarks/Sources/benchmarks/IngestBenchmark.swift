import Causality
import Content
import FileDatabase
import Foundation
import Merkle

/// A large file into a database, durable, against a bare loop that cuts, hashes and writes the same bytes in one thread.
struct IngestBenchmark {
    let settings: Settings
    /// What a server's pieces are like.
    private static let pieceSize = 64 << 10

    func run(_ report: inout Report) async throws {
        let payload = Payload.random(settings.scaled(1 << 30), seed: 3)
        let megabytes = Double(payload.bytes.count) / 1e6
        var bare: [Double] = []
        var ours: [Double] = []
        for run in 0...settings.runs {
            let limit = try bareSeconds(payload)
            let time = try await databaseSeconds(payload)
            // The first round warms up the memory and the disk.
            if run > 0 {
                bare.append(megabytes / limit)
                ours.append(megabytes / time)
            }
        }
        report.add("ingest/bare loop: cut, hash, write, sync", bare, "MB/s")
        report.add(
            "ingest/file into a database, durable", ours, "MB/s", limit: ("bare loop", bare), goal: .ratioAtLeast(0.7))
    }

    private func bareSeconds(_ payload: Payload) throws -> Double {
        let scratch = try Scratch(in: settings.scratch)
        let file = try BareFile(in: scratch.path)
        sync()
        return try seconds {
            var chunker = Chunker()
            var rest = payload.bytes
            while !rest.isEmpty {
                let end = chunker.cut(rest) ?? rest.count
                let chunk = UnsafeRawBufferPointer(rebasing: rest[..<end])
                keep(ContentHash(of: .chunk, chunk))
                try file.append(chunk)
                rest = UnsafeRawBufferPointer(rebasing: rest[end...])
            }
            try file.sync()
        }
    }

    private func databaseSeconds(_ payload: Payload) async throws -> Double {
        let scratch = try Scratch(in: settings.scratch)
        let database = try FileDatabase.empty(in: scratch.path)
        defer { database.close() }
        let path = try TreePath("/large.bin")
        sync()
        return try await seconds {
            let upload = FileUpload(to: database)
            for piece in payload.pieces(of: IngestBenchmark.pieceSize) {
                upload.add(piece)
                try await upload.drain()
            }
            let (content, objects) = try await upload.finish()
            let value = Value.file(FileValue(content: content, mediaType: "application/octet-stream", modifiedAt: 0))
            keep(try await database.put(value, at: path, objects: objects))
        }
    }
}

extension FileDatabase {
    /// Opens the database in a directory under a made-up name for this process.
    static func empty(in directory: String) throws -> FileDatabase {
        try FileDatabase(directory: directory, actor: .benchmark)
    }
}

extension Actor {
    static let benchmark = Actor(node: NodeID(publicKey: Array("benchmark".utf8)))
}
