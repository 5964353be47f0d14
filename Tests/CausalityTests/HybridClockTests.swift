import Causality
import TestSupport
import Testing

@Suite("Hybrid logical clock")
struct HybridClockTests {
    @Test("Its readings ascend whatever the physical time does, and never lag behind it", arguments: Seed.several(20))
    func monotone(seed: Seed) {
        var random = seed.generator
        var clock = HybridClock()
        var last = Timestamp.zero
        var physical: UInt64 = 1_700_000_000_000_000
        for _ in 0..<2000 {
            switch random.below(6) {
            case 0: physical -= UInt64(random.below(1_000_000))
            case 1: physical += UInt64(random.below(1_000_000))
            case 2:
                let heard = Timestamp(microseconds: physical + UInt64(random.below(2_000_000)))
                clock.observe(heard)
                #expect(clock.last >= heard)
                last = max(last, heard)
            default: break
            }
            let reading = clock.tick(microseconds: physical)
            #expect(reading > last)
            #expect(reading >= Timestamp(microseconds: physical))
            #expect(clock.last == reading)
            last = reading
        }
    }

    @Test("A full counter carries into the microseconds")
    func counterCarries() {
        var clock = HybridClock(last: Timestamp(rawValue: 5 << 12 | 4095))
        #expect(clock.tick(microseconds: 1) == Timestamp(microseconds: 6))
    }

    @Test("What it has heard is not told again")
    func observe() {
        var clock = HybridClock(last: Timestamp(microseconds: 9))
        clock.observe(Timestamp(microseconds: 3))
        #expect(clock.last == Timestamp(microseconds: 9))
        clock.observe(Timestamp(microseconds: 12))
        #expect(clock.tick(microseconds: 10) == Timestamp(microseconds: 12).next)
    }

    @Test("Names of timestamps and dots sort as they do", arguments: Seed.several(5))
    func names(seed: Seed) {
        var random = seed.generator
        for _ in 0..<200 {
            let (left, right) = (Timestamp(rawValue: random.next() >> random.below(64)), Timestamp(rawValue: random.next() >> random.below(64)))
            #expect((left < right) == (left.description < right.description))
            #expect(left.description.count == 16)
            let dot = Dot(timestamp: left, actor: .numbered(random.below(9), incarnation: UInt32(random.below(3))))
            #expect(dot.description.count == 33)
            #expect(dot.description.hasPrefix("\(left)-"))
        }
    }
}
