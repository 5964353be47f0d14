import Content
@testable import Objects
import Platform
import TestSupport
import Testing

extension ObjectStore {
    /// A whole collection that keeps the given objects.
    @discardableResult
    func collect(keeping live: some Sequence<ContentHash>) throws -> CompactionReport {
        let start = try startOfCollection()
        let marks = Marks()
        for hash in live { marks.keep(hash) }
        condemn(before: start, except: marks)
        let use = try sweep(before: start, except: marks, removes: true) { _ in }
        acquit()
        return try compact(use, bytesPerSecond: nil, isCancelled: { false }, progress: { _, _ in })
    }
}

@Suite("Removing objects")
struct CollectionTests {
    static let segmentSize: UInt64 = 1500

    /// Objects, some of which stay, and the newest commit, which does.
    static func fill(_ store: ObjectStore, _ count: Int, _ random: inout SplitMix64) throws -> (live: [PreparedObject], dead: [PreparedObject]) {
        var (live, dead): ([PreparedObject], [PreparedObject]) = ([], [])
        for _ in 0..<count {
            let object = PreparedObject.random(&random)
            if live.contains(where: { $0.hash == object.hash }) || dead.contains(where: { $0.hash == object.hash }) { continue }
            try store.append([object])
            if random.once(in: 3) { live.append(object) } else { dead.append(object) }
        }
        let commit = PreparedObject.commit(count, live.map(\.hash))
        try store.commit([commit], head: commit.hash)
        return (live + [commit], dead)
    }

    static func liveBytes(_ objects: [PreparedObject]) -> UInt64 { objects.reduce(0) { $0 + 48 + UInt64($1.stored.count) } }

    @Test("What is kept is read, the rest is gone, and so is its room", arguments: IndexKind.allCases, Seed.several(4))
    func everythingDeadGoes(kind: IndexKind, seed: Seed) throws {
        var random = seed.generator
        var fixture = try StoreFixture(kind)
        var store: ObjectStore? = try fixture.open(segmentSize: Self.segmentSize)
        var live: [PreparedObject] = []
        for round in 0..<3 {
            let (new, dead) = try Self.fill(store!, 60, &random)
            live = live.filter { $0.kind != .commit && !random.once(in: 4) } + new
            let before = try store!.byteCount()
            try store!.collect(keeping: live.map(\.hash))
            for object in live { #expect(try store!.has(object)) }
            for object in dead where !live.contains(where: { $0.hash == object.hash }) { #expect(try !store!.contains(object.hash)) }
            let size = try store!.byteCount()
            let wanted = Self.liveBytes(live)
            #expect(Double(size - wanted) <= 0.05 * Double(before - wanted) + 0.02 * Double(size) + Double(64 + 16 * (try store!.segmentNumbers().count)), "round \(round)")
            // The index can be made again from what is left, and HEAD is found.
            if random.once(in: 2) { fixture.loseIndex() } else { store!.close() }
            let head = store!.head
            store = nil
            store = try fixture.open(segmentSize: Self.segmentSize)
            #expect(store!.head == head)
            #expect(store!.recovery.damaged == [])
            for object in live { #expect(try store!.has(object)) }
        }
    }

    @Test("A power cut at every step loses nothing that is kept", arguments: Seed.several(6))
    func crashes(seed: Seed) throws {
        var random = seed.generator
        let whole = try StoreFixture(.memory)
        let first = try whole.open(segmentSize: Self.segmentSize)
        let (live, _) = try Self.fill(first, 50, &random)
        first.close()
        let before = whole.disk.copy()
        let events = whole.disk.events
        try first.collect(keeping: live.map(\.hash))
        let count = whole.disk.events - events
        #expect(count > 10)
        for event in 0..<count {
            var fixture = try StoreFixture(.memory, disk: before.copy())
            let store = try fixture.open(segmentSize: Self.segmentSize)
            fixture.disk.cutPower(atEvent: event)
            _ = try? store.collect(keeping: live.map(\.hash))
            fixture.disk = fixture.disk.crashed(&random)
            if random.once(in: 2) { fixture.loseIndex() }
            let again = try fixture.open(segmentSize: Self.segmentSize)
            #expect(again.head == live.last!.hash)
            for object in live { #expect(try again.has(object), "event \(event)") }
            // And the next one ends the work.
            try again.collect(keeping: live.map(\.hash))
            for object in live { #expect(try again.has(object), "event \(event)") }
            #expect(try again.objectCount() == live.count)
        }
    }

    @Test("What is condemned is written afresh by whoever needs it, and then stays")
    func writtenAfresh() throws {
        let fixture = try StoreFixture(.memory)
        let store = try fixture.open()
        let object = PreparedObject(.chunk, Array("needed again".utf8))
        try store.append([object])
        let start = try store.startOfCollection()
        let marks = Marks()
        store.condemn(before: start, except: marks)
        // Whoever asks is told that it is not here, while readers still have it.
        #expect(try !store.contains(object.hash))
        #expect(try store.missing(among: [object.hash]) == [object.hash])
        #expect(try store.has(object))
        try store.append([object])
        #expect(try store.contains(object.hash))
        // Once in the index, it stands there with its new place.
        try store.indexEverything()
        let use = try store.sweep(before: start, except: marks, removes: true) { _ in }
        store.acquit()
        _ = try store.compact(use, bytesPerSecond: nil, isCancelled: { false }, progress: { _, _ in })
        #expect(try store.has(object))
        #expect(try store.contains(object.hash))
    }

    @Test("A reader that looked a place up before compaction finds the object after it")
    func movedUnderReader() throws {
        let fixture = try StoreFixture(.lmdb)
        let store = try fixture.open(segmentSize: Self.segmentSize)
        var random = Seed.several(1)[0].generator
        let (live, _) = try Self.fill(store, 60, &random)
        let locations = try store.locations(of: live.map(\.hash))
        let report = try store.collect(keeping: live.map(\.hash))
        #expect(report.segmentsRemoved > 3)
        for (object, location) in zip(live, locations) {
            #expect(try store.readStored(#require(location), hash: object.hash) == object.stored)
        }
    }

    @Test("A full disk stops a compaction; nothing is lost, and the next one goes on")
    func fullDisk() throws {
        let fixture = try StoreFixture(.memory)
        let store = try fixture.open(segmentSize: Self.segmentSize)
        var random = Seed.several(1)[0].generator
        let (live, _) = try Self.fill(store, 80, &random)
        for room in [0, 20, 200, 700, 1500] {
            fixture.disk.setCapacity(fixture.disk.size + room)
            #expect(throws: StoreError.self) {
                try store.collect(keeping: live.map(\.hash))
                // Where it went through, there was room enough.
                throw StoreError(.full, "")
            }
            for object in live { #expect(try store.has(object)) }
        }
        fixture.disk.setCapacity(nil)
        try store.collect(keeping: live.map(\.hash))
        for object in live { #expect(try store.has(object)) }
        #expect(try store.objectCount() == live.count)
    }

    @Test("A segment with a damaged object that is needed is left; healed, it goes")
    func damagedIsNotCopied() throws {
        let fixture = try StoreFixture(.memory)
        let store = try fixture.open(segmentSize: Self.segmentSize)
        var random = Seed.several(1)[0].generator
        let (live, _) = try Self.fill(store, 60, &random)
        let victim = try #require(live.first { $0.stored.count > 20 })
        let location = try #require(try store.location(of: victim.hash))
        fixture.disk.flip(SegmentFiles.name(of: location.position.segment), at: Int(location.position.offset) + 3)
        #expect(try store.collect(keeping: live.map(\.hash)).segmentsLeft == 1)
        #expect(throws: StoreError.self) { try store.read(victim.hash, victim.kind) }
        try store.replace([victim])
        #expect(try store.has(victim))
        #expect(try store.collect(keeping: live.map(\.hash)).segmentsLeft == 0)
        #expect(try !fixture.disk.names().contains(SegmentFiles.name(of: location.position.segment)))
        for object in live { #expect(try store.has(object)) }
    }

    @Test("A set of fingerprints holds what was put in, and nothing else", arguments: Seed.several(3))
    func fingerprints(seed: Seed) {
        var random = seed.generator
        for width in [FingerprintSet.Width.short, .long] {
            var set = FingerprintSet(width)
            var known: Set<ContentHash> = []
            for _ in 0..<5000 {
                let hash = ContentHash(of: .chunk, Array("\(random.below(4000))".utf8))
                #expect(set.insert(hash) == known.insert(hash).inserted)
            }
            #expect(set.count == known.count)
            for number in 0..<8000 {
                let hash = ContentHash(of: .chunk, Array("\(number)".utf8))
                #expect(set.contains(hash) == known.contains(hash))
            }
        }
    }
}
