import Causality
import Replication
import TestSupport
import Testing

@Suite("Honeymoon")
struct HoneymoonTests {
    private func sample(_ offset: Int64, delay: Int64, at now: UInt64) -> ClockSample {
        var sample = ClockSample(sent: 0, received: 0, answered: 0, arrived: 0)!
        sample.offset = offset
        sample.delay = delay
        sample.takenAt = now
        return sample
    }

    @Test("Settles after a few heartbeats where they agree")
    func settles() {
        var honeymoon = Honeymoon()
        #expect(honeymoon.verdict(at: 0) == .goOn("no heartbeats yet"))
        for index in 1...Honeymoon.minimumSamples {
            if case .settled = honeymoon.verdict(at: UInt64(index)) { Issue.record("too early") }
            honeymoon.add(sample(1_000_000, delay: 400, at: UInt64(index)))
        }
        guard case .settled(let estimate) = honeymoon.verdict(at: 9) else {
            Issue.record("not settled")
            return
        }
        #expect(estimate.offset == 1_000_000)
    }

    @Test("Says why it cannot settle")
    func jitter() {
        var honeymoon = Honeymoon()
        honeymoon.addFailure()
        #expect(honeymoon.verdict(at: 0) == .goOn("no answer to heartbeats"))
        for index in 0..<UInt64(2 * ClockFilter.window) {
            honeymoon.add(sample(0, delay: 300_000 + Int64(index) * 120_000, at: index))
        }
        guard case .goOn(let reason) = honeymoon.verdict(at: 200) else {
            Issue.record("settled")
            return
        }
        #expect(reason.hasPrefix("jitter"))
    }

    @Test("Gives up on a clock that stands still")
    func standingStill() {
        var honeymoon = Honeymoon()
        for index in 1...UInt64(ClockFilter.window) {
            let now = index * 10_000
            honeymoon.add(sample(1_000_000 - Int64(now), delay: 400, at: now))
            guard case .goOn = honeymoon.verdict(at: now) else { continue }
            #expect(index < UInt64(ClockFilter.window))
        }
        guard case .unusable(let reason) = honeymoon.verdict(at: 1_000_000) else {
            Issue.record("not given up")
            return
        }
        #expect(reason.contains("clock"))
    }

    @Test("With 5 ms of jitter each way it is over within two seconds, and 99 of 100 are off by less than a millisecond", arguments: Seed.several(2))
    func accuracy(seed: Seed) {
        var random = seed.generator
        var bad = 0
        let rounds = 500
        for _ in 0..<rounds {
            var honeymoon = Honeymoon()
            var now: UInt64 = 0
            while true {
                let (there, back) = (Int64(100 + random.below(5_000)), Int64(100 + random.below(5_000)))
                // The pause between two beats, and their way.
                now += 10_000 + UInt64(there + back)
                honeymoon.add(sample(1_000_000 + (there - back) / 2, delay: there + back, at: now))
                if case .settled(let estimate) = honeymoon.verdict(at: now) {
                    if abs(estimate.offset - 1_000_000) >= 1_000 { bad += 1 }
                    break
                }
            }
            #expect(now < 2_000_000)
        }
        #expect(bad * 100 < rounds, "\(bad) of \(rounds); seed \(seed)")
    }

    @Test("A newcomer follows the cluster and cannot move it; among equals the one behind goes ahead")
    func meeting() {
        let hour: Int64 = 3_600_000_000
        func decide(_ offset: Int64, _ own: Bool, _ peer: Bool) -> ClockMeeting {
            ClockMeeting.decide(offset: offset, error: 100, isSettled: own, peerIsSettled: peer)
        }
        func waits(_ meeting: ClockMeeting) -> Bool { if case .wait = meeting { true } else { false } }
        for offset in [hour, -hour] {
            #expect(decide(offset, false, true) == .follow)
            #expect(waits(decide(offset, true, false)))
        }
        for settled in [true, false] {
            #expect(decide(hour, settled, settled) == .follow)
            #expect(waits(decide(-hour, settled, settled)))
        }
        // Not even a newcomer believes anything.
        #expect(waits(decide(ClockMeeting.incredible + 1, false, true)))
        #expect(decide(-ClockMeeting.incredible - 1, false, true) == .follow)
        for (own, peer) in [(true, true), (true, false), (false, true), (false, false)] { #expect(decide(20_000, own, peer) == .agreed) }
    }

    @Test("A caller is answered after heartbeats that agree, and not when it lies about the time or falls silent")
    func caller() {
        var caller = CallerClock()
        #expect(caller.fault(at: 1) != nil)
        let second: UInt64 = 1_000_000
        let time: UInt64 = 1_700_000_000_000_000
        for index in 1...UInt64(CallerClock.wanted) {
            #expect(caller.fault(at: index * second) != nil)
            caller.add(built: time + index * second - 300, arrived: time + index * second, now: index * second)
        }
        #expect(caller.fault(at: 5 * second) == nil)
        #expect(caller.fault(at: 5 * second + CallerClock.patience)?.contains("heartbeats") == true)
        caller.add(built: time + 10_000 * second, arrived: time + 5 * second, now: 5 * second)
        #expect(caller.fault(at: 5 * second)?.contains("ahead") == true)
        caller.add(built: 0, arrived: time + 6 * second, now: 6 * second)
        #expect(caller.fault(at: 6 * second)?.contains("behind") == true)
        caller.add(built: .max, arrived: 0, now: .max - CallerClock.patience)
        #expect(caller.fault(at: .max - CallerClock.patience) != nil)
    }

    @Test("Waits grow, stay within their bounds, and start anew")
    func backoff() {
        var backoff = Backoff()
        #expect(backoff.next(chance: 0) == Backoff.minimum / 2)
        for _ in 0..<100 { _ = backoff.next(chance: 0.5) }
        #expect(backoff.next(chance: 0.999) <= Backoff.maximum)
        #expect(backoff.next(chance: 0) == Backoff.maximum / 2)
        backoff.reset()
        #expect(backoff.next(chance: 0) == Backoff.minimum / 2)
    }
}
