import Causality
import FileDatabase
import Merkle
@testable import Node
import Replication
import Synchronization
import Testing

/// A node that is shown writes in its own name that it does not have.
@Suite("Old copies")
struct OldCopyTests {
    @Test("Where several peers show at the same time that a node runs on an old copy, it takes up one incarnation")
    func oneIncarnation() async throws {
        try await withLab { lab in
            let a = try await lab.node("a", founds: true)
            try await a.put("1", at: "/f")
            let register = try #require(try a.register("/f"))
            var own = OwnWrites(of: a.database.actor, after: a.database.written.start, gaps: [WriteGap(start: .zero, first: register.latest.next)])
            own.look(at: register, over: register, purgedUpTo: .zero)
            #expect(own.areForgotten)
            let before = a.incarnation
            let seen = Mutex<Set<UInt32>>([])
            let observer = a.database.addObserver { head in seen.withLock { _ = $0.insert(head.commit.actor.incarnation) } }
            defer { a.database.removeObserver(observer) }
            try await withThrowingTaskGroup(of: Void.self) { [own] group in
                for _ in 0..<8 { group.addTask { try await a.checkOwnWrites(own) } }
                try await group.waitForAll()
            }
            #expect(a.incarnation != before)
            #expect(seen.withLock { $0 } == [a.incarnation])
            #expect(try a.register("/f")?.versions.map(\.dot.actor.incarnation) == [a.incarnation])
        }
    }
}
