import Content
@testable import Objects
import Platform
import TestSupport
import Testing

@Suite("Object store")
struct ObjectStoreTests {
    @Test("What was appended is read back, now and after opening again", arguments: IndexKind.allCases, Seed.several(4))
    func readBack(kind: IndexKind, seed: Seed) throws {
        var random = seed.generator
        let fixture = try StoreFixture(kind)
        var objects: [PreparedObject] = []
        var head: ContentHash?
        // Closed at the first, so that the index has it all; left open at the second; closed with a part flushed at the third.
        for round in 0..<3 {
            let store = try fixture.open(segmentSize: StoreFixture.smallSegments)
            #expect(store.head == head)
            #expect(store.recovery.damaged == [])
            #expect(store.recovery.cutBytes == 0)
            #expect(round == 0 || !store.recovery.rebuiltIndex)
            for object in objects { #expect(try store.has(object)) }
            for number in 0..<10 {
                let new = (0..<random.below(6)).map { _ in PreparedObject.random(&random) }
                try store.append(new)
                let commit = PreparedObject.commit(round * 10 + number, new.map(\.hash))
                try store.commit([commit], head: commit.hash)
                head = commit.hash
                objects += new + [commit]
                #expect(store.head == head)
                if round == 2, number == 4 { store.flush() }
            }
            for object in objects { #expect(try store.has(object)) }
            #expect(try store.missing(among: objects.map(\.hash)) == [])
            #expect(try store.objectCount() == Set(objects.map(\.hash)).count)
            if round != 1 { store.close() }
        }
        #expect(try fixture.disk.names().count > 3)
        let store = try fixture.open(segmentSize: StoreFixture.smallSegments)
        #expect(try store.byteCount() == UInt64(fixture.disk.size))
    }

    @Test(arguments: IndexKind.allCases)
    func absentObjects(kind: IndexKind) throws {
        let store = try StoreFixture(kind).open()
        let (here, absent) = (PreparedObject(.chunk, [1]), PreparedObject(.chunk, [2]))
        try store.append([here])
        #expect(try store.contains(here.hash))
        #expect(try !store.contains(absent.hash))
        #expect(try store.missing(among: [absent.hash, here.hash, absent.hash]) == [absent.hash, absent.hash])
        #expect(try store.locations(of: [absent.hash, here.hash]).map { $0 == nil } == [true, false])
        #expect(throws: StoreError.self) { try store.read(absent.hash, .chunk) }
        let error = #expect(throws: StoreError.self) { try store.read(here.hash, .tree) }
        #expect(error?.code == .missing)
        #expect(error?.hash == here.hash)
        #expect(store.head == nil)
    }

    @Test("An object that is here already is not written again", arguments: IndexKind.allCases)
    func deduplication(kind: IndexKind) throws {
        let fixture = try StoreFixture(kind)
        var store: ObjectStore? = try fixture.open()
        let objects = (0..<20).map { PreparedObject(.chunk, Array("object \($0)".utf8)) }
        try store?.append(objects + objects)
        let size = fixture.disk.size
        #expect(size == 16 + objects.reduce(0) { $0 + 48 + $1.stored.count })
        try store?.append(objects)
        store?.flush()
        try store?.append(objects.reversed())
        store?.close()
        store = nil
        store = try fixture.open()
        try store?.append(objects)
        #expect(fixture.disk.size == size)
        #expect(try store?.objectCount() == 20)
        // The same bytes as another kind are another object.
        try store?.append([PreparedObject(.attributes, Array("object 1".utf8))])
        #expect(fixture.disk.size > size)
    }

    @Test("A head record costs one sync, and so do the commits that share it")
    func syncs() throws {
        let fixture = try StoreFixture(.memory)
        let store = try fixture.open()
        let before = fixture.disk.syncs
        try store.append((0..<50).map { PreparedObject(.chunk, [UInt8($0)]) })
        #expect(fixture.disk.syncs == before)
        let commit = PreparedObject.commit(0, [])
        try store.commit([commit], head: commit.hash)
        #expect(fixture.disk.syncs == before + 1)
    }

    @Test("Many threads append and read at once", arguments: IndexKind.allCases)
    func concurrency(kind: IndexKind) async throws {
        let fixture = try StoreFixture(kind)
        let store = try fixture.open(segmentSize: 1000)
        let threads = BlockingThreads(count: 4, name: "test")
        try await withThrowingTaskGroup(of: Void.self) { group in
            for task in 0..<8 {
                group.addTask {
                    try await threads.run {
                        for number in 0..<40 {
                            // Half of them are everybody's.
                            let object = PreparedObject(.chunk, Array("object \(number % 2 == 0 ? 0 : task) \(number)".utf8))
                            try store.append([object])
                            #expect(try store.has(object))
                            if number % 10 == 9 { task % 2 == 0 ? store.flush() : try store.sync() }
                        }
                    }
                }
            }
            try await group.waitForAll()
        }
        for task in 0..<8 {
            for number in 0..<40 {
                #expect(try store.has(PreparedObject(.chunk, Array("object \(number % 2 == 0 ? 0 : task) \(number)".utf8))))
            }
        }
        #expect(try fixture.disk.names().count > 3)
    }

    // MARK: - Segments

    @Test("A segment that is full is followed by another, and all of them are read", arguments: IndexKind.allCases, [true, false])
    func segmentRoll(kind: IndexKind, losesIndex: Bool) throws {
        var fixture = try StoreFixture(kind)
        var random = SplitMix64(seed: 1)
        var objects: [PreparedObject] = []
        do {
            let store = try fixture.open(segmentSize: 1000)
            for number in 0..<30 {
                let object = PreparedObject(.chunk, random.bytes(200))
                try store.commit([object], head: object.hash)
                objects.append(object)
                #expect(store.head == object.hash, "after \(number)")
            }
        }
        let names = try fixture.disk.names().sorted()
        #expect(names.first == StoreFixture.firstSegment)
        #expect(names.count == 8)
        for name in names { #expect(fixture.disk.bytes(of: name).count < 1000 + 500) }
        if losesIndex { fixture.loseIndex() }
        let store = try fixture.open(segmentSize: 1000)
        #expect(store.head == objects.last?.hash)
        #expect(store.recovery.damaged == [])
        #expect(store.recovery.cutBytes == 0)
        for object in objects { #expect(try store.has(object)) }
    }

    @Test("A log of another version, or of none, is refused and left alone")
    func otherFormats() throws {
        for text in ["pando log 2\n\0\0\0\0more", "a file that happens to lie here, of some other program's", "x"] {
            let disk = FaultyDisk()
            disk.replace(StoreFixture.firstSegment, with: Array(text.utf8))
            let fixture = try StoreFixture(.memory, disk: disk)
            if text == "x" {
                // Shorter than a header: the crash came while the segment was made.
                #expect(try fixture.open().head == nil)
                #expect(disk.bytes(of: StoreFixture.firstSegment).count == 16)
            } else {
                let error = #expect(throws: StoreError.self) { _ = try fixture.open() }
                #expect(error?.code == .format)
                #expect(disk.bytes(of: StoreFixture.firstSegment) == Array(text.utf8))
            }
        }
    }
}
