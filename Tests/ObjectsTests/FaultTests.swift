import Content
import Foundation
@testable import Objects
import Platform
import TestSupport
import Testing

@Suite("Faults of the disk")
struct FaultTests {
    static func commits(_ count: Int, to store: ObjectStore, size: Int = 100) throws -> [PreparedObject] {
        var random = SplitMix64(seed: UInt64(count))
        return try (0..<count).map { _ in
            let object = PreparedObject(.chunk, random.bytes(size))
            try store.commit([object], head: object.hash)
            return object
        }
    }

    // MARK: - Full

    @Test("On a full disk nothing is half-written, reads go on, and with room writing does", arguments: IndexKind.allCases, Seed.several(10))
    func full(kind: IndexKind, seed: Seed) throws {
        var random = seed.generator
        let fixture = try StoreFixture(kind)
        let store = try fixture.open(segmentSize: 2000)
        let before = try Self.commits(5, to: store)
        let size = fixture.disk.size
        fixture.disk.setCapacity(size + random.below(400))
        let objects = (0..<4).map { _ in PreparedObject(.chunk, random.bytes(120)) }
        for _ in 0..<3 {
            let error = #expect(throws: StoreError.self) { try store.commit(objects, head: objects[0].hash) }
            #expect(error?.code == .full)
            #expect(error?.isRetryable == true)
            #expect(fixture.disk.size <= size + 16, "at most an empty segment is left")
            #expect(store.head == before.last?.hash)
            #expect(try store.missing(among: objects.map(\.hash)).count == objects.count)
            for object in before { #expect(try store.has(object)) }
        }
        #expect(try ObjectStore(disk: fixture.disk.copy(), index: MemoryIndex()).head == before.last?.hash)
        fixture.disk.setCapacity(nil)
        try store.commit(objects, head: objects[0].hash)
        #expect(store.head == objects[0].hash)
        let reopened = try ObjectStore(disk: fixture.disk.copy(), index: MemoryIndex())
        #expect(reopened.head == objects[0].hash)
        #expect(reopened.recovery.cutBytes == 0)
        for object in before + objects { #expect(try reopened.has(object)) }
    }

    @Test("A write that fails leaves nothing; the next one works")
    func failedWrite() throws {
        let fixture = try StoreFixture(.memory)
        let store = try fixture.open()
        let before = try Self.commits(3, to: store)
        let bytes = fixture.disk.bytes(of: StoreFixture.firstSegment)
        fixture.disk.fail(.write, count: 1)
        let object = PreparedObject(.chunk, Array("some bytes".utf8))
        let error = #expect(throws: StoreError.self) { try store.append([object]) }
        #expect(error?.code == .disk)
        #expect(fixture.disk.bytes(of: StoreFixture.firstSegment) == bytes)
        #expect(try !store.contains(object.hash))
        try store.commit([object], head: object.hash)
        let reopened = try fixture.open()
        #expect(reopened.head == object.hash)
        for object in before { #expect(try reopened.has(object)) }
    }

    @Test func failedRead() throws {
        let fixture = try StoreFixture(.memory)
        let store = try fixture.open()
        let object = try Self.commits(1, to: store)[0]
        fixture.disk.fail(.read, count: 1)
        let error = #expect(throws: StoreError.self) { try store.read(object.hash, .chunk) }
        #expect(error?.code == .disk)
        #expect(try store.has(object))
    }

    // MARK: - Failed syncs

    @Test("After a failed sync nothing more is written, though the disk says that all is well again", arguments: [false, true])
    func failedSync(byFlush: Bool) throws {
        let fixture = try StoreFixture(.memory)
        let store = try fixture.open()
        let before = try Self.commits(3, to: store)
        let object = PreparedObject(.chunk, Array("bytes that are lost".utf8))
        try store.append([object])
        fixture.disk.fail(.sync, count: 1)
        if byFlush {
            store.flush()
        } else {
            let error = #expect(throws: StoreError.self) { try store.commit([], head: object.hash) }
            #expect(error?.code == .failed)
            #expect(error?.isRetryable == false)
        }
        let size = fixture.disk.size
        for _ in 0..<2 {
            #expect(throws: StoreError.self) { try store.sync() }
            #expect(throws: StoreError.self) { try store.commit([object], head: object.hash) }
            #expect(throws: StoreError.self) { try store.append([PreparedObject(.chunk, [1])]) }
            store.flush()
        }
        #expect(fixture.disk.size == size)
        for object in before { #expect(try store.has(object)) }
        // The index must not know of what the crash will take.
        for number in 0..<20 {
            var random = SplitMix64(seed: UInt64(number))
            var crashed = fixture
            crashed.disk = fixture.disk.crashed(&random)
            let store = try crashed.open()
            // The commit that was not acknowledged may be there all the same, but not without its objects.
            #expect(store.head == before.last?.hash || store.head == object.hash && !byFlush)
            #expect(try !store.contains(object.hash) && store.head != object.hash || store.has(object))
        }
    }

    @Test("A log that has lost what the index knew to be durable says so")
    func lostEnd() throws {
        let disk = FaultyDisk(), index = MemoryIndex()
        let store = try ObjectStore(disk: disk, index: index)
        _ = try Self.commits(3, to: store)
        store.close()
        #expect(try !ObjectStore(disk: disk, index: index).recovery.lostEnd)
        let name = try #require(try disk.names().first)
        disk.replace(name, with: Array(disk.bytes(of: name).dropLast(3)))
        #expect(try ObjectStore(disk: disk, index: index).recovery.lostEnd)
        // It is said once: from then on the index knows no better.
        #expect(try !ObjectStore(disk: disk, index: index).recovery.lostEnd)
    }

    @Test("The same where the sync is the one before the next segment")
    func failedSyncAtRoll() throws {
        let fixture = try StoreFixture(.memory)
        let store = try fixture.open(segmentSize: 300)
        _ = try Self.commits(1, to: store)
        let lost = PreparedObject(.chunk, [UInt8](1...200))
        try store.append([lost])
        fixture.disk.fail(.sync, count: 1)
        let next = PreparedObject(.chunk, [1, 2, 3])
        #expect(throws: StoreError.self) { try store.commit([next], head: next.hash) }
        let error = #expect(throws: StoreError.self) { try store.commit([next], head: next.hash) }
        #expect(error?.code == .failed)
        #expect(try fixture.disk.names() == [StoreFixture.firstSegment])
    }

    // MARK: - Damage

    @Test("A flipped bit of a record is found when it is read, and costs that object only", arguments: IndexKind.allCases, Seed.several(8))
    func flippedRecord(kind: IndexKind, seed: Seed) throws {
        var random = seed.generator
        let fixture = try StoreFixture(kind)
        let store = try fixture.open()
        let objects = try Self.commits(10, to: store)
        let victim = objects[random.below(objects.count)]
        let location = try #require(try store.location(of: victim.hash))
        fixture.disk.flip(StoreFixture.firstSegment, at: Int(location.position.offset) + random.below(100), bit: UInt8(random.below(8)))
        let error = #expect(throws: StoreError.self) { try store.read(victim.hash, .chunk) }
        #expect(error?.code == .damaged)
        #expect(error?.hash == victim.hash)
        for object in objects where object.hash != victim.hash { #expect(try store.has(object)) }
    }

    @Test("Damage before the durable mark is reported, and nothing later is lost", arguments: Seed.several(40))
    func damage(seed: Seed) throws {
        var random = seed.generator
        let fixture = try StoreFixture(.memory)
        let store = try fixture.open(segmentSize: random.once(in: 2) ? 1000 : 1 << 20)
        let objects = try Self.commits(12, to: store, size: 90)
        // The last two commits are behind the durable mark that the last head record knows.
        let victim = random.below(9)
        let location = try #require(try store.location(of: objects[victim].hash))
        let start = Int(location.position.offset) - 48
        let name = SegmentFiles.name(of: location.position.segment)
        // Somewhere in the record, or in the head record behind it.
        let offset = start + random.below(48 + 90 + 64)
        fixture.disk.flip(name, at: offset, bit: UInt8(random.below(8)))
        var lost = fixture
        lost.loseIndex()
        let reopened = try lost.open()
        #expect(reopened.head == objects.last?.hash)
        #expect(reopened.recovery.cutBytes == 0)
        let isLast = try location.position.segment == #require(SegmentFiles.number(of: fixture.disk.names().max()!))
        let isPayload = offset >= start + 48 && offset < start + 48 + 90
        if isLast || !isPayload {
            #expect(reopened.recovery.damaged.count == 1)
            #expect(reopened.recovery.damaged.allSatisfy { $0.segment == location.position.segment && $0.offset <= offset })
        }
        for (index, object) in objects.enumerated() where index != victim { #expect(try reopened.has(object)) }
        if offset < start + 48 + 90 { #expect(throws: StoreError.self) { try reopened.read(objects[victim].hash, .chunk) } }
    }

    @Test("A segment whose header is damaged is still read")
    func damagedSegmentHeader() throws {
        var fixture = try StoreFixture(.memory)
        let store = try fixture.open(segmentSize: 500)
        let objects = try Self.commits(6, to: store)
        fixture.disk.flip(StoreFixture.firstSegment, at: 2)
        fixture.loseIndex()
        let reopened = try fixture.open()
        #expect(reopened.recovery.damaged == [LogPosition(segment: 1, offset: 0)])
        #expect(reopened.head == objects.last?.hash)
        for object in objects { #expect(try reopened.has(object)) }
    }

    // MARK: - The index

    @Test("An index that was deleted, or is an old one, is made anew or brought up to date", arguments: IndexKind.allCases)
    func lostIndex(kind: IndexKind) throws {
        var fixture = try StoreFixture(kind)
        var objects: [PreparedObject] = []
        do {
            let store = try fixture.open()
            objects += try Self.commits(5, to: store)
            store.flush()
            objects += try Self.commits(6, to: store)
        }
        do {
            // Stale: the rest is replayed.
            let store = try fixture.open()
            #expect(!store.recovery.rebuiltIndex)
            #expect(store.recovery.replayed == 6)
            #expect(store.head == objects.last?.hash)
            for object in objects { #expect(try store.has(object)) }
            store.close()
        }
        do {
            let store = try fixture.open()
            #expect(store.recovery == RecoveryReport())
            #expect(store.head == objects.last?.hash)
            for object in objects { #expect(try store.has(object)) }
        }
        fixture.loseIndex()
        let store = try fixture.open()
        #expect(store.recovery.rebuiltIndex)
        #expect(store.recovery.replayed == 11)
        for object in objects { #expect(try store.has(object)) }
    }

    @Test("An index that knows more than the log, as after a restore of the log alone, is made anew", arguments: IndexKind.allCases, [true, false])
    func indexAhead(kind: IndexKind, losesAll: Bool) throws {
        var fixture = try StoreFixture(kind)
        var objects: [PreparedObject] = []
        var backup = FaultyDisk()
        do {
            let store = try fixture.open()
            objects = try Self.commits(4, to: store)
            if !losesAll { backup = fixture.disk.copy() }
            _ = try Self.commits(5, to: store)
            store.close()
        }
        fixture.disk = backup
        let store = try fixture.open()
        #expect(store.recovery.rebuiltIndex)
        #expect(store.head == (losesAll ? nil : objects.last?.hash))
        #expect(try store.objectCount() == (losesAll ? 0 : 4))
        for object in objects where !losesAll { #expect(try store.has(object)) }
        // What the index knew is written again, and does not count as here.
        _ = try Self.commits(5, to: store)
        #expect(try store.objectCount() == (losesAll ? 5 : 9))
    }

    @Test("A checkpoint of an unknown layout is no checkpoint")
    func otherLayout() throws {
        let fixture = try StoreFixture(.lmdb)
        let index = try fixture.index()
        #expect(try index.checkpoint() == nil)
        let object = PreparedObject(.chunk, [1])
        let location = Location(
            position: LogPosition(segment: 3, offset: 1 << 33), storedLength: 5, rawLength: 9, kind: .manifest, codec: .zstd)
        for head in [nil, object.hash] {
            let checkpoint = Checkpoint(position: LogPosition(segment: 2, offset: 1 << 34), head: head)
            try index.insert([(object.hash, location)], checkpoint: checkpoint)
            #expect(try index.checkpoint() == checkpoint)
        }
        #expect(try index.location(of: object.hash) == location)
        #expect(try index.locations(of: [ContentHash.zero, object.hash]) == [nil, location])
        #expect(try index.count() == 1)
        try index.forgetEverything()
        #expect(try index.checkpoint() == nil)
        #expect(try index.location(of: object.hash) == nil)
        #expect(try index.count() == 0)
    }

    @Test("An index file of other bytes is refused, so that it can be made anew")
    func garbage() throws {
        let fixture = try StoreFixture(.lmdb)
        _ = try fixture.directory.directory("index0")
        var random = SplitMix64(seed: 1)
        try Data(random.bytes(32 << 10)).write(to: URL(filePath: fixture.indexPath + "/data.mdb"))
        let error = #expect(throws: StoreError.self) { _ = try fixture.open() }
        #expect(error?.code == .index)
    }

    @Test("An index that was cut off is refused at its start, instead of being read behind its end")
    func indexCutOff() throws {
        let directory = try TemporaryDirectory()
        let path = try directory.directory("index")
        var random = SplitMix64(seed: 1)
        let entries = (0..<5000).map { number in
            (PreparedObject.random(&random).hash, Location(
                position: LogPosition(segment: 1, offset: UInt64(number)), storedLength: 1, rawLength: 1, kind: .chunk, codec: .raw))
        }
        func fill() throws {
            try LMDBIndex(directory: path).insert(entries, checkpoint: Checkpoint(position: LogPosition(segment: 1, offset: 0), head: nil))
        }
        try fill()
        #expect(try LMDBIndex(directory: path).count() == Set(entries.map(\.0)).count)
        let file = try FileHandle(forUpdating: URL(filePath: path + "/data.mdb"))
        try file.truncate(atOffset: try file.seekToEnd() / 2)
        try file.close()
        let error = #expect(throws: StoreError.self) { try LMDBIndex(directory: path) }
        #expect(error?.code == .index)
    }
}
