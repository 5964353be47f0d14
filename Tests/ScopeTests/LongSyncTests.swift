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
            let passed = Mutex<Int64>(0)
            lab.onRequest.withLock { hook in
                hook = { address, path in
                    if path == "/sync/heartbeat", address == Lab.address("a") { beats.withLock { $0 += 1 } }
                    guard path == "/sync/chunks" || path == "/sync/changes" else { return }
                    // Twice as long as the peer remembers whose clock is settled; heartbeats get their turns.
                    for _ in 0..<16 {
                        let before = beats.withLock { $0 }
                        clock.advance(by: Int64(CallerClock.patience / 8))
                        passed.withLock { $0 += Int64(CallerClock.patience / 8) }
                        for _ in 0..<60 where beats.withLock({ $0 }) == before { try? await Task.sleep(for: .milliseconds(1)) }
                    }
                }
            }
            let report = try #require(try await b.sync().first)
            #expect(report.entries == 40)
            #expect(passed.withLock { $0 } > Int64(CallerClock.patience))
            #expect(try await b.text("/d1/f5") == "5")
        }
    }
}
