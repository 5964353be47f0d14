import Content
@testable import Objects
import Platform
import TestSupport
import Testing

@Suite("Crashes")
struct CrashTests {
    /// What a workload did before the power failed.
    struct Outcome {
        /// Every commit that was begun, and all objects that were appended up to it.
        var commits: [(hash: ContentHash, objects: [PreparedObject])] = []
        /// How many of them were acknowledged.
        var acknowledged = 0
    }

    /// Appends, commits and flushes at random until the disk fails or all is done.
    static func work(_ store: ObjectStore, _ random: inout SplitMix64, onto outcome: inout Outcome) {
        var appended = outcome.commits.last?.objects ?? []
        do {
            for _ in 0..<12 {
                switch random.below(6) {
                case 0...2:
                    let new = (0..<1 + random.below(4)).map { _ in PreparedObject.random(&random) }
                    try store.append(new)
                    appended += new
                case 3: store.flush()
                default:
                    let commit = PreparedObject.commit(outcome.commits.count, appended.map(\.hash))
                    appended.append(commit)
                    outcome.commits.append((commit.hash, appended))
                    try store.commit([commit], head: commit.hash)
                    outcome.acknowledged = outcome.commits.count
                }
            }
        } catch {}
    }

    /// Opens what the crash left, and checks that it is the last acknowledged commit or a later one, whole.
    static func check(_ fixture: StoreFixture, _ outcome: Outcome, segmentSize: UInt64) throws -> ObjectStore {
        let store = try fixture.open(segmentSize: segmentSize)
        let names = outcome.commits.map(\.hash)
        let place = store.head.flatMap(names.lastIndex(of:)).map { $0 + 1 } ?? 0
        #expect(place >= outcome.acknowledged)
        #expect(store.head == nil || place > 0)
        if place > 0 { for object in outcome.commits[place - 1].objects { #expect(try store.has(object)) } }
        // Nothing that was durable is damaged, so nothing is reported as if it were.
        #expect(store.recovery.damaged == [])
        return store
    }

    @Test("At every write and every sync, and again at one after it", arguments: IndexKind.allCases, Seed.several(12))
    func everyEvent(kind: IndexKind, seed: Seed) throws {
        let segmentSize: UInt64 = 1500
        let whole = try StoreFixture(.memory)
        var random = seed.generator
        var ignored = Outcome()
        try Self.work(whole.open(segmentSize: segmentSize), &random, onto: &ignored)
        let step = kind == .memory ? 1 : 5
        for event in stride(from: Int(seed.value) % step, through: whole.disk.events, by: step) {
            var random = seed.generator
            var outcome = Outcome()
            var fixture = try StoreFixture(kind)
            fixture.disk.cutPower(atEvent: event)
            if let store = try? fixture.open(segmentSize: segmentSize) { Self.work(store, &random, onto: &outcome) }
            for again in 0..<2 {
                var chance = SplitMix64(seed: seed.value &* 1000 &+ UInt64(event * 2 + again))
                fixture.disk = fixture.disk.crashed(&chance)
                if chance.once(in: 4) { fixture.loseIndex() }
                let store = try Self.check(fixture, outcome, segmentSize: segmentSize)
                // What came back counts as acknowledged: it must not go away again.
                outcome.acknowledged = store.head.flatMap(outcome.commits.map(\.hash).lastIndex(of:)).map { $0 + 1 } ?? 0
                outcome.commits.removeLast(outcome.commits.count - outcome.acknowledged)
                fixture.disk.cutPower(atEvent: chance.below(15))
                Self.work(store, &chance, onto: &outcome)
            }
        }
    }

    @Test("A torn tail is cut off at any byte, and its length told")
    func tornTail() throws {
        let fixture = try StoreFixture(.memory)
        let store = try fixture.open()
        let first = PreparedObject.commit(1, [])
        try store.commit([PreparedObject(.chunk, [1, 2, 3]), first], head: first.hash)
        let durable = fixture.disk.size
        let second = PreparedObject.commit(2, [])
        try store.commit([PreparedObject(.chunk, [4, 5, 6]), second], head: second.hash)
        let bytes = fixture.disk.bytes(of: StoreFixture.firstSegment)
        let ends = [durable, durable + 51, durable + 51 + 48 + second.stored.count, bytes.count]
        for count in durable..<bytes.count {
            let disk = FaultyDisk()
            disk.replace(StoreFixture.firstSegment, with: Array(bytes[..<count]))
            let torn = try StoreFixture(.memory, disk: disk)
            let store = try torn.open()
            #expect(store.head == first.hash)
            let end = try #require(ends.last { $0 <= count })
            #expect(store.recovery.cutBytes == UInt64(count - end))
            #expect(disk.size == end)
            // And the log goes on there.
            try store.commit([second], head: second.hash)
            #expect(try torn.open().head == second.hash)
        }
    }

    @Test("A file that holds a log is never taken for records, whatever of it a crash leaves", arguments: [true, false])
    func logWithinLog(isDurable: Bool) throws {
        let other = try StoreFixture(.memory)
        let otherStore = try other.open()
        var random = SplitMix64(seed: 1)
        for _ in 0..<5 {
            let object = PreparedObject(.commit, random.bytes(100))
            try otherStore.commit([object], head: object.hash)
        }
        // Among bytes that do not compress, so that it is stored as it is.
        let copy = PreparedObject(.chunk, random.bytes(4000) + other.disk.bytes(of: StoreFixture.firstSegment) + random.bytes(4000))
        #expect(copy.codec == .raw)
        var fixture = try StoreFixture(.memory)
        let store = try fixture.open()
        let first = PreparedObject.commit(1, [])
        try store.commit([first], head: first.hash)
        let place = fixture.disk.size
        let second = PreparedObject.commit(2, [])
        try store.commit([copy, second], head: second.hash)
        if isDurable { try store.commit([], head: second.hash) }
        fixture.disk.flip(StoreFixture.firstSegment, at: place + 20)
        fixture.loseIndex()
        let reopened = try fixture.open()
        #expect(reopened.head == (isDurable ? second.hash : first.hash))
        #expect(reopened.recovery.damaged.count == (isDurable ? 1 : 0))
        #expect((reopened.recovery.cutBytes > 0) == !isDurable)
        #expect(try reopened.objectCount() == (isDurable ? 2 : 1))
    }

    @Test("A segment that was begun and has no header yet is no obstacle", arguments: 0...16)
    func begunSegment(count: Int) throws {
        let fixture = try StoreFixture(.memory)
        let store = try fixture.open(segmentSize: 100)
        let first = PreparedObject.commit(1, [])
        try store.commit([PreparedObject(.chunk, [UInt8](1...60)), first], head: first.hash)
        let second = "00000002.segment"
        fixture.disk.replace(second, with: Array("pando log 1\n\0\0\0\0".utf8.prefix(count)))
        let reopened = try fixture.open(segmentSize: 100)
        #expect(reopened.head == first.hash)
        let next = PreparedObject.commit(2, [])
        try reopened.commit([next], head: next.hash)
        #expect(fixture.disk.bytes(of: second).starts(with: Array("pando log 1\n".utf8)))
        var lost = fixture
        lost.loseIndex()
        let last = try lost.open(segmentSize: 100)
        #expect(last.head == next.hash)
        #expect(try last.has(first))
        #expect(last.recovery.damaged == [])
    }
}
