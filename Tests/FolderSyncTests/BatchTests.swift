import FileDatabase
import Foundation
import Merkle
import Platform
import TestSupport
import Testing

@testable import FolderSync

@Suite("Folders that are larger than a batch")
struct BatchTests {
    private let small = BatchSizes(found: 10, read: 4, edits: 8, placed: 8)

    private func pair() throws -> (FileDatabase, Desk, Desk) {
        let server = try FileDatabase.inMemory(actor: 9)
        return (server, try Desk(1, server: server, batches: small), try Desk(2, server: server, batches: small))
    }

    @Test func aLookHoldsNoMoreThanABatch() async throws {
        let (server, a, b) = try pair()
        for number in 0..<70 { try a.write("text \(number)", to: "d\(number % 3)/f\(number)") }
        let scan = try a.state.look(nil)
        #expect(scan.changed.count == 10)
        #expect(scan.changedCount == 70)
        #expect(scan.changedBytes == 70 * 6 + 60)
        #expect(!scan.rest.isEmpty)
        try await a.sync()
        try await b.sync()
        #expect(server.head.commit.files.aggregates.files == 70)
        #expect(try a.everything() == b.everything())
        #expect(try a.state.look(nil).changed.isEmpty)
    }

    @Test func aFolderThatMovesStaysWhole() async throws {
        let (server, a, b) = try pair()
        for number in 0..<70 { try a.write("text \(number)", to: "d/e\(number % 3)/f\(number)") }
        try await a.sync()
        try await b.sync()
        let (sent, fetched) = (a.remote.sent, b.remote.fetched)
        try a.move("d", to: "moved")
        // Some of it is changed, and some is gone.
        try a.write("changed", to: "moved/e0/f0")
        try a.remove("moved/e1/f1")
        try a.write("new", to: "moved/e2/new")
        for desk in [a, b, a] { #expect(try await desk.sync().held.isEmpty) }
        #expect(try a.everything() == b.everything())
        #expect(b.read("moved/e0/f0") == "changed")
        #expect(b.read("moved/e1/f1") == nil)
        #expect(b.read("moved/e2/f2") == "text 2")
        #expect(server.head.commit.files.aggregates.files == 70)
        #expect(a.remote.sent - sent == 10 && b.remote.fetched - fetched == 10, "nothing that was moved is sent")
    }

    @Test func everyFileByAnotherName() async throws {
        let (server, a, b) = try pair()
        for number in 0..<40 { try a.write("text \(number)", to: "d/f\(number)") }
        try await a.sync()
        try await b.sync()
        let (sent, fetched) = (a.remote.sent, b.remote.fetched)
        try FileManager.default.createDirectory(atPath: a.path("e"), withIntermediateDirectories: true)
        for number in 0..<40 { try a.move("d/f\(number)", to: "e/g\(number)") }
        for desk in [a, b] { #expect(try await desk.sync().held.isEmpty) }
        #expect(try a.everything() == b.everything())
        #expect(server.head.commit.files.aggregates.files == 40)
        #expect((a.remote.sent, b.remote.fetched) == (sent, fetched))
    }

    @Test func aFolderThatIsMadeAnewIsNoDeletion() async throws {
        let (server, a, b) = try pair()
        for number in 0..<40 { try a.write("text \(number)", to: "d/e/f\(number)") }
        try await a.sync()
        try await b.sync()
        // As a program does that removes its output and writes it again.
        try a.move("d", to: "aside")
        for number in 0..<39 { try a.write("text \(number)", to: "d/e/f\(number)") }
        try a.remove("aside")
        for desk in [a, b, a] { #expect(try await desk.sync().held.isEmpty) }
        #expect(try a.everything() == b.everything())
        #expect(b.read("d/e/f38") == "text 38")
        #expect(b.read("d/e/f39") == nil)
        #expect(server.head.commit.files.aggregates.files == 39)
    }

    @Test func aDeletionOfMuchGoesThrough() async throws {
        let (server, a, b) = try pair()
        for number in 0..<40 { try a.write("text \(number)", to: "d/e\(number % 5)/f\(number)") }
        try a.write("stays", to: "stays")
        try await a.sync()
        try await b.sync()
        try a.remove("d")
        #expect(try await a.sync().held.count == 1)
        #expect(server.head.commit.files.aggregates.files == 41)
        try await a.sync(confirms: true)
        #expect(try await b.sync().held.count == 1)
        try await b.sync(confirms: true)
        #expect(try b.everything() == ["stays": "stays"])
        #expect(try a.everything() == ["stays": "stays"])
        #expect(try a.state.index.read { try $0.count() } == 1)
        #expect(try b.state.index.read { try $0.count() } == 1)
    }

    @Test func theIndexGivesRoomBack() throws {
        let directory = try TemporaryDirectory()
        func size() throws -> Int { try FileManager.default.attributesOfItem(atPath: directory.path + "/data.mdb")[.size] as? Int ?? 0 }
        func row(_ number: UInt64) -> IndexRow {
            IndexRow(id: number, status: FileStatus(kind: .file, size: number, modifiedAt: -1, changedAt: .max, inode: .max, device: 0, mode: 0o7777), treeName: nil)
        }
        let before: Int
        do {
            let index = try FolderIndex(directory: directory.path)
            for part in 0..<8 as Range<UInt64> {
                try index.write { view in
                    for number in 0..<1000 as Range<UInt64> { try view.put(1, Array("name \(part) \(number)".utf8), row(2 + part * 1000 + number)) }
                }
            }
            try index.write { view in for (name, _) in try view.rows(in: 1).dropFirst(100) { try view.remove(1, name) } }
            before = try size()
        }
        let index = try FolderIndex(directory: directory.path)
        #expect(try size() * 2 < before)
        let rows = try index.read { try $0.rows(in: 1) }
        #expect(rows.count == 100)
        #expect(rows.first?.row == row(2))
    }
}
