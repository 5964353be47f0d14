import Causality
import Content
@testable import FileDatabase
import Merkle
import TestSupport
import Testing

@Suite("In whose name a database writes")
struct AuthorshipTests {
    @Test func tellsItsOwnWritesFromForgottenOnes() async throws {
        let time = ManualTime()
        let database = try FileDatabase.inMemory(time: time)
        func at(_ timestamp: Timestamp?) -> Timestamp { timestamp ?? .zero }
        let start = database.written.start
        #expect(database.written.hasForgotten(earliest: start.next, latest: start.next))
        try await database.put("1", at: "/a")
        time.advance(by: 1000)
        try await database.put("2", at: "/a")
        let written = database.written
        #expect(written.actor == .numbered(1))
        #expect(!written.hasForgotten(earliest: at(written.first), latest: at(written.last)))
        #expect(written.hasForgotten(earliest: start.next, latest: at(written.last)))
        #expect(written.hasForgotten(earliest: at(written.first), latest: at(written.last).next))
    }

    /// What was written in between is named anew, once, over what had been seen before.
    @Test func takesUpAnotherIncarnation() async throws {
        let disk = FaultyDisk()
        let time = ManualTime()
        var database = try FileDatabase.inMemory(disk, time: time)
        try await database.put("1", at: "/old")
        try await database.put("1", at: "/a")
        let first = try #require(try database.view.entry(at: path("/a"))?.register)
        database.close()
        database = try FileDatabase.inMemory(disk, time: time)
        time.advance(by: 1000)
        try await database.put("2", at: "/a")
        try await database.put("3", at: "/a")
        let root = database.head.commit.files.root
        #expect(try await database.takeUp(incarnation: 9) == 1)
        #expect(database.head.commit.files.root != root)
        #expect(database.actor == .numbered(1, incarnation: 9))
        let register = try #require(try database.view.entry(at: path("/a"))?.register)
        #expect(register.versions.count == 1)
        #expect(register.winner.dot.actor == .numbered(1, incarnation: 9))
        #expect(register.winner.past == first.context)
        #expect(try await database.text(at: "/a") == "3")
        #expect(try database.view.entry(at: path("/old"))?.register?.winner.dot.actor == .numbered(1))
        try await database.put("4", at: "/old")
        #expect(try database.view.entry(at: path("/old"))?.register?.versions.count == 1)
        #expect(try await database.takeUp(incarnation: 10) == 2)
        #expect(try database.view.entry(at: path("/old"))?.register?.winner.dot.actor == .numbered(1, incarnation: 10))
    }

    /// The processes before this one may have begun with the old copy already.
    @Test(arguments: [false, true]) func takesUpAnotherIncarnationForEarlierProcesses(isCollected: Bool) async throws {
        let disk = FaultyDisk()
        let time = ManualTime()
        var database = try FileDatabase.inMemory(disk, time: time)
        try await database.put("1", at: "/a")
        let first = try #require(try database.view.entry(at: path("/a"))?.register)
        let start = database.head.commit.time
        var beginning = Beginning(gaps: [], files: database.head.commit.files.root, system: database.head.commit.system.root)
        database.close()
        for text in ["2", "3", "4"] {
            database = try FileDatabase.inMemory(disk, time: time)
            time.advance(by: 1000)
            let own = database.beginning
            database.begin(incarnation: 0, after: beginning)
            try await database.put(text, at: "/a")
            #expect(database.written.earliestStart == start)
            beginning.gaps += own.gaps
            database.close()
        }
        database = try FileDatabase.inMemory(disk, time: time)
        if isCollected { beginning.files = ContentHash(of: .tree, [1]) }
        database.begin(incarnation: 0, after: beginning)
        #expect(try await database.takeUp(incarnation: 9) == 1)
        let register = try #require(try database.view.entry(at: path("/a"))?.register)
        #expect(register.versions.map(\.dot.actor) == [.numbered(1, incarnation: 9)])
        #expect(try await database.text(at: "/a") == "4")
        // Where it is not known any more what had been seen by then, the new name says that its own writes were.
        #expect(register.winner.past == (isCollected ? VersionVector([Dot(timestamp: start, actor: .numbered(1))]) : first.context))
    }

    @Test func promisesNoTimeThatAWriteComesBefore() async throws {
        let time = ManualTime()
        let database = try FileDatabase.inMemory(time: time)
        try await database.put("1", at: "/a")
        let promise = database.promisedTime
        // Whatever the clock does then.
        time.advance(by: -1_000_000)
        try await database.put("2", at: "/a")
        #expect(try #require(database.written.last) > promise)
        time.advance(by: 10_000_000)
        let later = database.promisedTime
        #expect(later > promise)
        try await database.put("3", at: "/a")
        #expect(try #require(database.written.last) > later)
    }

    /// Those that came on a way on which nobody else has heard of them.
    @Test func makesUnheardDeletionsAnew() async throws {
        let time = ManualTime()
        let database = try FileDatabase.inMemory(time: time)
        for name in ["heard", "known", "unheard", "late", "unseen"] { try await database.put("x", at: "/\(name)") }
        try await database.delete(path("/heard"))
        let since = database.head.commit.time
        time.advance(by: 1000)
        func join(_ deletion: Dot, at name: String) async throws {
            let register = try #require(try database.view.entry(at: path("/\(name)"))?.register).writing(.tombstone, at: deletion)
            _ = try await database.join([(path("/\(name)"), register)], into: .files, latest: deletion.timestamp, cause: "test")
        }
        try await join(Dot(timestamp: since.next, actor: .numbered(2)), at: "known")
        try await join(Dot(timestamp: since.next, actor: .numbered(3)), at: "unheard")
        let horizon = since.next
        try await join(Dot(timestamp: horizon.next, actor: .numbered(3)), at: "late")
        let renewed = try await database.renewDeletions(upTo: horizon, after: since) { $0.dot.actor != .numbered(2) }
        #expect(renewed == 1)
        let register = try #require(try database.view.entry(at: path("/unheard"))?.register)
        #expect(register.versions.map(\.value) == [.tombstone])
        #expect(register.winner.dot.actor == .numbered(1))
        #expect(register.context.covers(Dot(timestamp: since.next, actor: .numbered(3))))
        // One that came after somebody looked is not dropped unseen.
        let looked = database.head.commit.files
        try await join(Dot(timestamp: since.next, actor: .numbered(4)), at: "unseen")
        #expect(try await database.purge(upTo: horizon, after: looked, unless: { $0.dot.actor == .numbered(4) }) == nil)
        #expect(database.horizon < horizon)
        #expect(try await database.purge(upTo: horizon, after: database.head.commit.files, unless: { _ in true }) == 3)
        #expect(try database.view.entry(at: path("/unheard"))?.register == register)
        for name in ["heard", "known"] { #expect(try database.view.entry(at: path("/\(name)"))?.register == nil) }
    }

    @Test func purgesWhileOthersWrite() async throws {
        let time = ManualTime()
        let database = try FileDatabase.inMemory(time: time)
        for index in 0..<200 {
            try await database.put("x", at: "/d/f\(index)")
            if index % 2 == 0 { try await database.delete(path("/d/f\(index)")) }
        }
        let horizon = database.head.commit.time
        time.advance(by: 1000)
        async let writes: Void = {
            for index in 0..<100 { try await database.put("y", at: "/d/f\(index)") }
        }()
        _ = try await database.purge(upTo: horizon)
        try await writes
        #expect(database.horizon == horizon)
        let sums = database.head.commit.files.aggregates
        #expect(sums.tombstones == 0)
        #expect(sums.files == 150)
        #expect(try database.earliestTombstone(after: .zero) == nil)
        for index in 0..<200 {
            let text = try await database.text(at: "/d/f\(index)")
            #expect(text == (index < 100 ? "y" : index % 2 == 0 ? nil : "x"))
        }
        // What was prepared under an earlier horizon is not joined.
        await #expect(throws: DatabaseError.self) {
            _ = try await database.join(database.head.commit.files.root, into: .files, latest: .zero, under: .zero, cause: "test")
        }
    }
}
