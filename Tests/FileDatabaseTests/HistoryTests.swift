import Causality
import Content
@testable import FileDatabase
import Merkle
import Objects
import TestSupport
import Testing

@Suite("History")
struct HistoryTests {
    /// Every register of a tree, found by reading all of it.
    private static func registers(_ database: FileDatabase) throws -> [TreePath: Register] {
        var walk = try database.head.commit.files.walk(in: database.nodes)
        var found: [TreePath: Register] = [:]
        while let (path, entry) = try walk.next() { found[path] = entry.register }
        return found
    }

    /// What came to a path, commit by commit, by comparing all registers after each.
    private struct Recorder {
        var last: [TreePath: Register] = [:]
        var lastHead: ContentHash?
        var arrivals: [TreePath: [(commit: ContentHash, dots: [Dot])]] = [:]

        mutating func record(_ database: FileDatabase) throws {
            guard let hash = database.head.hash, hash != lastHead else { return }
            lastHead = hash
            let now = try HistoryTests.registers(database)
            for (path, register) in now where register != last[path] {
                let old = last[path]?.versions.map(\.dot) ?? []
                let dots = register.versions.map(\.dot).filter { !old.contains($0) }.reversed()
                if !dots.isEmpty { arrivals[path, default: []].insert((hash, Array(dots)), at: 0) }
            }
            last = now
        }
    }

    private static func pages(_ limit: Int, _ page: (HistoryPage.Place?) throws -> HistoryPage) throws -> [HistoryItem] {
        var items: [HistoryItem] = []
        var place: HistoryPage.Place?
        repeat {
            let found = try page(place)
            items += found.items
            place = try found.next.map { try #require(HistoryPage.Place($0.encoded)) }
        } while place != nil
        return items
    }

    private static func check(_ database: FileDatabase, _ recorder: Recorder, limit: Int) throws {
        for (path, arrivals) in recorder.arrivals {
            let items = try pages(limit) { try database.history(of: path, from: $0, limit: limit) }
            let expected = arrivals.flatMap { arrival in arrival.dots.map { "\(arrival.commit) \($0)" } }
            #expect(items.map { "\($0.commit.hash) \($0.version.dot)" } == expected, "\(path)")
            // A file that a directory hides has lost.
            let entry = try database.view.entry(at: path)
            let current = entry?.hidesFile == true ? nil : entry?.register?.winner.dot
            #expect(items.filter { $0.status == .current }.map(\.version.dot) == [current].compactMap(\.self), "\(path)")
        }
        let below = try path("/b")
        let items = try pages(limit) { try database.history(below: below, from: $0, limit: limit) { _ in true } }
        let expected = recorder.arrivals.filter { $0.key.isWithin(below) }.flatMap { path, arrivals in
            arrivals.flatMap { arrival in arrival.dots.map { "\(arrival.commit) \(path) \($0)" } }
        }
        #expect(items.map { "\($0.commit.hash) \($0.path) \($0.version.dot)" }.sorted() == expected.sorted())
        #expect(items.map(\.commit.time) == items.map(\.commit.time).sorted(by: >))
    }

    @Test("History tells what a naive recorder saw, also from an index that was lost", arguments: Seed.several(6))
    func againstRecorder(seed: Seed) async throws {
        var random = seed.generator
        let disk = FaultyDisk()
        let time = ManualTime()
        let database = try FileDatabase.inMemory(disk, actor: 1, time: time)
        let other = try FileDatabase.inMemory(actor: 2, time: time)
        var recorder = Recorder()
        for step in 0..<120 {
            time.advance(by: Int64(random.below(3_000_000)) + 1)
            let source = random.below(4) == 0 ? other : database
            let place = ModelTests.randomPath(&random)
            do {
                switch random.below(9) {
                case 0...3: try await source.put("text \(random.next())", at: place.description)
                case 4: try await source.delete(place, recursive: true)
                case 5: _ = try await source.move(place, to: ModelTests.randomPath(&random), replace: true)
                case 6: _ = try await source.resolve(place, pick: .winner)
                case 7: try await database.take(from: other)
                default: try await other.take(from: database)
                }
            } catch let error as DatabaseError {
                #expect([.conflict, .notFound, .invalid].contains(error.code), "\(error)")
            }
            try recorder.record(database)
            // A look now and then, so that the index is brought up to date in the middle, too.
            if step % 40 == 17 { try Self.check(database, recorder, limit: 3) }
        }
        // One commit that changes more of a directory than is noted path by path.
        let items = try (0..<100).map { FileDatabase.BulkItem(path: try path("/b/many\($0)"), value: .symlink(target: "\($0)")) }
        _ = try? await database.put(items)
        try recorder.record(database)
        try Self.check(database, recorder, limit: 1 + random.below(5))
        try Self.check(database, recorder, limit: 1000)
        database.close()
        let again = try FileDatabase.inMemory(disk, actor: 1, time: time)
        try Self.check(again, recorder, limit: 1000)
    }

    @Test("The index goes on after a crash from where it was")
    func catchingUp() async throws {
        let (disk, table) = (FaultyDisk(), MemoryTable())
        func open() throws -> FileDatabase {
            try FileDatabase(store: ObjectStore(disk: disk, index: MemoryIndex()), actor: .numbered(1), time: ManualTime(), history: table)
        }
        let first = try open()
        for number in 0..<5 { try await first.put("\(number)", at: "/f") }
        #expect(try first.history(of: path("/f"), limit: 100).items.count == 5)
        // Not told to the table before the process is gone.
        for number in 5..<9 { try await first.put("\(number)", at: "/f") }
        let second = try open()
        #expect(try second.history(of: path("/f"), limit: 100).items.count == 9)
        #expect(try second.history(of: path("/g"), limit: 100).items.isEmpty)
        let reasons = try second.history(of: path("/f"), limit: 100).items.map(\.reason)
        #expect(reasons.last == "the first version here")
        #expect(reasons[0].hasPrefix("written over "))
    }

    @Test("A table of another chain is made anew")
    func foreignTable() async throws {
        let table = MemoryTable()
        for name in ["/one", "/two"] {
            let database = try FileDatabase(
                store: ObjectStore(disk: FaultyDisk(), index: MemoryIndex()), actor: .numbered(1), time: ManualTime(), history: table)
            try await database.put("text", at: name)
            #expect(try database.history(of: path(name), limit: 10).items.count == 1)
            database.close()
            if name == "/two" { #expect(try database.history(of: path("/one"), limit: 10).items.isEmpty) }
        }
    }

    @Test("A conflict says who won and why")
    func reasons() async throws {
        let (left, right) = try await ConflictTests.pair(["/f": "old", "/g": "old"])
        try await left.put("left", at: "/f")
        try await right.put("right", at: "/f")
        try await left.put("left", at: "/g")
        try await right.delete(path("/g"))
        try await ConflictTests.exchange(left, right)
        let items = try left.history(of: path("/f"), limit: 10).items
        #expect(items.map(\.status) == [.current, .conflict, .replaced])
        #expect(items[0].reason == "won over \(items[1].version.dot): the later write")
        let deletion = try right.history(of: path("/g"), limit: 10).items
        #expect(deletion[0].reason == "won over \(deletion[1].version.dot): a change stands over a deletion")
        _ = try await left.resolve(path("/f"), pick: .loser)
        let settled = try left.history(of: path("/f"), limit: 10).items
        #expect(settled[0].reason == "picked to settle a conflict")
        #expect(settled.map(\.status) == [.current, .replaced, .replaced, .replaced])
    }

    @Test("Moments lead to the state that was there")
    func moments() async throws {
        let time = ManualTime(1_700_000_000_000_000)
        let database = try FileDatabase.inMemory(time: time)
        func text(_ moment: Moment) throws -> ContentHash? { try database.view(at: moment).view.info(at: path("/f"))?.contentHash }
        func hash(_ text: String) -> ContentHash { ContentHash(of: .chunk, Array(text.utf8)) }
        var commits: [ContentHash] = []
        for number in 0..<50 {
            time.set(1_700_000_000_000_000 + UInt64(number) * 1_000_000)
            try await database.put("\(number)", at: "/f")
            commits.append(try #require(database.head.hash))
        }
        for number in 0..<50 {
            let at = 1_700_000_000_000_000 + UInt64(number) * 1_000_000
            #expect(try text(.time(at)) == hash("\(number)"))
            #expect(try text(.time(at + 999_999)) == hash("\(number)"))
            #expect(try text(.commit(commits[number])) == hash("\(number)"))
        }
        #expect(try text(.now) == hash("49"))
        #expect(throws: DatabaseError.self) { try text(.time(1_600_000_000_000_000)) }
        #expect(throws: DatabaseError.self) { try text(.commit(ContentHash(of: .chunk, []))) }
        #expect(throws: DatabaseError.self) { try text(.snapshot("nothing")) }
    }
}
