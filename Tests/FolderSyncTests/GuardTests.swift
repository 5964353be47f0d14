import Content
import FileDatabase
import Foundation
import Merkle
import Platform
import TestSupport
import Testing

@testable import FolderSync

@Suite("What must not happen to a folder")
struct GuardTests {
    @Test func anUnpluggedDiskDeletesNothing() async throws {
        let server = try FileDatabase.inMemory(actor: 9)
        let a = try Desk(1, server: server)
        for number in 0..<5 { try a.write("\(number)", to: "f\(number)") }
        try await a.sync()
        let root = server.head.commit.files.root
        // The place where it was mounted, with nothing in it.
        let aside = a.folder.path + "-aside"
        #expect(rename(a.folder.path, aside) == 0)
        try FileManager.default.createDirectory(atPath: a.folder.path, withIntermediateDirectories: true)
        await #expect(throws: FolderError.self) { try await a.sync(confirms: true) }
        #expect(server.head.commit.files.root == root)
        // Back again.
        try FileManager.default.removeItem(atPath: a.folder.path)
        #expect(rename(aside, a.folder.path) == 0)
        #expect(try await a.sync().isInSync)
        #expect(server.head.commit.files.root == root)
        // All is gone from it, the marker too.
        for name in try FileManager.default.contentsOfDirectory(atPath: a.folder.path) { try a.remove(name) }
        await #expect(throws: FolderError.self) { try await a.sync(confirms: true) }
        #expect(server.head.commit.files.root == root)
    }

    @Test func largeDeletionsAreHeldHere() async throws {
        let server = try FileDatabase.inMemory(actor: 9)
        let a = try Desk(1, server: server)
        for number in 0..<30 { try a.write("\(number)", to: "d/f\(number)") }
        try await a.sync()
        try a.remove("d")
        try a.write("new", to: "g")
        let summary = try await a.sync()
        #expect(summary.held == [HeldDeletions(direction: .sending, files: 30, total: 30)])
        #expect(server.head.commit.files.aggregates.files == 31, "the rest goes on")
        // Asked again, it is still held; confirmed, it happens.
        #expect(try await a.sync().held.count == 1)
        #expect(try await a.sync(confirms: true).held.isEmpty)
        #expect(server.head.commit.files.aggregates.files == 1)
    }

    @Test func largeDeletionsFromElsewhereAreHeld() async throws {
        let server = try FileDatabase.inMemory(actor: 9)
        let (a, b) = (try Desk(1, server: server), try Desk(2, server: server))
        for number in 0..<30 { try a.write("\(number)", to: "d/f\(number)") }
        try await a.sync()
        try await b.sync()
        try a.remove("d")
        try await a.sync(confirms: true)
        let summary = try await b.sync()
        #expect(summary.held == [HeldDeletions(direction: .receiving, files: 30, total: 30)])
        #expect(b.read("d/f7") == "7")
        #expect(server.head.commit.files.aggregates.files == 0, "and what is still here does not come back there")
        try await b.sync(confirms: true)
        #expect(try b.everything().isEmpty)
    }

    @Test func aMoveOfEverythingIsNoDeletion() async throws {
        let server = try FileDatabase.inMemory(actor: 9)
        let (a, b) = (try Desk(1, server: server), try Desk(2, server: server))
        for number in 0..<30 { try a.write("\(number)", to: "d/f\(number)") }
        try await a.sync()
        try await b.sync()
        try a.move("d", to: "e")
        #expect(try await a.sync().held.isEmpty)
        #expect(try await b.sync().held.isEmpty)
        #expect(try b.everything() == a.everything())
    }

    @Test func linksLeadNowhere() async throws {
        let server = try FileDatabase.inMemory(actor: 9)
        let (a, b) = (try Desk(1, server: server), try Desk(2, server: server))
        let outside = try TemporaryDirectory()
        try a.write("1", to: "d/f")
        try await a.sync()
        try await b.sync()
        // Somebody puts a link in the folder's place; what comes must not go through it.
        try b.remove("d")
        try FileManager.default.createSymbolicLink(atPath: b.path("d"), withDestinationPath: outside.path)
        try a.write("2", to: "d/f")
        try a.write("3", to: "d/g")
        try await a.sync()
        _ = try await b.remote.exchange()
        let placed = try await b.state.place(from: b.remote, confirmsDeletions: false)
        #expect(!placed.dirty.isEmpty)
        try await b.sync()
        #expect(try FileManager.default.contentsOfDirectory(atPath: outside.path).isEmpty)
    }

    @Test func damageIsNotSent() async throws {
        let server = try FileDatabase.inMemory(actor: 9)
        let a = try Desk(1, server: server)
        try a.write("good bytes", to: "f")
        _ = try await a.state.absorb(nil, confirmsDeletions: false)
        // The disk fails: other bytes, and the index has the status that the file has now.
        try a.write("evil bytes", to: "f")
        let handle = try DirectoryHandle(path: a.folder.path)
        let status = try #require(try handle.status(Array("f".utf8))).asRow
        try a.state.index.write { view in
            var row = try #require(try view.row(FolderIndex.rootID, Array("f".utf8)))
            row.status = status
            try view.put(FolderIndex.rootID, Array("f".utf8), row)
        }
        #expect(try a.state.look(nil).changed.isEmpty)
        await #expect(throws: (any Error).self) { try await a.remote.exchange() }
        #expect(server.head.commit.files.aggregates.files == 0)
        guard case .damaged? = a.state.chunks.takeFindings().first else { return #expect(Bool(false), "the damage is found") }
    }

    @Test func aFileThatIsBeingWrittenWaits() async throws {
        let server = try FileDatabase.inMemory(actor: 9)
        let a = try Desk(1, server: server)
        try a.write("half", to: "f")
        let writer = try #require(FileHandle(forWritingAtPath: a.path("f")))
        try writer.seekToEnd()
        let first = try await a.state.absorb(nil, confirmsDeletions: false)
        #expect(first.unsettled == [FolderIndex.rootID])
        #expect(first.edits == 0)
        writer.write(Data(" and whole".utf8))
        try writer.close()
        #expect(try await a.sync().isInSync)
        #expect(try await server.text("/f") == "half and whole")
    }

    @Test func specialsAreLeftAlone() async throws {
        let server = try FileDatabase.inMemory(actor: 9)
        let a = try Desk(1, server: server)
        #expect(mkfifo(a.path("pipe"), 0o600) == 0)
        try a.write("text", to: "f")
        let summary = try await a.sync()
        #expect(summary.notices.contains { $0.kind == .skipped && $0.path == "pipe" })
        #expect(server.head.commit.files.aggregates.files == 1)
    }
}

@Suite("Names in a folder")
struct NameTests {
    private let composed = "caf\u{e9}"
    private let decomposed = "cafe\u{301}"

    @Test func decomposedNamesAreStoredComposed() async throws {
        let server = try FileDatabase.inMemory(actor: 9)
        let (a, b) = (try Desk(1, server: server), try Desk(2, server: server))
        try a.write("1", to: decomposed)
        try await a.sync()
        try await b.sync()
        #expect(try await server.text("/" + composed) == "1")
        func names(_ desk: Desk) throws -> [[UInt8]] {
            try DirectoryHandle(path: desk.folder.path).names().map { Array($0) }.filter { !$0.elementsEqual(FolderLayout.name.utf8) }
        }
        #expect(try names(a) == [Array(decomposed.utf8)])
        #expect(try names(b) == [Array(composed.utf8)])
        // It does not loop, and changes find their way both ways.
        try b.write("2", to: composed)
        for _ in 0..<3 {
            try await b.sync()
            try await a.sync()
        }
        #expect(try names(a) == [Array(decomposed.utf8)])
        #expect(a.read(decomposed) == "2")
        #expect(server.head.commit.files.aggregates.files == 1)
        try b.remove(composed)
        try await b.sync()
        try await a.sync()
        #expect(try names(a).isEmpty)
    }

    @Test func twinsAreTold() async throws {
        let server = try FileDatabase.inMemory(actor: 9)
        let a = try Desk(1, server: server)
        try a.write("composed", to: composed)
        try a.write("decomposed", to: decomposed)
        guard try DirectoryHandle(path: a.folder.path).names().count == 3 else { return }
        for _ in 0..<3 {
            let summary = try await a.sync()
            #expect(summary.notices.count { $0.kind == .skipped } == 1)
            #expect(try await server.text("/" + composed) == "composed")
            #expect(a.read(decomposed) == "decomposed")
        }
    }

    @Test func namesThatAreNotUTF8AreLeftAlone() async throws {
        let server = try FileDatabase.inMemory(actor: 9)
        let a = try Desk(1, server: server)
        let handle = try DirectoryHandle(path: a.folder.path)
        _ = try handle.create([0x66, 0xff, 0x6f])
        let summary = try await a.sync()
        #expect(summary.notices.contains { $0.kind == .skipped })
        #expect(server.head.commit.files.aggregates.files == 0)
        #expect(try handle.status([0x66, 0xff, 0x6f]) != nil)
    }

    @Test func namesThatTheFileSystemTakesForOne() async throws {
        let server = try FileDatabase.inMemory(actor: 9)
        let a = try Desk(1, server: server)
        var traits = FileSystemTraits()
        traits.ignoresCase = true
        let b = try Desk(2, server: server, traits: traits)
        try a.write("upper", to: "Name.txt")
        try a.write("lower", to: "name.txt")
        try await a.sync()
        let summary = try await b.sync()
        #expect(summary.notices.contains { $0.kind == .renamed && $0.path == "name.txt" })
        let names = try b.everything()
        #expect(names["Name.txt"] == "upper")
        let alias = try #require(names.keys.first { $0.hasPrefix("name~") && $0.hasSuffix(".txt") })
        #expect(b.read(alias) == "lower")
        let preview = try await FolderSync(state: b.state, remote: b.remote).preview()
        #expect(preview.notices.map(\.path) == ["name.txt"], "it is listed")
        // What is done to the alias is done to the file that it stands for.
        try b.write("changed", to: alias)
        try await b.sync()
        try await a.sync()
        #expect(a.read("name.txt") == "changed")
        #expect(try a.everything().count == 2)
        try b.remove(alias)
        try await b.sync()
        try await a.sync()
        #expect(try a.everything() == ["Name.txt": "upper"])
    }

    @Test func aliasesAreTheSameEverywhere() {
        var traits = FileSystemTraits()
        traits.reservesWindowsNames = true
        let names = LocalNames(traits: traits)
        for name in ["CON", "con.txt", "a:b", "end.", "end ", "LPT1.log", "what?.txt"] {
            let alias = names.alias(for: name, among: [])
            #expect(alias != nil, "\(name)")
            #expect(alias == names.alias(for: name, among: ["other"]))
            #expect(alias.map { names.fault($0) == nil } == true, "\(alias ?? "")")
        }
        #expect(names.alias(for: "CONSOLE.txt", among: []) == nil)
        var short = FileSystemTraits()
        short.maximumNameLength = 32
        let long = String(repeating: "é", count: 40) + ".txt"
        let alias = LocalNames(traits: short).alias(for: long, among: [])
        #expect(alias.map { $0.utf8.count <= 32 && $0.hasSuffix(".txt") } == true)
    }
}
