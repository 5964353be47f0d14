import Content
@testable import Objects
import Platform
import TestSupport
import Testing

@Suite("Scrub")
struct ScrubTests {
    static let segmentSize: UInt64 = 2000

    private static func filled(_ fixture: StoreFixture, _ random: inout SplitMix64) throws -> (ObjectStore, [PreparedObject]) {
        let store = try fixture.open(segmentSize: segmentSize)
        var objects: [PreparedObject] = []
        while try store.segmentNumbers().count < 5 {
            let object = PreparedObject.random(&random)
            if try store.contains(object.hash) { continue }
            try store.append([object])
            objects.append(object)
        }
        let commit = PreparedObject.commit(1, objects.map(\.hash))
        try store.commit([commit], head: commit.hash)
        try store.indexEverything()
        return (store, objects + [commit])
    }

    private static func scrub(_ store: ObjectStore) throws -> ScrubReport {
        var options = ScrubOptions()
        options.bytesPerSecond = nil
        return try store.scrub(options)
    }

    @Test("A scrub of a whole log finds nothing, and comes by every record")
    func nothing() throws {
        var random = Seed.several(1)[0].generator
        let (store, objects) = try Self.filled(try StoreFixture(.memory), &random)
        let report = try Self.scrub(store)
        // The head record is one, too.
        #expect(report.records == UInt64(objects.count + 1))
        #expect(report.damaged == [] && report.damagedPlaces == [] && report.next == nil)
    }

    @Test("Each flipped bit is found, and healed by the same object", arguments: Seed.several(20))
    func flips(seed: Seed) throws {
        var random = seed.generator
        let fixture = try StoreFixture(.memory)
        let (store, objects) = try Self.filled(fixture, &random)
        let victim = random.pick(objects.filter { !$0.stored.isEmpty })
        let location = try #require(try store.location(of: victim.hash))
        let isHeader = random.once(in: 3)
        let offset = Int(location.position.offset) + (isHeader ? -1 - random.below(48) : random.below(victim.stored.count))
        fixture.disk.flip(SegmentFiles.name(of: location.position.segment), at: offset, bit: UInt8(random.below(8)))
        let report = try Self.scrub(store)
        if isHeader {
            // The index still leads to the bytes, which are what they should be.
            #expect(report.damagedPlaces.count == 1 && report.damaged == [])
            #expect(try store.has(victim))
        } else {
            #expect(report.damaged == [DamagedObject(hash: victim.hash, kind: victim.kind, position: location.position)])
            #expect(try store.missing(among: [victim.hash]) == [victim.hash])
        }
        try store.replace([victim])
        for object in objects { #expect(try store.has(object)) }
        #expect(store.damagedObjects == [])
        #expect(try Self.scrub(store).damaged == [])
    }

    @Test("A scrub that was stopped goes on where it was, also in another process", arguments: Seed.several(3))
    func goesOn(seed: Seed) throws {
        var random = seed.generator
        let fixture = try StoreFixture(.memory)
        // Records of a size that lets it stop several times.
        let store = try fixture.open()
        var objects: [PreparedObject] = []
        for _ in 0..<12 {
            let object = PreparedObject(.chunk, random.bytes(400_000))
            try store.append([object])
            objects.append(object)
        }
        try store.sync()
        let victims = [objects[2], objects[10]]
        for victim in victims {
            let location = try #require(try store.location(of: victim.hash))
            fixture.disk.flip(SegmentFiles.name(of: location.position.segment), at: Int(location.position.offset) + 100)
        }
        store.close()
        var (records, found): (UInt64, Set<ContentHash>) = (0, [])
        var options = ScrubOptions()
        options.bytesPerSecond = nil
        var rounds = 0
        repeat {
            let report = try fixture.open().scrub(options, isCancelled: { true })
            records += report.records
            found.formUnion(report.damaged.map(\.hash))
            options.from = report.next
            rounds += 1
        } while options.from != nil && rounds < 100
        #expect(rounds > 3)
        #expect(records == UInt64(objects.count))
        #expect(found == Set(victims.map(\.hash)))
    }

    @Test("A segment that is lost, cut off or written over: what is left is read, the rest is told and can be healed",
          arguments: IndexKind.allCases, Seed.several(8))
    func lostSegments(kind: IndexKind, seed: Seed) throws {
        var random = seed.generator
        var fixture = try StoreFixture(kind)
        let objects = try {
            let (store, objects) = try Self.filled(fixture, &random)
            store.close()
            return objects
        }()
        // Any but the last, which holds the newest head record.
        let segment = UInt32(1 + random.below(4))
        let name = SegmentFiles.name(of: segment)
        switch random.below(3) {
        case 0: try fixture.disk.remove(name)
        case 1: fixture.disk.replace(name, with: Array(fixture.disk.bytes(of: name).prefix(random.below(1500))))
        default: fixture.disk.replace(name, with: random.bytes(fixture.disk.bytes(of: name).count))
        }
        let isIndexLost = random.once(in: 3)
        if isIndexLost { fixture.loseIndex() }
        let store = try fixture.open(segmentSize: Self.segmentSize)
        #expect(store.head == objects.last?.hash)
        let report = try Self.scrub(store)
        let told = Set(report.damaged.map(\.hash))
        var lost: [PreparedObject] = []
        for object in objects {
            if let bytes = try? store.read(object.hash, object.kind) {
                #expect(bytes == object.raw())
                #expect(!told.contains(object.hash))
                continue
            }
            lost.append(object)
            if isIndexLost { continue }
            #expect(told.contains(object.hash))
            #expect(try store.missing(among: [object.hash]) == [object.hash])
        }
        #expect(!lost.isEmpty && lost.count < objects.count)
        try store.replace(lost)
        for object in objects { #expect(try store.has(object)) }
        #expect(try store.presence(of: objects.map(\.hash)).allSatisfy { $0 == .here })
    }

    @Test("A directory that holds no log is refused")
    func noLog() throws {
        let fixture = try StoreFixture(.memory)
        fixture.disk.replace(StoreFixture.firstSegment, with: Array(repeating: 7, count: 5000))
        #expect(throws: StoreError.self) { try fixture.open() }
    }
}
