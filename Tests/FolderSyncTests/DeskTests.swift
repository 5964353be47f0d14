import Causality
import Content
import FileDatabase
import Foundation
import Merkle
import Objects
import Platform
import Synchronization
import TestSupport
import Testing

@testable import FolderSync

@Suite("Two desks and a server")
struct DeskTests {
    private func pair() throws -> (FileDatabase, Desk, Desk) {
        let server = try FileDatabase.inMemory(actor: 9)
        return (server, try Desk(1, server: server), try Desk(2, server: server))
    }

    /// Syncs until nothing moves any more.
    private func meet(_ desks: Desk...) async throws {
        for _ in 0..<2 { for desk in desks { _ = try await desk.sync() } }
    }

    @Test func filesGoBothWays() async throws {
        let (server, a, b) = try pair()
        try a.write("one", to: "x/one.txt")
        try a.write(Array(repeating: 7, count: 3_000_000), to: "x/large.bin")
        try a.write("", to: "empty")
        try FileManager.default.createDirectory(atPath: a.path("hollow/deep"), withIntermediateDirectories: true)
        try FileManager.default.createSymbolicLink(atPath: a.path("link"), withDestinationPath: "x/one.txt")
        try b.write("two", to: "two.txt")
        #expect(chmod(a.path("x/one.txt"), 0o755) == 0)
        try await meet(a, b)
        #expect(try a.everything() == b.everything())
        #expect(b.read("x/one.txt") == "one")
        #expect(a.read("two.txt") == "two")
        #expect(FileManager.default.isExecutableFile(atPath: b.path("x/one.txt")))
        #expect(!FileManager.default.isExecutableFile(atPath: b.path("two.txt")))
        #expect(try await server.text("/x/one.txt") == "one")
        let times = try [a, b].map { try FileManager.default.attributesOfItem(atPath: $0.path("x/one.txt"))[.modificationDate] as? Date }
        #expect(times[0] == times[1])
        // Nothing is left to do, and nothing is read again.
        let scan = try a.state.look(nil)
        #expect(scan.changed.isEmpty && scan.vanished.isEmpty)
        let summary = try await a.sync()
        #expect(summary.isInSync && summary.sentFiles == 0 && summary.receivedFiles == 0)

        try a.write("one, changed", to: "x/one.txt")
        try b.remove("two.txt")
        try b.remove("link")
        try b.remove("hollow")
        try await meet(a, b)
        #expect(b.read("x/one.txt") == "one, changed")
        #expect(try a.everything() == b.everything())
        #expect(try a.everything()["two.txt"] == nil)
        #expect(try a.everything()["hollow"] == nil)
        #expect(try server.conflictedPaths().isEmpty)
    }

    @Test func attributesGoAlong() async throws {
        let (_, a, b) = try pair()
        guard a.state.traits.hasAttributes else { return }
        try a.write("tagged", to: "f")
        let handle = try DirectoryHandle(path: a.folder.path)
        #expect(try handle.file(Array("f".utf8))?.setAttribute("tag", to: Array("red".utf8)) == true)
        try await meet(a, b)
        let other = try DirectoryHandle(path: b.folder.path)
        #expect(try other.file(Array("f".utf8))?.attribute("tag") == Array("red".utf8))
        #expect(try other.file(Array("f".utf8))?.setAttribute("tag", to: nil) == true)
        try await meet(b, a)
        #expect(try handle.file(Array("f".utf8))?.attributeNames() == [])
    }

    @Test func theFolderIsTheStorage() async throws {
        let (_, a, b) = try pair()
        var random = SplitMix64(seed: 5)
        for number in 0..<4 { try a.write(random.bytes(2_000_000), to: "f\(number)") }
        try await meet(a, b)
        for desk in [a, b] {
            #expect(try desk.database.store.byteCount() < 400_000)
            #expect(try desk.state.chunks.spool.byteCount() == 0)
            #expect(try FileManager.default.contentsOfDirectory(atPath: desk.state.layout.incoming).isEmpty)
        }
    }

    @Test func anEditorsSaveIsOneModification() async throws {
        let (server, a, b) = try pair()
        try a.write("first", to: "picture.psd")
        try await meet(a, b)
        try a.write("second", to: "psd1234.tmp")
        try a.move("psd1234.tmp", to: "picture.psd")
        try await meet(a, b)
        #expect(b.read("picture.psd") == "second")
        #expect(server.view.files.aggregates.tombstones == 0)
        #expect(server.view.files.aggregates.files == 1)
    }

    @Test func movesCarryNoContent() async throws {
        let (server, a, b) = try pair()
        var random = SplitMix64(seed: 6)
        for number in 0..<20 { try a.write(random.bytes(100_000), to: "old/deep/f\(number)") }
        try a.write("stays", to: "other")
        try await meet(a, b)
        let (sent, fetched) = (a.remote.sent, b.remote.fetched)
        let inode = try b.inode("old/deep/f3")
        try FileManager.default.createDirectory(atPath: a.path("new"), withIntermediateDirectories: true)
        try a.move("old/deep", to: "new/place")
        try a.move("other", to: "another")
        let scan = try a.state.look(nil)
        #expect(scan.changed.count == 1, "only the file that was moved by itself is looked at")
        try await meet(a, b)
        #expect(try a.everything() == b.everything())
        #expect(b.read("another") == "stays")
        #expect((a.remote.sent, b.remote.fetched) == (sent, fetched))
        #expect(try b.inode("new/place/f3") == inode, "a rename on one side is a rename on the other")
        #expect(server.view.files.aggregates.files == 21)
    }

    @Test func changesOfOnlyTheCaseDeleteNothing() async throws {
        let (_, a, b) = try pair()
        try a.write("text", to: "Report.txt")
        try await meet(a, b)
        try a.move("Report.txt", to: "report.txt")
        try await meet(a, b)
        #expect(try b.everything() == ["report.txt": "text"])
    }

    @Test func changesOfOnlyTheCaseWhereCaseIsIgnored() async throws {
        let server = try FileDatabase.inMemory(actor: 9)
        var traits = FileSystemTraits()
        traits.ignoresCase = true
        let (a, b) = (try Desk(1, server: server), try Desk(2, server: server, traits: traits))
        try a.write("text", to: "Report.txt")
        try await meet(a, b)
        try a.move("Report.txt", to: "report.txt")
        try await meet(a, b)
        #expect(try b.everything() == ["report.txt": "text"])
        try b.move("report.txt", to: "REPORT.txt")
        try await meet(b, a)
        #expect(try a.everything() == ["REPORT.txt": "text"])
        #expect(server.head.commit.files.aggregates.files == 1)
    }

    @Test func aFileThatChangesWhileItIsSent() async throws {
        let (server, a, b) = try pair()
        try a.write("first", to: "f")
        try a.write("other", to: "g")
        _ = try await a.state.absorb(nil, confirmsDeletions: false)
        // Saved after it was read, before its bytes are asked for.
        try a.write("second, and longer", to: "f")
        await #expect(throws: (any Error).self) { try await a.remote.exchange() }
        #expect(try await server.text("/f") == nil, "no mixture of the two")
        guard case .changed? = a.state.chunks.takeFindings().first else { return #expect(Bool(false), "the change is found") }
        try await meet(a, b)
        #expect(try await server.text("/f") == "second, and longer")
        #expect(try b.everything() == ["f": "second, and longer", "g": "other"])
        #expect(try server.conflictedPaths().isEmpty)
    }

    @Test func bothSavedTheSameFileWhileApart() async throws {
        let (server, a, b) = try pair()
        try a.write("base", to: "f")
        try await meet(a, b)
        try a.write("A's", to: "f")
        try b.write("B's", to: "f")
        try await meet(a, b)
        #expect(try a.everything() == b.everything())
        #expect(try a.everything().count == 1, "no copies are strewn about")
        let winner = try #require(a.read("f"))
        for database in [server, a.database, b.database] {
            #expect(try database.conflictedPaths() == ["/f"])
            #expect(try await database.losers(of: "/f") == [winner == "A's" ? "B's" : "A's"])
        }
        // It does not breed.
        for _ in 0..<5 { try await meet(a, b) }
        #expect(try await server.losers(of: "/f").count == 1)
        // Decided on one desk, without the server.
        a.remote.isAway.withLock { $0 = true }
        _ = try await a.database.resolve(TreePath("/f"), pick: .loser)
        _ = try await a.state.place(from: a.remote, confirmsDeletions: false)
        #expect(a.read("f") != winner)
        a.remote.isAway.withLock { $0 = false }
        try await meet(a, b)
        #expect(b.read("f") == a.read("f"))
        #expect(try server.conflictedPaths().isEmpty)
    }

    @Test func bothSavedTheSameWhileApart() async throws {
        let (server, a, b) = try pair()
        try a.write("base", to: "f")
        try await meet(a, b)
        for desk in [a, b] {
            try desk.write("the same", to: "f")
            try desk.write("new", to: "d/g")
        }
        try await meet(a, b)
        #expect(try server.conflictedPaths().isEmpty)
        // Whoever goes on has seen both.
        try b.write("after", to: "f")
        try b.remove("d/g")
        try await meet(b, a)
        #expect(a.read("f") == "after")
        #expect(a.read("d/g") == nil)
        #expect(try server.conflictedPaths().isEmpty)
        #expect(a.database.head.commit.files.root == b.database.head.commit.files.root)
    }

    @Test func deletedFilesDoNotComeBack() async throws {
        let (_, a, b) = try pair()
        for number in 0..<5 { try a.write("\(number)", to: "d/f\(number)") }
        try await meet(a, b)
        try a.remove("d")
        try await a.sync()
        // B was away, and has changed something else meanwhile.
        try b.write("new", to: "e")
        try await meet(b, a)
        #expect(try a.everything() == ["e": "new"])
        #expect(try b.everything() == ["e": "new"])
    }

    @Test func deletionsThatWereDroppedAreFollowed() async throws {
        let (server, a, _) = try pair()
        for name in ["gone", "d/gone", "kept", "edited", "deleted"] { try a.write("as it was", to: name) }
        try await a.sync()
        _ = try await server.delete(TreePath("/deleted"))
        try await a.sync()
        // As a pull does that finds deletions dropped which the desk was not told of.
        let known = server.view.files
        let paths = try ["/gone", "/d/gone", "/edited", "/deleted"].map { try TreePath($0) }
        for path in paths.dropLast() { _ = try await server.delete(path) }
        try await server.purge(upTo: server.head.commit.time)
        try await a.database.forget(paths, of: known, upTo: server.head.commit.time)
        try a.write("edited", to: "edited")
        try await a.sync()
        #expect(try a.everything() == ["kept": "as it was", "edited": "edited"])
        #expect(a.database.view.files.root == server.view.files.root)
        #expect(try await server.text("/edited") == "edited")
        let placed = try a.state.index.read { try $0.placed() }
        #expect(placed.root == server.view.files.root)
        try await a.sync()
        #expect(try server.conflictedPaths() == [])
    }

    @Test func aSaveOverWhatWasWrittenAnewMeanwhileIsNoConflict() async throws {
        let (server, a, _) = try pair()
        try a.write("1", to: "f")
        try await a.sync()
        #expect(try await a.database.renew([TreePath("/f")], where: { _, _ in true }) == 1)
        // The folder does not show yet by which name it is known now.
        try a.write("2", to: "f")
        try await a.sync()
        #expect(try await server.text("/f") == "2")
        #expect(try server.conflictedPaths() == [])
    }

    @Test func anEditBeatsADeletion() async throws {
        let (_, a, b) = try pair()
        try a.write("1", to: "d/f")
        try a.write("1", to: "d/g")
        try await meet(a, b)
        try a.remove("d")
        try b.write("2", to: "d/f")
        try await meet(a, b)
        #expect(try a.everything() == b.everything())
        #expect(a.read("d/f") == "2")
        #expect(a.read("d/g") == nil)
    }

    @Test func anEditJustBeforePlacingIsKept() async throws {
        let (_, a, b) = try pair()
        try a.write("base", to: "f")
        try await meet(a, b)
        try a.write("from A", to: "f")
        try await a.sync()
        _ = try await b.state.absorb(nil, confirmsDeletions: false)
        _ = try await b.remote.exchange()
        // Saved after the look at the folder, before what came is put there.
        try b.write("from B, just now", to: "f")
        try b.write("new from B", to: "g")
        try await a.database.threads.run {}
        let placed = try await b.state.place(from: b.remote, confirmsDeletions: false)
        #expect(!placed.dirty.isEmpty)
        #expect(b.read("f") == "from B, just now")
        try await meet(b, a)
        #expect(try a.everything() == b.everything())
        let texts = try await [a.read("f") ?? ""] + a.database.losers(of: "/f")
        #expect(Set(texts) == ["from A", "from B, just now"])
    }

    @Test func afterACrashBeforeTheIndexIsWritten() async throws {
        let (server, a, b) = try pair()
        try a.write("1", to: "f")
        try a.write("gone soon", to: "g")
        try await meet(a, b)
        let copy = b.folder.path + "/../\(UUID().uuidString)"
        defer { try? FileManager.default.removeItem(atPath: copy) }
        try a.write("2", to: "f")
        try a.write("new", to: "h")
        try a.remove("g")
        try await a.sync()
        let before = try b.state.index.read { try $0.placed() }
        let rows = try b.state.index.read { try $0.rows(in: FolderIndex.rootID) }
        try await b.sync()
        let head = server.head.commit.files.root
        // As if the last write of the index had not come to the disk.
        try b.state.index.write { view in
            for (name, _) in try view.rows(in: FolderIndex.rootID) { try view.remove(FolderIndex.rootID, name) }
            for (name, row) in rows { try view.put(FolderIndex.rootID, name, row) }
            try view.setPlaced(before)
        }
        try await b.sync()
        #expect(server.head.commit.files.root == head, "what the folder shows already is no new version")
        #expect(try a.everything() == b.everything())
    }

    @Test func ignoredFilesAreNeitherSentNorDeleted() async throws {
        let (server, a, b) = try pair()
        try b.write("B's log", to: "x.log")
        try a.write("*.log\n", to: ".pandoignore")
        try a.write("A's log", to: "x.log")
        try a.write("text", to: "x.txt")
        try a.write("noise", to: ".DS_Store")
        try await a.sync()
        #expect(try await server.text("/x.log") == nil)
        try await b.sync()
        #expect(b.read("x.log") == "B's log")
        #expect(b.read("x.txt") == "text")
        try await meet(a, b)
        #expect(b.read(".DS_Store") == nil)
        #expect(a.read("x.log") == "A's log" || a.read("x.log") == "B's log")
        // What was sent before and is ignored now stays where it is.
        try a.write("*.log\n*.txt\n", to: ".pandoignore")
        try await meet(a, b)
        try a.remove("x.txt")
        try await meet(a, b)
        #expect(b.read("x.txt") == "text")
        #expect(try await server.text("/x.txt") == "text")
    }

    @Test func partOfTheTree() async throws {
        let server = try FileDatabase.inMemory(actor: 9)
        let a = try Desk(1, server: server)
        let b = try Desk(2, server: server, scope: FolderScope([try Glob("/mine/**")]))
        try a.write("1", to: "mine/f")
        try a.write("2", to: "theirs/g")
        try b.write("3", to: "outside")
        try await meet(a, b)
        #expect(try b.everything() == ["mine": nil, "mine/f": "1", "outside": "3"])
        #expect(a.read("outside") == nil)
        try b.write("4", to: "mine/f")
        try await meet(b, a)
        #expect(a.read("mine/f") == "4")
        #expect(a.read("theirs/g") == "2")
    }

    @Test func filesAndFoldersChangePlaces() async throws {
        let (_, a, b) = try pair()
        try a.write("file", to: "x")
        try a.write("in a folder", to: "y/z")
        try await meet(a, b)
        try a.remove("x")
        try a.write("now in a folder", to: "x/inner")
        try a.remove("y")
        try a.write("now a file", to: "y")
        try await meet(a, b)
        #expect(try b.everything() == ["x": nil, "x/inner": "now in a folder", "y": "now a file"])
        #expect(try a.everything() == b.everything())
    }
}
