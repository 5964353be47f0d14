import Causality
import Content
@testable import FileDatabase
import Merkle
import TestSupport
import Testing

@Suite("Retention")
struct RetentionTests {
    static let day: UInt64 = 86_400_000_000
    /// A Thursday, at noon.
    static let now: UInt64 = 1_699_531_200_000_000 + day / 2 - 1_699_531_200_000_000 % day

    private static func policy(_ all: Int?, _ daily: Int?, _ weekly: Int?, _ path: String = "/**") -> RetentionPolicy.Rule {
        RetentionPolicy.Rule(path: path, allDays: all, dailyDays: daily, weeklyDays: weekly)
    }

    @Test("What was here at a time is told exactly where all states are kept, else from the first later one that is")
    func filesAtATime() async throws {
        let time = ManualTime(Self.now)
        let database = try FileDatabase.inMemory(time: time)
        try await database.put("1", at: "/a")
        let noon = database.head.commit.time
        let present = try #require(try database.files(at: noon))
        #expect(present.isExact)
        time.advance(by: 3_600_000_000)
        try await database.put("2", at: "/b")
        let exact = try #require(try database.files(at: noon))
        #expect(exact.isExact)
        #expect(exact.files.root == present.files.root)
        // By then only the last state of that day is kept.
        time.advance(by: Int64(40 * Self.day))
        try await database.put("3", at: "/c")
        let later = try #require(try database.files(at: noon))
        #expect(!later.isExact)
        #expect(try later.files.entry(at: TreePath("/b"), in: database.nodes) != nil)
        #expect(try later.files.entry(at: TreePath("/c"), in: database.nodes) == nil)
    }

    @Test("What a rule keeps is what a list of the moments that matter keeps", arguments: Seed.several(20))
    func againstMoments(seed: Seed) throws {
        var random = seed.generator
        let (all, daily, weekly) = (random.below(4), random.below(10), random.below(40))
        let rule = try RetentionRule(Self.policy(all, daily, weekly))
        // Every midnight that has to be kept, one by one.
        let allStart = Self.now - UInt64(all) * Self.day
        let dailyStart = allStart - UInt64(daily) * Self.day
        let weeklyStart = dailyStart - UInt64(weekly) * Self.day
        var midnights: [UInt64] = []
        for number in 0...80 {
            let midnight = Self.now / Self.day * Self.day - UInt64(number) * Self.day
            // 1970 began on a Thursday.
            let isMonday = (midnight / Self.day + 3) % 7 == 0
            if midnight > dailyStart || isMonday && midnight > weeklyStart { midnights.append(midnight) }
        }
        var times: [UInt64] = (0..<60).map { _ in Self.now - UInt64(random.below(60 * 24)) * Self.day / 24 - UInt64(random.below(1000)) }
        times.sort()
        for (from, until) in zip(times, times.dropFirst()) where from < until {
            let isKept = until > allStart || midnights.contains { from < $0 && $0 <= until }
            #expect((rule.reason(from: from, until: until, now: Self.now) != nil) == isKept, "\(from) \(until)")
        }
        // What a kept moment leads to is kept.
        for _ in 0..<50 {
            let time = Self.now - UInt64(random.below(60 * 24)) * Self.day / 24
            guard let moment = rule.keptMoment(notAfter: time, now: Self.now) else { continue }
            #expect(moment <= time)
            guard let from = times.last(where: { $0 <= moment }), let until = times.first(where: { $0 > moment }) else { continue }
            #expect(rule.reason(from: from, until: until, now: Self.now) != nil)
        }
        #expect(rule.reason(from: 1, until: nil, now: Self.now) == .newest)
    }

    @Test("Expired states are not listed, and times lead to the last kept one before")
    func expiry() async throws {
        let start = Self.now / Self.day * Self.day
        let time = ManualTime(start)
        let database = try FileDatabase.inMemory(time: time)
        // Ten days, three writes on each, of two files in turn; a snapshot in the middle.
        for hour in 0..<30 {
            time.set(start + UInt64(hour) * Self.day / 3 + 3_600_000_000)
            try await database.put("\(hour)", at: "/f")
            try await database.put("\(hour)", at: "/short/f")
            if hour == 4 { _ = try await database.makeSnapshot("middle") }
        }
        func listed(_ text: String) throws -> Int { try database.history(of: path(text), limit: 100).items.count }
        #expect(try listed("/f") == 30)
        try await database.setRetention(RetentionPolicy(rules: [Self.policy(1, 0, 0, "/short/**"), Self.policy(2, 4, 0)]))
        time.set(start + 10 * Self.day + 60_000_000)
        // Two days of three, and what was the newest as they began; four midnights; and the snapshot's.
        let kept = try database.history(of: path("/f"), limit: 100).items.map(\.version.value)
        #expect(kept == [29, 28, 27, 26, 25, 24, 23, 20, 17, 14, 4].map { Value.file("\($0)") })
        let short = try database.history(of: path("/short/f"), limit: 100).items.map(\.version.value)
        #expect(short == [29, 28, 27, 26, 4].map { Value.file("\($0)") })
        // At noon of a day of which only the last state is kept: the midnight before.
        let past = try database.view(at: .time(start + 5 * Self.day + Self.day / 2), for: path("/f"))
        #expect(try past.view.info(at: path("/f"))?.version?.value == .file("14"))
        let error = #expect(throws: DatabaseError.self) { try database.view(at: .time(start + Self.day), for: path("/f")) }
        #expect(error?.code == .gone)
        // What collection must keep: at least every state that is listed, and the snapshot.
        let states = try database.keptStates()
        #expect(states.first?.commit == database.head.hash)
        #expect(states.last?.snapshot == "middle")
        let listedCommits = try database.history(of: path("/f"), limit: 100).items.dropLast().map(\.version.dot)
        for dot in listedCommits {
            let isHeld = try states.contains { state in
                guard state.scope.keeps(try path("/f")) else { return false }
                return try Subtree(root: state.root, aggregates: .zero).entry(at: path("/f"), in: database.nodes)?.register?.version(dot) != nil
            }
            #expect(isHeld, "\(dot)")
        }
        let partial = try #require(states.first { !$0.scope.isEverything })
        #expect(try !partial.scope.keeps(path("/short/f")))
        #expect(try partial.scope.keeps(path("/f")))
        #expect(try !partial.scope.mayKeep(below: path("/short")))
        #expect(partial.scope.mayKeep(below: .root))
    }

    @Test("Of two policies set at once one is in force, the other is listed, and both are kept to")
    func rivals() async throws {
        let (left, right) = try await ConflictTests.pair(["/f": "old"])
        try await left.setRetention(RetentionPolicy(rules: [Self.policy(nil, 0, 0)]))
        try await right.setRetention(RetentionPolicy(rules: [Self.policy(1, 0, 0)]))
        try await left.take(from: right, .system)
        try await right.take(from: left, .system)
        for database in [left, right] {
            let settings = try database.retention()
            #expect(settings.current.policy.rules[0].allDays == 1)
            #expect(settings.rivals.map(\.policy.rules[0].allDays) == [nil])
            #expect(try settings.reason(for: path("/f"), from: .zero, until: Timestamp(microseconds: 1), now: Self.now) == .recent)
        }
        try await left.setRetention(RetentionPolicy(rules: [Self.policy(2, 0, 0)]))
        try await right.take(from: left, .system)
        #expect(try right.retention().rivals.isEmpty)
        #expect(try right.retention().reason(for: path("/f"), from: .zero, until: Timestamp(microseconds: 1), now: Self.now) == nil)
    }

    @Test("What is no policy is refused", arguments: [
        [], [policy(1, 1, 1, "/a")], [policy(-1, 0, 0)], [policy(0, 0, 40_000)], [policy(0, 0, 0, "")],
    ])
    func refused(rules: [RetentionPolicy.Rule]) async throws {
        let database = try FileDatabase.inMemory()
        let error = await #expect(throws: DatabaseError.self) { try await database.setRetention(RetentionPolicy(rules: rules)) }
        #expect(error?.code == .invalid)
        #expect(try database.retention().current.version == nil)
    }
}
