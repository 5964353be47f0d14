import Causality
import Content
import FileDatabase
import Merkle
@testable import Node
import Platform
import TestSupport
import Testing

@Suite("Event hub")
struct EventHubTests {
    private func withHub(_ body: (EventHub, Head) async throws -> Void) async throws {
        let directory = try TemporaryDirectory()
        let database = try FileDatabase(directory: directory.path, actor: Actor(node: NodeID(publicKey: [1])))
        defer { database.close() }
        try await body(EventHub(database: database, run: "run", time: SystemTime()), database.head)
    }

    private func numbers(_ reading: EventHub.Reading) -> [UInt64]? {
        if case .events(let events) = reading { events.map(\.number) } else { nil }
    }

    @Test("A reader that falls behind what is kept is told so, and memory stays bounded")
    func slowReader() async throws {
        try await withHub { hub, _ in
            let reader = hub.join(wantsPaths: true)
            defer { hub.leave(reader) }
            let path = try TreePath("/f")
            for _ in 0..<EventHub.Limits.events + 10 { hub.publish([.resolved(path)]) }
            let newest = UInt64(EventHub.Limits.events + 10)
            guard case .missed(newest) = hub.events(after: reader.start) else {
                Issue.record("not told")
                return
            }
            #expect(numbers(hub.events(after: newest)) == [])
            #expect(numbers(hub.events(after: newest - 2)) == [newest - 1, newest])
            #expect(numbers(hub.events(after: 10))?.first == 11)
            #expect(numbers(hub.events(after: 9)) == nil)
            #expect(numbers(hub.events(after: newest + 1)) == nil)
        }
    }

    @Test("Commits with many paths push out the oldest")
    func manyPaths() async throws {
        try await withHub { hub, head in
            let paths = try (0..<EventHub.Limits.pathsOfCommit).map { try TreePath("/\($0)") }
            let commits = EventHub.Limits.paths / paths.count + 5
            for _ in 0..<commits { hub.publish([.commit(CommitNotice(head: head, before: head.commit.files, paths: paths))]) }
            #expect(numbers(hub.events(after: 0)) == nil)
            #expect(numbers(hub.events(after: UInt64(commits - 1))) == [UInt64(commits)])
        }
    }

    @Test("Closing ends all reading")
    func closing() async throws {
        try await withHub { hub, _ in
            let reader = hub.join(wantsPaths: false)
            hub.close()
            await reader.wait(upTo: .seconds(60))
            guard case .closed = hub.events(after: reader.start) else {
                Issue.record("goes on")
                return
            }
        }
    }
}
