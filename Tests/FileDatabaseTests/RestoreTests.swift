import Causality
import Content
@testable import FileDatabase
import Merkle
import TestSupport
import Testing

@Suite("Snapshots and restore")
struct RestoreTests {
    /// What users see, and the marks of empty directories.
    private static func state(_ database: FileDatabase, below top: String = "/") async throws -> [String: String?] {
        let top = try path(top)
        return try await database.everything().filter { try path($0.key).isWithin(top) }
    }

    @Test("A restore brings back just what was there, and can be undone", arguments: Seed.several(10))
    func roundTrip(seed: Seed) async throws {
        var random = seed.generator
        let database = try FileDatabase.inMemory(actor: 1)
        let other = try FileDatabase.inMemory(actor: 2)
        var states: [(commit: ContentHash, all: [String: String?])] = []
        for _ in 0..<40 {
            let place = ModelTests.randomPath(&random)
            do {
                switch random.below(7) {
                case 0...2: try await database.put("text \(random.next())", at: place.description)
                case 3: try await database.delete(place, recursive: true)
                case 4: _ = try await database.makeDirectory(place)
                case 5:
                    try await other.put("other \(random.next())", at: place.description)
                    try await database.take(from: other)
                default: _ = try await database.move(place, to: ModelTests.randomPath(&random), replace: true)
                }
            } catch let error as DatabaseError {
                #expect([.conflict, .notFound, .invalid].contains(error.code), "\(error)")
            }
            if let hash = database.head.hash { states.append((hash, try await Self.state(database))) }
        }
        for _ in 0..<8 {
            let target = random.pick(states)
            let now = try await Self.state(database)
            let view = try database.view(at: .commit(target.commit)).view
            let preview = try await database.restore(.root, to: view, isPreview: true)
            #expect(try await Self.state(database) == now)
            let conflicts = try ConflictTests.conflicts(database)
            let result = try await database.restore(.root, to: view)
            #expect(try await Self.state(database) == target.all)
            #expect(try view.changes(to: database.view, limit: 10).items.isEmpty, "what was put back does not differ")
            #expect([preview.restored, preview.reverted, preview.deleted] == [result.restored, result.reverted, result.deleted])
            // No loser goes for it, unless what it held is what came back.
            for conflict in conflicts {
                let entry = try #require(try database.view.entry(at: conflict.path))
                for loser in conflict.losers {
                    #expect(entry.register?.versions.contains { $0.dot == loser.dot || $0.value.hasSameContent(as: loser.value) } == true, "\(conflict.path)")
                }
            }
            if let before = result.before, result.commit != nil {
                _ = try await database.restore(.root, to: database.view(at: .commit(before)).view)
                #expect(try await Self.state(database) == now)
            }
        }
    }

    @Test("Only what is at and below the path is touched")
    func folder() async throws {
        let database = try FileDatabase.inMemory()
        try await database.put("1", at: "/d/f")
        try await database.put("1", at: "/e/f")
        _ = try await database.makeSnapshot("s")
        try await database.put("2", at: "/d/f")
        try await database.put("2", at: "/e/f")
        try await database.put("2", at: "/d/new")
        let result = try await database.restore(path("/d"), to: database.view(at: .snapshot("s")).view)
        #expect([result.restored, result.reverted, result.deleted] == [0, 1, 1])
        #expect(try await database.everything() == ["/d": String?.none, "/d/f": "1", "/e": String?.none, "/e/f": "2"])
        let error = await #expect(throws: DatabaseError.self) {
            try await database.restore(path("/nothing"), to: database.view(at: .snapshot("s")).view)
        }
        #expect(error?.code == .notFound)
    }

    @Test("A version is written anew by its name")
    func version() async throws {
        let database = try FileDatabase.inMemory()
        try await database.put("1", at: "/f")
        let first = try #require(try database.view.info(at: path("/f"))?.version)
        try await database.put("2", at: "/f")
        try await database.delete(path("/f"))
        try await database.put("in the way", at: "/f/g")
        let result = try await database.restore(path("/f"), toVersion: first.dot.description)
        #expect(result.restored == 1)
        #expect(result.deleted == 1)
        #expect(try await database.everything() == ["/f": "1"])
        #expect(try database.view.info(at: path("/f"))?.version?.dot != first.dot)
        let error = await #expect(throws: DatabaseError.self) { try await database.restore(path("/f"), toVersion: "nothing") }
        #expect(error?.code == .notFound)
    }

    @Test("Snapshots stay what they are, and replicate by name")
    func snapshots() async throws {
        let (left, right) = try await ConflictTests.pair(["/f": "old", "/keep": "same"])
        let made = try await left.makeSnapshot("before", metadata: #"{"a":1}"#)
        #expect(made.files == 2)
        try await left.put("new", at: "/f")
        #expect(try left.view(at: .snapshot("before")).view.info(at: path("/f"))?.version?.value == .file("old"))
        let taken = await #expect(throws: DatabaseError.self) { _ = try await left.makeSnapshot("before") }
        #expect(taken?.code == .conflict)
        #expect(try left.ownBytes(of: [made], among: left.snapshots()) == [3])
        try await right.take(from: left, .system)
        #expect(try right.snapshots() == [made])
        #expect(try right.snapshotsToFetch().isEmpty || right.head.commit.files.root != made.root)
        try right.markWhole(made.root)
        #expect(try right.snapshotsToFetch().isEmpty)
        // The same name on both sides at once: both stay.
        _ = try await left.makeSnapshot("twice")
        _ = try await right.makeSnapshot("twice")
        try await left.take(from: right, .system)
        #expect(try left.snapshots().map(\.name) == ["before", "twice", "twice"])
        #expect(try left.snapshots().map(\.isRival) == [false, false, true])
        #expect(try left.keptStates().filter { $0.snapshot == "twice" }.count == 2)
        try await left.deleteSnapshot("before")
        let gone = await #expect(throws: DatabaseError.self) { try await left.deleteSnapshot("before") }
        #expect(gone?.code == .notFound)
    }

    @Test("Names that mean something else are refused", arguments: [
        "", "a/b", "..", "now", "2026-05-01", "2026-05-01T10:11:12Z", " a", "a\n", String(repeating: "n", count: 129),
        String(repeating: "a", count: 64),
    ])
    func names(name: String) async throws {
        let database = try FileDatabase.inMemory()
        let error = await #expect(throws: DatabaseError.self) { _ = try await database.makeSnapshot(name) }
        #expect(error?.code == .invalid)
    }
}
