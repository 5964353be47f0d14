import Causality
import Content
import FileDatabase
import Foundation
import Merkle
import Platform
import Synchronization
import TestSupport
import Testing

@testable import FolderSync

/// Names that change places between two looks at a folder.
@Suite("What one look at a folder makes of names that changed places")
struct LookTests {
    private let server: FileDatabase
    private let a: Desk
    private let b: Desk

    init() throws {
        server = try FileDatabase.inMemory(actor: 9)
        a = try Desk(1, server: server)
        b = try Desk(2, server: server)
    }

    /// Syncs until nothing moves any more, and expects that both folders hold the same, without conflicts.
    private func meet() async throws {
        for _ in 0..<2 { for desk in [a, b] { _ = try await desk.sync() } }
        #expect(try a.everything() == b.everything())
        #expect(try server.conflictedPaths().isEmpty)
    }

    private func tag(_ desk: Desk, _ name: String, _ value: String) throws {
        let handle = try DirectoryHandle(path: desk.folder.path)
        #expect(try handle.file(Array(name.utf8))?.setAttribute("tag", to: Array(value.utf8)) == true)
    }

    @Test("Directories with files of the same names", arguments: [
        "current>old new>current", "new>t current>new t>current", "v3>x v2>v3 current>v2", "current>new/in new/in>current/z",
    ])
    func directories(moves: String) async throws {
        for name in ["current", "new", "v2", "v3"] {
            try a.write("in \(name)", to: "\(name)/app")
            try a.write("of \(name)", to: "\(name)/sub/\(name)")
        }
        try await meet()
        for move in moves.split(separator: " ") {
            let ends = move.split(separator: ">").map(String.init)
            try FileManager.default.createDirectory(
                atPath: URL(filePath: a.path(ends[1])).deletingLastPathComponent().path, withIntermediateDirectories: true)
            if !FileManager.default.fileExists(atPath: a.path(ends[1])) { try a.move(ends[0], to: ends[1]) }
        }
        let before = try a.everything()
        try await meet()
        #expect(try a.everything() == before)
    }

    @Test("More files than one commit holds, in directories that were exchanged")
    func manyFiles() async throws {
        let small = try Desk(3, server: server, batches: BatchSizes(found: 8, read: 4, edits: 5))
        for number in 0..<30 {
            try small.write("a\(number)", to: "p/f\(number)")
            try small.write("b\(number)", to: "q/f\(number)")
        }
        try await small.sync()
        try small.move("p", to: "t")
        try small.move("q", to: "p")
        try small.move("t", to: "q")
        // One that is as it was, in another file.
        try small.write("a3", to: "p/f3")
        let before = try small.everything()
        for _ in 0..<2 { try await small.sync() }
        try await b.sync()
        #expect(try small.everything() == before)
        let other = try b.everything()
        #expect(other == before, "\(Set(before.keys).symmetricDifference(other.keys)) \(before.filter { other[$0.key] != $0.value })")
    }

    @Test("A name in another Unicode form is the same name", arguments: [false, true], [false, true])
    func unicode(isDirectory: Bool, isComposed: Bool) async throws {
        let names = ["caf\u{65}\u{301}", "caf\u{e9}"]
        let (old, new) = isComposed ? (names[1], names[0]) : (names[0], names[1])
        let below = isDirectory ? "/in/f" : ""
        try a.write("x", to: old + below)
        try await meet()
        try a.move(old, to: new)
        try await meet()
        #expect(a.read(new + below) == "x")
        #expect(try await server.text("/caf\u{e9}" + below) == "x")
        // It is known by its name from now on.
        try a.write("y", to: new + below)
        try await meet()
        #expect(try await server.text("/caf\u{e9}" + below) == "y")
        try a.remove(new)
        try await meet()
        #expect(try a.everything().isEmpty)
    }

    @Test("A directory that was empty once is replaced by a file or a link", arguments: [false, true])
    func markedDirectory(isLink: Bool) async throws {
        try FileManager.default.createDirectory(atPath: a.path("x"), withIntermediateDirectories: true)
        try await meet()
        try a.remove("x")
        if isLink {
            try FileManager.default.createSymbolicLink(atPath: a.path("x"), withDestinationPath: "y")
        } else {
            try a.write("new", to: "x")
        }
        let before = try a.everything()
        try await meet()
        #expect(try a.everything() == before)
    }

    @Test("A file moves, and a link stands in its place")
    func linkInItsPlace() async throws {
        try a.write("hello", to: "f")
        try FileManager.default.createSymbolicLink(atPath: a.path("l"), withDestinationPath: "f")
        try a.write("other", to: "k")
        try await meet()
        try a.move("f", to: "g")
        try FileManager.default.createSymbolicLink(atPath: a.path("f"), withDestinationPath: "g")
        // And one that changes places with a file.
        try a.move("l", to: "t")
        try a.move("k", to: "l")
        try a.move("t", to: "k")
        let before = try a.everything()
        let sent = a.remote.sent
        try await meet()
        #expect(try a.everything() == before)
        #expect(try await server.text("/g") == "hello")
        #expect(try await server.text("/l") == "other")
        #expect(a.remote.sent == sent)
    }

    @Test("What was not edited here is no edit, whatever its status says and whatever has come meanwhile")
    func noEdit() async throws {
        try a.write("base", to: "f")
        try await meet()
        try a.write("edited", to: "f")
        try await a.sync()
        try await b.remote.pull()
        #expect(chmod(b.path("f"), 0o600) == 0)
        try await meet()
        #expect(b.read("f") == "edited")
    }

    @Test("A new file with the number, size and times of one that is gone is not that one")
    func inodes() async throws {
        var isReused = false
        for round in 0..<40 where !isReused {
            let (old, new) = ("d/old\(round)", "d/new\(round)")
            func date(_ name: String) throws {
                try FileManager.default.setAttributes([.modificationDate: Date(timeIntervalSince1970: 1_700_000_000)], ofItemAtPath: a.path(name))
            }
            try a.write("version 1", to: old)
            try date(old)
            try await meet()
            let inode = try a.inode(old)
            try a.remove(old)
            try a.write("version 2", to: new)
            try date(new)
            isReused = try a.inode(new) == inode
            try await meet()
            #expect(b.read(new) == "version 2")
        }
    }

    @Test("A file that was tagged or made a program, and then moved")
    func movedWithMetadata() async throws {
        try a.write("#!/bin/sh", to: "t.download")
        try a.write("tagged", to: "g.download")
        try await meet()
        #expect(chmod(a.path("t.download"), 0o755) == 0)
        try a.move("t.download", to: "t")
        if a.state.traits.hasAttributes { try tag(a, "g.download", "red") }
        try a.move("g.download", to: "g")
        try await meet()
        #expect(FileManager.default.isExecutableFile(atPath: b.path("t")))
        guard a.state.traits.hasAttributes else { return }
        #expect(try DirectoryHandle(path: b.folder.path).file(Array("g".utf8))?.attribute("tag") == Array("red".utf8))
    }

    @Test("What comes for one of several names of a file leaves the others as they are")
    func hardLinks() async throws {
        try a.write("shared", to: "f")
        try await meet()
        #expect(link(b.path("f"), b.path("g")) == 0)
        #expect(link(b.path("f"), b.path("h")) == 0)
        try await meet()
        #expect(chmod(a.path("f"), 0o755) == 0)
        try a.move("h", to: "moved")
        #expect(chmod(a.path("moved"), 0o755) == 0)
        try await meet()
        for (name, isExecutable) in [("f", true), ("g", false), ("moved", true)] {
            #expect(FileManager.default.isExecutableFile(atPath: b.path(name)) == isExecutable)
            #expect(FileManager.default.isExecutableFile(atPath: a.path(name)) == isExecutable)
        }
    }

    @Test("Two desks tag one file differently")
    func taggedApart() async throws {
        guard a.state.traits.hasAttributes else { return }
        try a.write("base", to: "f")
        try await meet()
        try tag(a, "f", "red")
        try tag(b, "f", "blue")
        for _ in 0..<2 { for desk in [a, b] { #expect(try await desk.sync().isInSync) } }
        #expect(try server.conflictedPaths() == ["/f"])
    }

    @Test("A file that a directory has hidden is placed once that is gone, and not overwritten unseen", arguments: [false, true])
    func uncovered(isWritten: Bool) async throws {
        try a.write("0", to: "z")
        try await meet()
        try a.write("report", to: "notes")
        try b.write("b", to: "notes/b")
        for _ in 0..<2 { for desk in [a, b] { _ = try await desk.sync() } }
        let directory = b.read("notes/b") != nil ? b : a
        try directory.remove("notes")
        if isWritten {
            // The look finds it gone, and the file is written before anything can be placed.
            directory.remote.isAway.withLock { $0 = true }
            _ = try? await directory.sync()
            try directory.write("scribble", to: "notes")
            directory.remote.isAway.withLock { $0 = false }
        }
        for _ in 0..<2 { for desk in [a, b] { _ = try await desk.sync() } }
        #expect(try a.everything() == b.everything())
        let versions = try server.view.entry(at: TreePath("/notes"))?.register?.versions.filter { !$0.value.isTombstone }
        #expect(versions?.count == (isWritten ? 2 : 1))
        if !isWritten { #expect(directory.read("notes") == "report") }
    }

    @Test("What takes the place of a directory waits with the deletions of all that was in it, until they are confirmed", arguments: [false, true])
    func heldBehindReplacement(isLink: Bool) async throws {
        for number in 0..<15 { try a.write("\(number)", to: "photos/\(number)") }
        try await meet()
        try a.remove("photos")
        if isLink {
            try FileManager.default.createSymbolicLink(atPath: a.path("photos"), withDestinationPath: "/elsewhere")
        } else {
            try a.write("gone", to: "photos")
        }
        let before = try a.everything()
        for _ in 0..<2 { #expect(try await a.sync().held.isEmpty == false) }
        #expect(server.head.commit.files.aggregates.files == 15)
        #expect(try server.conflictedPaths().isEmpty)
        try await a.sync(confirms: true)
        try await b.sync(confirms: true)
        try await meet()
        #expect(try b.everything() == before)
    }

    @Test("Deletions are held, too, where another directory stands in the place of the one they were in", arguments: [false, true])
    func heldBehindDirectory(isMoved: Bool) async throws {
        for number in 0..<15 { try a.write("\(number)", to: "photos/\(number)") }
        try a.write("new", to: "other/new")
        try await meet()
        try a.remove("photos")
        if isMoved { try a.move("other", to: "photos") } else { try a.write("new", to: "photos/new") }
        let before = try a.everything()
        for _ in 0..<3 { #expect(try await a.sync().held.isEmpty == false) }
        #expect(try await server.text("/photos/3") == "3")
        for _ in 0..<2 { try await a.sync(confirms: true) }
        try await b.sync(confirms: true)
        try await meet()
        #expect(try b.everything() == before)
    }

    @Test("A file is replaced by an empty directory")
    func emptyDirectory() async throws {
        try a.write("f", to: "d/c")
        try await meet()
        try a.remove("d/c")
        try FileManager.default.createDirectory(atPath: a.path("d/c"), withIntermediateDirectories: true)
        try await meet()
        #expect(try b.everything() == ["d": nil, "d/c": nil])
    }

    @Test("A directory that was deleted elsewhere does not come back when what is ignored in it goes")
    func ignoredRemains() async throws {
        try a.write("*.o", to: ".pandoignore")
        try a.write("x", to: "src/x.c")
        try await meet()
        try b.write("o", to: "src/x.o")
        try await b.sync()
        try a.remove("src")
        for desk in [a, b] { _ = try await desk.sync() }
        try b.remove("src/x.o")
        for _ in 0..<2 { for desk in [b, a] { _ = try await desk.sync() } }
        #expect(!FileManager.default.fileExists(atPath: a.path("src")))
    }

    @Test("The state of another folder's sync takes no part, wherever it stands")
    func nestedFolder() async throws {
        try a.write("secret", to: "inner/.pando/node/node.key")
        try a.write("x", to: "inner/x")
        let summary = try await a.sync()
        #expect(summary.notices.contains { $0.path == "inner/.pando" })
        try await b.sync()
        #expect(try b.everything() == ["inner": nil, "inner/x": "x"])
        // Nor is one placed that somebody has put into the tree.
        let edits = try ["/sub/.pando/link", "/sub/link"].map { FolderEdit(path: try TreePath($0), value: .symlink(target: "x"), base: nil) }
        _ = try await server.commit(edits, objects: [], cause: "test")
        try await b.sync()
        #expect(try b.everything() == ["inner": nil, "inner/x": "x", "sub": nil, "sub/link": "-> x"])
    }

    @Test("Where patterns cannot be read, nothing is sent of what they may hide")
    func unreadablePatterns() async throws {
        try a.write("secret*", to: "d/.pandoignore")
        try a.write("s", to: "d/secret")
        try a.write("x", to: "d/x")
        try await a.sync()
        try a.write(Array(repeating: UInt8(ascii: "#"), count: IgnoreList.maximumSize + 1), to: "d/.pandoignore")
        try a.write("y", to: "d/x")
        let summary = try await a.sync()
        #expect(summary.notices.contains { $0.path == "d" && $0.reason.contains(".pandoignore cannot be read") })
        #expect(try server.view.entry(at: TreePath("/d/secret")) == nil)
        #expect(try await server.text("/d/x") == "x")
    }
}
