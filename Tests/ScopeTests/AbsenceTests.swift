import Access
import Causality
import FileDatabase
import Merkle
@testable import Node
import Replication
import Testing

/// Members that are cut off for longer than deletions are kept.
@Suite("Long absences")
struct AbsenceTests {
    @Test("What two wrote that were cut off together is there when both are back, and what their desks wrote")
    func cutOffTogether() async throws {
        try await withLab(retention: .milliseconds(300)) { lab in
            let (a, home) = try await makeHome(lab)
            let x = try await lab.node("x", joining: "a")
            let y = try await lab.node("y", joining: "x")
            let site = [x, y]
            for path in ["/gone", "/kept", "/a"] { try await a.put("as it was", at: path) }
            for node in home + site + home { try await node.sync() }
            lab.cut(["x", "y"], from: ["a", "b", "c"])
            try await x.put("by x", at: "/x")
            try await y.put("by y", at: "/y")
            try await y.put("by y", at: "/kept")
            let (desk, _) = try await lab.client("desk", of: "x", rules: [(path: "/**", allow: Permission.allCases)])
            try await desk.put("by a desk", at: "/desk")
            try await desk.sync()
            _ = try await x.database.delete(TreePath("/a"))
            _ = try await a.database.delete(TreePath("/gone"))
            // Both sides look whom they miss. Only one of them is the greater.
            try await dropDeletions(at: a, all: home + site)
            #expect(x.database.head.commit.files.aggregates.tombstones > 0)
            #expect(try x.isLeftBehind() == false)
            #expect(try await y.text("/x") == "by x")
            lab.endCuts()
            for _ in 0..<5 { for node in home + site { _ = try await node.trigger() } }
            for node in home + site {
                #expect(try node.isLeftBehind() == false)
                #expect(try node.paths() == ["/desk", "/kept", "/x", "/y"])
                #expect(try await node.text("/x") == "by x")
                #expect(try await node.text("/y") == "by y")
                #expect(try await node.text("/kept") == "by y")
                #expect(try await node.text("/desk") == "by a desk")
                #expect(node.database.head.commit.files.aggregates.conflicts == 0)
            }
        }
    }

    @Test("What was deleted while a member was cut off does not come back when it pushes before it has pulled")
    func pushOfTheCutOff() async throws {
        try await withLab(retention: .milliseconds(300)) { lab in
            let (a, home) = try await makeHome(lab)
            let x = try await lab.node("x", joining: "a")
            for path in ["/gone", "/kept"] { try await a.put("as it was", at: path) }
            for node in home + [x] { try await node.sync() }
            lab.cut(["x"], from: ["a", "b", "c"])
            try await x.put("by x", at: "/x")
            _ = try await a.database.delete(TreePath("/gone"))
            try await dropDeletions(at: a, all: home + [x])
            lab.endCuts()
            let link = try #require(x.allLinks().first { $0.nodeID == a.id })
            try await x.meet(link)
            var report = SyncReport(nodeID: nil, address: link.address, ok: false)
            do {
                try await x.push(to: link, &report)
                Issue.record("the push was taken")
            } catch let error as NodeError {
                #expect(error.code == .conflict)
                #expect(error.reason.contains("was away for longer"))
            }
            #expect(try a.paths() == ["/kept"])
            for _ in 0..<5 { for node in home + [x] { _ = try await node.trigger() } }
            for node in home + [x] { #expect(try node.paths() == ["/kept", "/x"]) }
        }
    }

    @Test("What a desk had written before a member was cut off, and gave to it only then, is there when the member is back")
    func lateDesk() async throws {
        try await withLab(retention: .milliseconds(300)) { lab in
            let (a, home) = try await makeHome(lab)
            let x = try await lab.node("x", joining: "a")
            let (desk, _) = try await lab.client("desk", of: "x", rules: [(path: "/**", allow: Permission.allCases)])
            try await desk.put("by a desk", at: "/desk")
            try await Task.sleep(for: .milliseconds(5))
            // What the others know of the cut off member is later than that.
            for path in ["/gone", "/kept"] { try await x.put("as it was", at: path) }
            for node in home + [x] + home { try await node.sync() }
            lab.cut(["x"], from: ["a", "b", "c"])
            try await desk.sync()
            _ = try await a.database.delete(TreePath("/gone"))
            try await dropDeletions(at: a, all: home + [x])
            let written = try #require(try x.register("/desk")?.winner.dot.timestamp)
            #expect(try a.horizonDocuments().seen[a.id].map { $0.vector[x.id] > written } == true)
            lab.endCuts()
            for _ in 0..<5 { for node in home + [x] { _ = try await node.trigger() } }
            for node in home + [x] { #expect(try node.paths() == ["/desk", "/kept"]) }
        }
    }

    @Test("What was deleted long ago and is made anew is no conflict for a desk that has the deletion, or even the file, still", arguments: [true, false])
    func deletedAndMadeAnew(hasDeletion: Bool) async throws {
        try await withLab(retention: .milliseconds(300)) { lab in
            let (a, home) = try await makeHome(lab)
            let (desk, _) = try await lab.client("desk", of: "a", rules: [(path: "/**", allow: Permission.allCases)])
            try await a.put("as it was", at: "/f")
            try await desk.sync()
            _ = try await a.database.delete(TreePath("/f"))
            if hasDeletion { try await desk.sync() }
            #expect(desk.database.head.commit.files.aggregates.tombstones == (hasDeletion ? 1 : 0))
            for node in home { try await dropDeletions(at: node, all: home) }
            // By another, for its own writes a node has always seen.
            try await home[1].put("made anew", at: "/f")
            try await a.sync()
            #expect(try a.register("/f")?.context.elements.count == 1)
            try await desk.sync()
            #expect(desk.database.head.commit.files.aggregates.conflicts == 0)
            #expect(try desk.register("/f") == a.register("/f"))
            // Nor does the desk tell of it again.
            let root = a.database.head.commit.files.root
            try await desk.sync()
            #expect(a.database.head.commit.files.root == root)
        }
    }

    @Test("A founder that goes on in a fresh incarnation once deletions were dropped is still believed by who joins")
    func freshFounder() async throws {
        try await withLab(retention: .milliseconds(300)) { lab in
            let a = try await lab.node("a", founds: true)
            let b = try await lab.node("b", joining: "a")
            for path in ["/gone", "/kept"] { try await a.put("as it was", at: path) }
            try await b.sync()
            _ = try await a.database.delete(TreePath("/gone"))
            try await dropDeletions(at: a, all: [a, b])
            try await a.takeUpIncarnation(reason: "a test")
            let c = try await lab.node("c", joining: "a")
            for path in ["/c", "/again"] { try await c.put("by c", at: path) }
            try await c.sync()
            _ = try await c.database.delete(TreePath("/again"))
            // Nor does it hold up deletions from then on.
            try await dropDeletions(at: c, all: [a, b, c])
            for _ in 0..<3 { for node in [a, b, c] { _ = try await node.trigger() } }
            for node in [a, b, c] { #expect(try node.paths() == ["/c", "/kept"]) }
        }
    }

    @Test("What a member to which nobody can connect had from a desk by way of others stays deleted after an absence, and its own files go on")
    func hiddenMember() async throws {
        try await withLab(retention: .milliseconds(300)) { lab in
            let (a, home) = try await makeHome(lab)
            let (desk, _) = try await lab.client("desk", of: "a", rules: [(path: "/**", allow: Permission.allCases)])
            try await desk.put("by a desk", at: "/gone")
            try await desk.sync()
            let x = try await lab.node("x", joining: "a", isHidden: true)
            try await x.put("by x", at: "/early")
            for node in home + [x] { try await node.sync() }
            #expect(try x.paths() == ["/early", "/gone"])
            lab.cut(["x"], from: ["a", "b", "c"])
            try await x.put("by x", at: "/late")
            _ = try await a.database.delete(TreePath("/gone"))
            try await dropDeletions(at: a, all: home + [x])
            lab.endCuts()
            for _ in 0..<5 { for node in home + [x] { _ = try await node.trigger() } }
            for node in home + [x] { #expect(try node.paths() == ["/early", "/late"]) }
            // Who joins with files that are older than what was dropped brings them along.
            let y = try await lab.node("y", isHidden: true)
            try await y.put("by y", at: "/y")
            try await Task.sleep(for: .milliseconds(20))
            _ = try await a.database.delete(TreePath("/early"))
            try await dropDeletions(at: a, all: home + [x])
            #expect(try a.horizonDocuments().horizon > y.database.head.commit.time)
            try await y.join(address: Lab.address("a"), token: a.invite(label: nil, expiresIn: nil, syncPaths: nil).invitation)
            for _ in 0..<2 { for node in home + [y] { _ = try await node.trigger() } }
            for node in home + [y] { #expect(try node.paths() == ["/late", "/y"]) }
        }
    }

    /// The greater part of a cluster: its founder, and all three.
    private func makeHome(_ lab: Lab) async throws -> (founder: Node, all: [Node]) {
        let founder = try await lab.node("a", founds: true)
        return (founder, [founder, try await lab.node("b", joining: "a"), try await lab.node("c", joining: "a")])
    }

    /// Lets everybody sync and look after deletions until a node has dropped them.
    private func dropDeletions(at node: Node, all: [Node]) async throws {
        for _ in 0..<500 where node.database.head.commit.files.aggregates.tombstones > 0 {
            for other in all {
                _ = try await other.trigger()
                await other.tendHorizon()
            }
            try await Task.sleep(for: .milliseconds(10))
        }
        #expect(node.database.head.commit.files.aggregates.tombstones == 0)
    }
}
