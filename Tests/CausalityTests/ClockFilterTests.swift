import Causality
import TestSupport
import Testing

@Suite("Clock filter")
struct ClockFilterTests {
    /// A link with jitter between two clocks that are hours apart.
    private struct Link {
        var random: SplitMix64
        /// The peer's virtual time less this node's monotonic time.
        let offset: Int64
        let delay: Int
        let jitter: Int
        var now: UInt64 = 5_000_000

        mutating func exchange(after pause: Int) throws -> ClockSample {
            now += UInt64(pause)
            let sent = now
            let there = UInt64(delay + random.below(jitter + 1))
            let back = UInt64(delay + random.below(jitter + 1))
            let thinking = UInt64(random.below(200))
            now += there + thinking + back
            func peer(_ time: UInt64) -> UInt64 { UInt64(Int64(time) + offset) }
            let sample = ClockSample(sent: sent, received: peer(sent + there), answered: peer(sent + there + thinking), arrived: now)
            return try #require(sample)
        }
    }

    @Test("The true offset is within the error bound, whatever the jitter", arguments: Seed.several(50))
    func errorBound(seed: Seed) throws {
        var random = seed.generator
        let offset = Int64(1_700_000_000_000_000 + random.below(10_000_000_000))
        var link = Link(random: random, offset: offset, delay: random.below(150_000), jitter: random.below(20_000))
        var filter = ClockFilter()
        for _ in 0..<200 {
            filter.add(try link.exchange(after: 20_000))
            let estimate = try #require(filter.estimate(at: link.now))
            #expect(abs(estimate.offset - offset) <= estimate.error)
        }
        #expect(filter.count == ClockFilter.window)
    }

    @Test("With 5 ms of jitter each way, 99 of 100 errors are under a quarter of a millisecond", arguments: Seed.several(2))
    func accuracy(seed: Seed) throws {
        var random = seed.generator
        var bad = 0
        let rounds = 700
        for _ in 0..<rounds {
            let offset = Int64(random.below(1_000_000_000)) + 1_700_000_000_000_000
            var link = Link(random: SplitMix64(seed: random.next()), offset: offset, delay: 100, jitter: 5_000)
            var filter = ClockFilter()
            for _ in 0..<ClockFilter.window { filter.add(try link.exchange(after: 20_000)) }
            if abs(try #require(filter.estimate(at: link.now)).offset - offset) >= 250 { bad += 1 }
        }
        #expect(bad * 100 < rounds, "\(bad) of \(rounds); seed \(seed)")
    }

    @Test("A clock that is slewed beyond what older samples allow is followed by the newer ones", arguments: Seed.several(10))
    func slewedPeer(seed: Seed) throws {
        var filter = ClockFilter()
        var link = Link(random: seed.generator, offset: 1_700_000_000_000_000, delay: 100, jitter: 300)
        for second in 0..<200 {
            // As fast as a virtual clock may be slewed.
            link = Link(random: link.random, offset: link.offset + (second < 100 ? 500 : 0), delay: 100, jitter: 300, now: link.now)
            #expect(filter.add(try link.exchange(after: 1_000_000)))
            let estimate = try #require(filter.estimate(at: link.now))
            #expect(estimate.error >= 0)
            #expect(abs(estimate.offset - link.offset) < 1_500)
        }
    }

    @Test("A peer whose clock is set starts anew")
    func jump() throws {
        var link = Link(random: SplitMix64(seed: 7), offset: 1_700_000_000_000_000, delay: 1_000, jitter: 1_000)
        var filter = ClockFilter()
        for _ in 0..<20 { filter.add(try link.exchange(after: 20_000)) }
        #expect(filter.count == 20)
        var set = Link(random: SplitMix64(seed: 8), offset: 1_700_000_003_000_000, delay: 1_000, jitter: 1_000, now: link.now)
        let sample = try set.exchange(after: 20_000)
        let isConsistent = filter.add(sample)
        #expect(!isConsistent)
        #expect(filter.count == 1)
        #expect(filter.estimate(at: set.now)?.offset == sample.offset)
    }

    @Test("Instants that contradict each other are no sample")
    func impossible() {
        #expect(ClockSample(sent: 10, received: 5, answered: 6, arrived: 9) == nil)
        #expect(ClockSample(sent: 10, received: 6, answered: 5, arrived: 20) == nil)
        #expect(ClockSample(sent: 10, received: 5, answered: 16, arrived: 20) == nil)
        #expect(ClockSample(sent: 10, received: .max, answered: .max, arrived: 20) == nil)
        #expect(ClockSample(sent: 10, received: 5, answered: 15, arrived: 20)?.delay == 0)
    }
}

@Suite("Virtual clock")
struct VirtualClockTests {
    @Test("Never goes backwards while it is slewed, and gets where it should", arguments: Seed.several(20))
    func slew(seed: Seed) {
        var random = seed.generator
        var monotonic: UInt64 = 1_000_000
        var clock = VirtualClock(time: 1_700_000_000_000_000, monotonic: monotonic)
        var last = clock.now(monotonic)
        for _ in 0..<200 {
            let start = clock.correction(at: monotonic)
            let gain = Int64(random.below(2_000_000)) - 1_000_000
            clock.slew(by: gain, at: monotonic)
            for _ in 0..<5 {
                monotonic += UInt64(random.below(10_000_000))
                let now = clock.now(monotonic)
                #expect(now >= last)
                last = now
            }
            // At the rate that is allowed, it is there after this.
            monotonic += UInt64(abs(gain)) * 1_000_000 / UInt64(VirtualClock.slewRate) + 1_000_000
            #expect(clock.correction(at: monotonic) - start == gain)
            last = clock.now(monotonic)
        }
    }

    @Test("Is set at once, also backwards, where that is asked for")
    func step() {
        var clock = VirtualClock(time: 1_700_000_000_000_000, monotonic: 100)
        _ = clock.now(200)
        clock.step(toCorrection: 5_000, at: 300)
        #expect(clock.now(300) == 5_300)
        #expect(clock.now(400) == 5_400)
    }

    @Test("Clocks that follow the median meet, along whatever links, and one that lies does not move them far", arguments: Seed.several(20))
    func consensus(seed: Seed) {
        var random = seed.generator
        let count = 4 + random.below(5)
        var clocks = (0..<count).map { _ in Int64(random.below(40_000)) }
        let (least, most) = (clocks.min() ?? 0, clocks.max() ?? 0)
        for _ in 0..<400 {
            let before = clocks
            for index in 0..<count {
                // A ring: each sees its two neighbours. Number 0 lies to number 1.
                let seen = [(index + 1) % count, (index + count - 1) % count].map { neighbour in
                    neighbour == 0 && index == 1 ? 1_000_000_000 : before[neighbour] - before[index]
                }
                clocks[index] += ClockConsensus.correction(towards: seen) / 2
            }
        }
        for clock in clocks { #expect(clock >= least - 1 && clock <= most + 1) }
        #expect(ClockConsensus.correction(towards: []) == 0)
        #expect(ClockConsensus.correction(towards: [100]) == 50)
    }
}
