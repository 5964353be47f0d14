import Causality
import Content
@testable import FileDatabase
import Merkle
import Objects
import TestSupport
import Testing

@Suite("Content of files")
struct FileContentTests {
    static let sizes = [0, 1, 65_535, 65_536, 65_537, (1 << 20) - 1, 1 << 20, (1 << 20) + 1, 3 << 20]

    @Test("A file of any size is cut, stored and read back", arguments: sizes, [true, false])
    func roundTrip(size: Int, isRandom: Bool) async throws {
        let database = try FileDatabase.inMemory()
        var random = SplitMix64(seed: UInt64(size))
        let bytes = isRandom ? random.bytes(size) : [UInt8](repeating: 7, count: size)
        let (content, objects) = try await database.upload(bytes, pieces: 1 + random.below(200_000))
        #expect(content.size == UInt64(size))
        let value = Value.file(FileValue(content: content, mediaType: "application/octet-stream", modifiedAt: 0))
        let result = try await database.put(value, at: path("/f"), objects: objects)
        #expect(result.info.contentHash == content.root)
        #expect(try await database.read(content) == bytes)
        #expect(try database.chunks(of: content, limit: 10_000).map(\.size).reduce(0, +) == UInt64(size))
        for _ in 0..<5 {
            let start = random.below(size + 1)
            let end = start + random.below(size - start + 1)
            #expect(try await database.read(content, UInt64(start)..<UInt64(end)) == Array(bytes[start..<end]))
        }
        #expect(try database.verify().faults.isEmpty)
        // The same bytes again, in other pieces, are the same content and take no room.
        let count = try database.store.objectCount()
        #expect(try await database.upload(bytes, pieces: 70_001).content == content)
        #expect(try database.store.objectCount() == count)
    }

    @Test("A range reads its chunks and no others", arguments: Seed.several(3))
    func ranges(seed: Seed) async throws {
        var random = seed.generator
        let disk = FaultyDisk()
        let database = try FileDatabase.inMemory(disk)
        let bytes = random.bytes(3 << 20)
        let (content, objects) = try await database.upload(bytes)
        _ = try await database.put(.file(FileValue(content: content, mediaType: "", modifiedAt: 0)), at: path("/f"), objects: objects)
        #expect(content.height == 1)
        let chunks = try database.chunks(of: content, limit: 10_000)
        let manifest = try #require(try database.store.location(of: content.root))
        for _ in 0..<8 {
            let start = UInt64(random.below(bytes.count))
            let end = min(start + UInt64(random.below(100_000)) + 1, content.size)
            var (offset, expected, count): (UInt64, Int, Int) = (0, Int(manifest.storedLength), 1)
            for chunk in chunks {
                if offset < end, offset + chunk.size > start {
                    expected += Int(try #require(try database.store.location(of: chunk.hash)).storedLength)
                    count += 1
                }
                offset += chunk.size
            }
            let (reads, bytesRead) = (disk.reads, disk.bytesRead)
            #expect(try await database.read(content, start..<end) == Array(bytes[Int(start)..<Int(end)]))
            #expect(disk.bytesRead - bytesRead == expected)
            #expect(disk.reads - reads == count)
        }
    }

    @Test("An upload that is dropped changes nothing that anyone sees")
    func dropped() async throws {
        let database = try FileDatabase.inMemory()
        try await database.put("text", at: "/f")
        let before = database.head
        var random = SplitMix64(seed: 1)
        do {
            let upload = FileUpload(to: database)
            random.bytes(700_000).withUnsafeBytes { upload.add($0) }
            try await upload.drain()
        }
        #expect(database.head == before)
        #expect(try await database.everything() == ["/f": "text"])
    }

    @Test("Damage is told of, and costs the file that it is in")
    func damage() async throws {
        let disk = FaultyDisk()
        let database = try FileDatabase.inMemory(disk)
        try await database.put("some bytes to be damaged", at: "/d/f")
        try await database.put("others", at: "/g")
        let file = try #require(try database.view.info(at: path("/d/f"))?.file)
        let location = try #require(try database.store.location(of: file.content.root))
        disk.flip("00000001.segment", at: Int(location.position.offset) + 3)
        let error = await #expect(throws: DatabaseError.self) { _ = try await database.read(file.content) }
        #expect(error?.code == .damaged)
        #expect(try database.verify().faults.map(\.path) == ["/d/f"])
        #expect(try await database.text(at: "/g") == "others")
    }

    // MARK: - Documents

    @Test("Documents are written, replaced, deleted and listed, and never show among the files")
    func documents() async throws {
        let disk = FaultyDisk()
        let database = try FileDatabase.inMemory(disk)
        let (a, b) = (try path("/keys/a"), try path("/keys/b"))
        #expect(try database.view.document(a) == nil)
        #expect(try database.view.documents(in: path("/keys")).isEmpty)
        let commits = try DurabilityTests.commits(database).count
        try await database.setDocuments([(b, Array("2".utf8)), (a, Array("1".utf8))])
        #expect(try DurabilityTests.commits(database).count == commits + 1)
        try await database.setDocument(Array("3".utf8), at: a)
        func documents(_ database: FileDatabase) throws -> [String] {
            try database.view.documents(in: path("/keys")).map { "\($0.name)=\(String(decoding: $0.bytes, as: UTF8.self))" }
        }
        #expect(try documents(database) == ["a=3", "b=2"])
        let before = database.head
        try await database.setDocument(nil, at: path("/keys/c"))
        #expect(database.head == before)
        try await database.setDocument(nil, at: b)
        #expect(try database.view.document(b) == nil)
        #expect(try documents(FileDatabase.inMemory(disk.copy())) == ["a=3"])
        let large = [UInt8](repeating: 1, count: FileDatabase.Limits.maximumDocumentSize + 1)
        let after = database.head
        let error = await #expect(throws: DatabaseError.self) { try await database.setDocuments([(b, [1]), (a, large)]) }
        #expect(error?.code == .invalid)
        #expect(database.head == after)
        #expect(try await database.everything() == [:])
        #expect(database.head.commit.files == .empty)
        // They join like files, and in their own tree.
        let other = try FileDatabase.inMemory(actor: 2)
        try await other.setDocument([9], at: path("/keys/d"))
        try await other.take(from: database, .system)
        #expect(try documents(other).count == 2)
        #expect(other.head.commit.files == .empty)
    }
}
