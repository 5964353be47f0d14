import Platform
import TestSupport
import Testing

@testable import FolderSync

@Suite("Limits of a folder's sync")
struct LimitTests {
    @Test func bytesTakeTheirTime() {
        let time = ManualTime()
        let limit = RateLimit(bytesPerSecond: 1000, time: time)
        #expect(limit.reserve(500) == 500_000)
        // Whoever comes next waits behind.
        #expect(limit.reserve(1000) == 1_500_000)
        time.advance(by: 1_500_000)
        #expect(limit.reserve(100) == 100_000)
        // What was not used is not saved up.
        time.advance(by: 60_000_000)
        #expect(limit.reserve(1000) == 1_000_000)
    }

    @Test func theGuardHoldsLargeDeletionsOnly() {
        #expect(!DeletionGuard.holds(deleting: 3, of: 3))
        #expect(!DeletionGuard.holds(deleting: 10, of: 20))
        #expect(DeletionGuard.holds(deleting: 11, of: 20))
        #expect(!DeletionGuard.holds(deleting: 1000, of: 100_000))
        #expect(DeletionGuard.holds(deleting: 1001, of: 100_000))
    }
}
