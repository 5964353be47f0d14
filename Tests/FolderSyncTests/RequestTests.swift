import FileDatabase
import Foundation
import Merkle
import Node
import Platform
import Synchronization
import TestSupport
import Testing

@testable import FolderSync

/// A server that takes nothing.
private struct RefusingRemote: FolderRemote {
    var refusals: [FolderNotice]
    var trouble: String? { nil }
    func meet() async throws {}
    func exchange() async throws -> ExchangeOutcome { ExchangeOutcome(refused: refusals) }
    func pull() async throws {}
    func fetch(_ wanted: [WantedChunk], _ deliver: @escaping @Sendable ([ArrivedChunk]) throws -> Void) async throws {}
    func goLive() {}
    func stopLive() {}
}

@Suite("What a sync is asked, and what it tells")
struct RequestTests {
    @Test func deletionsHeldByARunningSyncAreConfirmed() async throws {
        let server = try FileDatabase.inMemory(actor: 9)
        let a = try Desk(1, server: server)
        for number in 0..<30 { try a.write("\(number)", to: "d/f\(number)") }
        try a.write("kept", to: "kept")
        let sync = FolderSync(state: a.state, remote: a.remote)
        let running = Task { try await sync.run() }
        defer { running.cancel() }
        let requests = FolderRequests(folder: a.folder.path, patience: .seconds(600))
        #expect(try await requests.ask(.once(confirmsDeletions: false)).summary?.isInSync == true)
        #expect(server.head.commit.files.aggregates.files == 31)
        try a.remove("d")
        let held = [HeldDeletions(direction: .sending, files: 30, total: 31)]
        // The second time nothing has happened that the system would tell of.
        for _ in 0..<2 {
            let summary = try #require(try await requests.ask(.once(confirmsDeletions: false)).summary)
            #expect(summary.held == held)
            #expect(!summary.isInSync)
        }
        #expect(server.head.commit.files.aggregates.files == 31)
        let confirmed = try #require(try await requests.ask(.once(confirmsDeletions: true)).summary)
        #expect(confirmed.held.isEmpty && confirmed.isInSync)
        #expect(server.head.commit.files.aggregates.files == 1)
        // It held for that request alone.
        for number in 0..<30 { try a.write("\(number)", to: "d/f\(number)") }
        _ = try await requests.ask(.once(confirmsDeletions: false))
        try a.remove("d")
        #expect(try await requests.ask(.once(confirmsDeletions: false)).summary?.held == held)
        running.cancel()
        try await running.value
    }

    @Test func aRequestOfAnEarlierProgramConfirmsNothing() throws {
        let request = try JSONDecoder().decode(FolderRequest.self, from: Data(#"{"once":{}}"#.utf8))
        guard case .once(confirmsDeletions: nil) = request else {
            Issue.record("it is read as \(request)")
            return
        }
    }

    @Test func deletionsFromElsewhereThatARunningSyncHolds() async throws {
        let server = try FileDatabase.inMemory(actor: 9)
        let (a, b) = (try Desk(1, server: server), try Desk(2, server: server))
        for number in 0..<30 { try a.write("\(number)", to: "d/f\(number)") }
        try await a.sync()
        try await b.sync()
        try a.remove("d")
        try await a.sync(confirms: true)
        let sync = FolderSync(state: b.state, remote: b.remote)
        let running = Task { try await sync.run() }
        let requests = FolderRequests(folder: b.folder.path, patience: .seconds(600))
        let summary = try #require(try await requests.ask(.once(confirmsDeletions: false)).summary)
        #expect(summary.held == [HeldDeletions(direction: .receiving, files: 30, total: 30)])
        #expect(b.read("d/f7") == "7")
        #expect(try await requests.ask(.once(confirmsDeletions: true)).summary?.isInSync == true)
        #expect(try b.everything().isEmpty)
        running.cancel()
        try await running.value
    }

    @Test func aPausedSyncDoesNothing() async throws {
        let server = try FileDatabase.inMemory(actor: 9)
        let a = try Desk(1, server: server)
        try a.write("1", to: "f")
        try FolderPause.set(true, folder: a.folder.path)
        let error = await #expect(throws: FolderError.self) { try await a.sync() }
        #expect(error?.code == .paused)
        #expect(server.head.commit.files.aggregates.files == 0)
        #expect(a.database.head.commit.files.aggregates.files == 0)
        try FolderPause.set(false, folder: a.folder.path)
        #expect(try await a.sync().isInSync)
    }

    @Test func whatIsBeingWrittenIsNamed() async throws {
        let server = try FileDatabase.inMemory(actor: 9)
        let a = try Desk(1, server: server)
        try a.write("half", to: "d/open")
        try a.write("whole", to: "d/whole")
        // Not by a handle that programs which other tests start would hold open, too.
        var writer: OpenFile? = try DirectoryHandle(path: a.path("d")).create(Array("open".utf8))
        let sync = FolderSync(state: a.state, remote: a.remote)
        let local = try await sync.absorb(nil, confirmsDeletions: false)
        #expect(try sync.unsettledNotices(local.unsettled, []).map(\.path) == ["d/open"])
        #expect(writer != nil)
        writer = nil
        // One that is just being started has it until it is another program.
        var after = try await sync.absorb(local.unsettled, confirmsDeletions: false)
        for _ in 0..<100 where !after.unsettled.isEmpty {
            try await Task.sleep(for: .milliseconds(20))
            after = try await sync.absorb(after.unsettled, confirmsDeletions: false)
        }
        #expect(try sync.unsettledNotices(after.unsettled, []).isEmpty)
        // Of others the directory is known.
        #expect(try sync.unsettledNotices([], local.unsettled).map(\.path) == ["d"])
    }

    @Test func whatTheServerDoesNotTakeWasNotSent() async throws {
        let a = try Desk(1, server: try FileDatabase.inMemory(actor: 9))
        try a.write("taken", to: "f")
        try a.write("not taken", to: "g")
        let remote = RefusingRemote(refusals: [FolderNotice(.kept, "g", "the key may not write here")])
        let summary = try await FolderSync(state: a.state, remote: remote).runOnce()
        #expect(summary.sentFiles == 1)
        #expect(summary.sentBytes == 5)
        #expect(!summary.isInSync)
        // What was refused before is no less of what is sent now.
        try a.write("also taken", to: "h")
        #expect(try await FolderSync(state: a.state, remote: remote).runOnce().sentFiles == 1)
        try a.remove("g")
        let deleted = try await FolderSync(state: a.state, remote: remote).runOnce()
        #expect(deleted.sentFiles == 0 && deleted.sentDeletions == 0)
    }
}

@Suite("A folder that is paired with a tree that has patterns")
struct TreeRulesTests {
    @Test func whatTheTreesOwnListsHideIsNotSent() async throws {
        let server = try FileDatabase.inMemory(actor: 9)
        let (a, b) = (try Desk(1, server: server), try Desk(2, server: server))
        try a.write("secret\nbuild/\n", to: ".pandoignore")
        try a.write("*.log\n", to: "d/.pandoignore")
        try a.write("of the tree", to: "d/x")
        try await a.sync()
        try b.write("1", to: "secret")
        try b.write("2", to: "build/out")
        try b.write("3", to: "d/y.log")
        try b.write("4", to: "d/y")
        let summary = try await b.sync()
        #expect(summary.isInSync && summary.conflicts == 0)
        #expect(summary.sentFiles == 1, "d/y alone")
        #expect(try await server.text("/d/y") == "4")
        for hidden in ["/secret", "/build/out", "/d/y.log"] { #expect(try await server.text(hidden) == nil) }
        #expect(b.read("secret") == "1" && b.read("d/y.log") == "3")
        #expect(b.read(".pandoignore") == "secret\nbuild/\n" && b.read("d/x") == "of the tree")
    }

    @Test func aListOfTheFoldersOwnStays() async throws {
        let server = try FileDatabase.inMemory(actor: 9)
        let (a, b) = (try Desk(1, server: server), try Desk(2, server: server))
        try a.write("theirs\n", to: ".pandoignore")
        try await a.sync()
        try b.write("mine\n", to: ".pandoignore")
        try b.write("1", to: "mine")
        try b.write("2", to: "theirs")
        try await b.sync()
        #expect(try await server.text("/mine") == nil)
        #expect(server.head.commit.files.aggregates.conflicts == 1, "both lists are kept")
    }

    @Test func nothingIsTakenBeforeTheServerWasAsked() async throws {
        let server = try FileDatabase.inMemory(actor: 9)
        let (a, b) = (try Desk(1, server: server), try Desk(2, server: server))
        try a.write("secret\n", to: ".pandoignore")
        try await a.sync()
        try b.write("1", to: "secret")
        b.remote.isAway.withLock { $0 = true }
        await #expect(throws: FolderError.self) { try await b.sync() }
        b.remote.isAway.withLock { $0 = false }
        try await b.sync()
        #expect(try await server.text("/secret") == nil)
    }

    @Test func explainsWhatIsNotThere() throws {
        let desk = try Desk(1, server: try FileDatabase.inMemory(actor: 9))
        try desk.write("build/\n/a/b/*.tmp\n", to: ".pandoignore")
        func decision(_ path: String) throws -> IgnoreDecision? { try FolderState.ignoreDecision(try TreePath(path), folder: desk.folder.path) }
        #expect(try decision("/none/build/x")?.pattern == "build/")
        #expect(try decision("/a/b/c.tmp")?.isIgnored == true)
        #expect(try decision("/a/b/c.txt") == nil)
        #expect(FolderState.isReserved(try TreePath("/.pando/key")))
        #expect(!FolderState.isReserved(try TreePath("/a/key")))
    }
}
