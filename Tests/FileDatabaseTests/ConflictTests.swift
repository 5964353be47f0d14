import Causality
import Content
@testable import FileDatabase
import Merkle
import TestSupport
import Testing

@Suite("Conflicts")
struct ConflictTests {
    /// Two databases that have exchanged what they know.
    static func pair(_ texts: [String: String] = [:]) async throws -> (FileDatabase, FileDatabase) {
        let (left, right) = (try FileDatabase.inMemory(actor: 1), try FileDatabase.inMemory(actor: 2))
        for (path, text) in texts { try await left.put(text, at: path) }
        try await right.take(from: left)
        return (left, right)
    }

    static func exchange(_ left: FileDatabase, _ right: FileDatabase) async throws {
        try await left.take(from: right)
        try await right.take(from: left)
        #expect(left.head.commit.files == right.head.commit.files)
    }

    static func conflicts(_ database: FileDatabase) throws -> [Conflict] {
        try database.view.conflicts(limit: 100).items
    }

    static func names(_ database: FileDatabase, _ directory: String, recursive: Bool = false) throws -> [String] {
        var options = ListOptions()
        options.recursive = recursive
        return try database.view.list(TreePath(directory), options).items.map(\.path.description)
    }

    @Test("Two edits: the later wins on both sides, the other is kept and can be read")
    func modifyModify() async throws {
        let (left, right) = try await Self.pair(["/d/f": "old"])
        try await left.put("left", at: "/d/f")
        try await right.put("right", at: "/d/f")
        try await Self.exchange(left, right)
        for database in [left, right] {
            #expect(try await database.text(at: "/d/f") == "right")
            let conflict = try #require(try Self.conflicts(database).first)
            #expect(conflict.kind == .modifyModify)
            #expect(conflict.path == (try path("/d/f")))
            #expect(conflict.losers.count == 1)
            let place = TreeView.conflictsPath(of: conflict.losers[0], at: conflict.path).description
            #expect(place == "/.conflicts/d/f/\(conflict.losers[0].dot)")
            #expect(try await database.text(at: place) == "left")
            #expect(try Self.names(database, "/.conflicts", recursive: true) == ["/.conflicts/d", "/.conflicts/d/f", place])
            #expect(try Self.names(database, "/.conflicts/d") == ["/.conflicts/d/f"])
            #expect(try database.view.info(at: path("/d"))?.conflicts == 1)
            #expect(try database.view.info(at: path("/.conflicts/d"))?.kind == .directory)
            #expect(try database.view.info(at: path("/.conflicts/e")) == nil)
            #expect(try database.view.info(at: path("/.conflicts/d/f/nothing")) == nil)
        }
    }

    @Test("An edit beats a deletion, which is the loser and no file")
    func modifyDelete() async throws {
        let (left, right) = try await Self.pair(["/f": "old"])
        try await left.put("left", at: "/f")
        try await right.delete(path("/f"))
        try await Self.exchange(left, right)
        #expect(try await right.text(at: "/f") == "left")
        let conflict = try #require(try Self.conflicts(right).first)
        #expect(conflict.kind == .modifyDelete)
        #expect(conflict.losers.map(\.value) == [.tombstone])
        #expect(try Self.names(right, "/.conflicts/f") == [])
        #expect(try await right.resolve(path("/f"), pick: .loser)?.value == .tombstone)
        try await Self.exchange(left, right)
        #expect(try left.view.info(at: path("/f")) == nil)
        #expect(try Self.conflicts(left).isEmpty)
    }

    @Test("A file here and a directory there: both stay", arguments: ConflictChoice.allCases)
    func fileDirectory(choice: ConflictChoice) async throws {
        let (left, right) = try await Self.pair()
        try await left.put("file", at: "/n")
        try await right.put("below", at: "/n/below")
        try await Self.exchange(left, right)
        #expect(try await left.everything() == ["/n": String?.none, "/n/below": "below"])
        let conflict = try #require(try Self.conflicts(left).first)
        #expect(conflict.kind == .fileDirectory)
        #expect(conflict.winner == nil)
        let place = TreeView.conflictsPath(of: conflict.losers[0], at: conflict.path).description
        #expect(try await left.text(at: place) == "file")
        switch choice {
        case .directory:
            #expect(try await left.resolve(path("/n"), pick: .winner) == nil)
            #expect(try await left.everything() == ["/n": String?.none, "/n/below": "below"])
        case .file:
            _ = try await left.resolve(path("/n"), pick: .loser)
            #expect(try await left.everything() == ["/n": "file"])
        case .deletion:
            // The directory goes. What it hid is not what the user deleted: it neither comes back by itself nor is lost.
            try await left.delete(path("/n"), recursive: true)
            #expect(try await left.everything().isEmpty)
            let rest = try #require(try Self.conflicts(left).first)
            #expect(rest.kind == .modifyDelete)
            #expect(try await left.text(at: TreeView.conflictsPath(of: rest.losers[0], at: rest.path).description) == "file")
            _ = try await left.resolve(path("/n"), pick: .loser)
            #expect(try await left.everything() == ["/n": "file"])
        }
        #expect(try Self.conflicts(left).isEmpty)
        try await Self.exchange(left, right)
        #expect(try await right.everything() == left.everything())
    }

    enum ConflictChoice: CaseIterable { case directory, file, deletion }

    @Test("Equal bytes are no conflict, and neither is an edit that saw the other")
    func falseConflicts() async throws {
        let (left, right) = try await Self.pair(["/a": "old", "/b": "old"])
        try await left.put("same", at: "/a")
        try await right.put("same", at: "/a")
        for number in 0..<5 {
            try await left.put("left \(number)", at: "/b")
            try await right.take(from: left)
            try await right.put("right \(number)", at: "/b")
            try await left.take(from: right)
        }
        try await Self.exchange(left, right)
        #expect(try Self.conflicts(left).isEmpty)
        #expect(left.head.commit.files.aggregates.conflicts == 0)
        #expect(try await left.text(at: "/b") == "right 4")
    }

    @Test("What can be picked, and what cannot")
    func resolving() async throws {
        let databases = try (1...4).map { try FileDatabase.inMemory(actor: $0) }
        for (number, database) in databases.enumerated() { try await database.put("text \(number)", at: "/f") }
        for database in databases[1...] { try await databases[0].take(from: database) }
        let database = databases[0]
        let conflict = try #require(try Self.conflicts(database).first)
        #expect(conflict.losers.count == 3)
        #expect(try await database.text(at: "/f") == "text 3")
        func refused(_ at: String, _ pick: ConflictPick) async throws -> DatabaseError.Code? {
            let before = database.head
            let error = await #expect(throws: DatabaseError.self) { _ = try await database.resolve(path(at), pick: pick) }
            #expect(database.head == before)
            return error?.code
        }
        #expect(try await refused("/f", .loser) == .conflict)
        #expect(try await refused("/f", .version("nothing")) == .invalid)
        #expect(try await refused("/g", .winner) == .notFound)
        #expect(try await refused("/", .winner) == .notFound)
        // A plain write keeps the losers.
        try await database.put("newer", at: "/f")
        #expect(try Self.conflicts(database).first?.losers.map(\.dot) == conflict.losers.map(\.dot))
        let picked = conflict.losers[1]
        let resolved = try #require(try await database.resolve(path("/f"), pick: .version(picked.dot.description)))
        #expect(resolved.value == picked.value)
        #expect(resolved.dot > conflict.losers[2].dot)
        #expect(try await refused("/f", .winner) == .notFound)
        // It replicates like a write, and the others, who know less, add nothing to it.
        for other in databases[1...] {
            try await Self.exchange(database, other)
            #expect(try Self.conflicts(other).isEmpty)
        }
        #expect(try await databases[2].text(at: "/f") == "text 1")
    }

    @Test("Conflicts are listed a page at a time", arguments: [1, 2, 3, 100])
    func pages(limit: Int) async throws {
        let (left, right) = try await Self.pair()
        let names = ["/a", "/b/c", "/b/d", "/b/d0", "/e/f/g", "/h"]
        for name in names {
            try await left.put("left", at: name)
            try await right.put("right", at: name)
        }
        try await left.put("quiet", at: "/b/quiet")
        try await Self.exchange(left, right)
        var found: [String] = []
        var after: TreePath?
        while true {
            let (items, isComplete) = try left.view.conflicts(after: after, limit: limit)
            found += items.map(\.path.description)
            #expect(isComplete || items.count == limit)
            if isComplete { break }
            after = items.last?.path
        }
        #expect(found == names)
        #expect(try left.view.conflicts(at: path("/b"), limit: 10).items.map(\.path.description) == ["/b/c", "/b/d", "/b/d0"])
        #expect(try left.view.conflicts(at: path("/b/d"), limit: 10).items.map(\.path.description) == ["/b/d"])
        var options = ListOptions()
        options.recursive = true
        let all = try left.view.list(path("/.conflicts"), options).items.map(\.path)
        options.limit = limit
        var pages: [TreePath] = []
        repeat {
            let page = try left.view.list(path("/.conflicts"), options)
            pages += page.items.map(\.path)
            options.after = page.next
        } while options.after != nil
        #expect(pages == all)
        #expect(all == all.sorted())
        #expect(all.count == 6 + 6 + 3)
    }

    @Test("Random edits on three databases, exchanged at random, end the same", arguments: Seed.several(10))
    func convergence(seed: Seed) async throws {
        var random = seed.generator
        let databases = try (1...3).map { try FileDatabase.inMemory(actor: $0) }
        for _ in 0..<60 {
            let database = random.pick(databases)
            let place = ModelTests.randomPath(&random).description
            do {
                switch random.below(8) {
                case 0...3: try await database.put("text \(random.next())", at: place)
                case 4: try await database.delete(path(place), recursive: true)
                case 5: _ = try await database.resolve(path(place), pick: .winner)
                default: try await database.take(from: random.pick(databases))
                }
            } catch let error as DatabaseError {
                #expect([.conflict, .notFound].contains(error.code), "\(error)")
            }
        }
        for _ in 0..<2 { for (left, right) in zip(databases, databases.dropFirst() + databases.prefix(1)) { try await right.take(from: left) } }
        #expect(Set(databases.map(\.head.commit.files)).count == 1)
        for database in databases { #expect(try database.verify().faults.isEmpty) }
        let conflicts = try Self.conflicts(databases[0])
        #expect(UInt64(conflicts.count) == databases[0].head.commit.files.aggregates.conflicts)
    }
}

@Suite("Picks taken back")
struct ReopenTests {
    @Test("Everything is as it was before, on every node, and can be settled again", arguments: ["left", "right"])
    func reopened(pick: String) async throws {
        let (left, right) = try await ConflictTests.pair(["/f": "old"])
        try await left.put("left", at: "/f")
        try await right.put("right", at: "/f")
        try await ConflictTests.exchange(left, right)
        let before = try #require(try left.view.conflict(at: path("/f")))
        let settled = try #require(try await left.resolve(path("/f"), pick: pick == "left" ? .loser : .winner))
        try await ConflictTests.exchange(left, right)
        #expect(try ConflictTests.conflicts(right).isEmpty)
        let after = try await left.reopen(before, settledBy: settled.dot)
        #expect(after.winner?.value == before.winner?.value)
        #expect(after.losers.map(\.value) == before.losers.map(\.value))
        try await ConflictTests.exchange(left, right)
        for database in [left, right] {
            #expect(try await database.text(at: "/f") == "right")
            let conflict = try #require(try ConflictTests.conflicts(database).first)
            #expect(try await database.text(at: TreeView.conflictsPath(of: conflict.losers[0], at: conflict.path).description) == "left")
        }
        _ = try await right.resolve(path("/f"), pick: .loser)
        try await ConflictTests.exchange(left, right)
        for database in [left, right] {
            #expect(try await database.text(at: "/f") == "left")
            #expect(try ConflictTests.conflicts(database).isEmpty)
        }
    }

    @Test("A write since then is left alone")
    func writtenSince() async throws {
        let (left, right) = try await ConflictTests.pair(["/f": "old"])
        try await left.put("left", at: "/f")
        try await right.put("right", at: "/f")
        try await ConflictTests.exchange(left, right)
        let before = try #require(try left.view.conflict(at: path("/f")))
        let settled = try #require(try await left.resolve(path("/f"), pick: .winner))
        try await left.put("later", at: "/f")
        await #expect { _ = try await left.reopen(before, settledBy: settled.dot) } throws: { ($0 as? DatabaseError)?.code == .conflict }
        #expect(try await left.text(at: "/f") == "later")
        #expect(try ConflictTests.conflicts(left).isEmpty)
    }
}
