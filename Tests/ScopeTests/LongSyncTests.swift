import Content
import Foundation
@testable import Node
import Platform
import Replication
import Synchronization
import Testing

/// A clock that goes on only when it is told to, or when somebody waits for a moment.
private final class HandClock: TimeSource {
    private let now = Mutex<UInt64>(1_700_000_000_000_000)
    /// What is waited for so shortly passes by itself, in microseconds.
    private static let moment: Int64 = 300_000

    func wallMicroseconds() -> UInt64 { now.withLock { $0 } }
    func monotonicMicroseconds() -> UInt64 { now.withLock { $0 } }
    func advance(by microseconds: Int64) { now.withLock { $0 += UInt64(microseconds) } }

    func wait(_ duration: Duration) async throws {
        let microseconds = Int64(duration / .microseconds(1))
        if microseconds <= HandClock.moment {
            advance(by: microseconds)
            return await Task.yield()
        }
        let end = monotonicMicroseconds() + UInt64(microseconds)
        while monotonicMicroseconds() < end { try await Task.sleep(for: .milliseconds(1)) }
    }
}

@Suite("Syncs that take long")
struct LongSyncTests {
    @Test("A sync that nothing keeps live is not refused in the middle, however long it takes")
    func outlastsPatience() async throws {
        let clock = HandClock()
        try await withLab(time: clock) { lab in
            let a = try await lab.node("a", founds: true)
            let b = try await lab.node("b", joining: "a")
            try await b.sync()
            for index in 0..<40 { try await a.put("\(index)", at: "/d\(index % 4)/f\(index)") }
            let beats = Mutex(0)
            let isSlow = Mutex(true)
            let meanwhile = Mutex(0)
            lab.onRequest.withLock { hook in
                hook = { address, path in
                    if path == "/sync/heartbeat", address == Lab.address("a") { beats.withLock { $0 += 1 } }
                    guard path == "/sync/chunks" else { return }
                    let isFirst = isSlow.withLock { isSlow -> Bool in
                        defer { isSlow = false }
                        return isSlow
                    }
                    guard isFirst else { return }
                    // Longer than the peer remembers whose clock is settled, and not as long as a token lasts; heartbeats get their turns.
                    let start = beats.withLock { $0 }
                    defer { meanwhile.withLock { $0 = beats.withLock { $0 } - start } }
                    for _ in 0..<10 {
                        let before = beats.withLock { $0 }
                        clock.advance(by: Int64(CallerClock.patience / 8))
                        for _ in 0..<150 where beats.withLock({ $0 }) == before { try? await Task.sleep(for: .milliseconds(1)) }
                    }
                }
            }
            let report = try #require(try await b.sync().first)
            #expect(report.entries == 40)
            // It was not tried again.
            #expect(meanwhile.withLock { $0 } > 1)
            #expect(try await b.text("/d1/f5") == "5")
        }
    }
}
