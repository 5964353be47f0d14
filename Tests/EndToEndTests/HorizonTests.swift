import Foundation
import Testing

@Suite("The horizon of deletions")
struct HorizonTests {
    /// Syncs until something holds.
    private func sync(_ nodes: [RunningNode], until condition: () throws -> Bool, _ location: SourceLocation = #_sourceLocation) throws {
        for _ in 0..<600 {
            for node in nodes { try node.trigger(location) }
            if try condition() { return }
            usleep(50_000)
        }
        throw TestFailure("it never came to pass: \(try nodes.map { try $0.status() })")
    }

    @Test func deletionsGoOnAllNodes() throws {
        let a = try RunningNode(["--deletion-retention", "1s"])
        let b = try RunningNode(joining: a, ["--deletion-retention", "1s"])
        let c = try RunningNode(joining: a, ["--deletion-retention", "1s"])
        let nodes = [a, b, c]
        try a.put("/files/keep", "x")
        for node in [b, c] { try node.sync() }
        let root = try a.root()
        for path in ["/files/gone", "/files/d/e/f"] {
            try b.put(path, "gone")
            #expect(try b.send("DELETE", path).status == 204)
        }
        #expect(try a.status()["horizon"].text == nil)
        try sync([b, c, a]) { try nodes.allSatisfy { try $0.root() == root && $0.status()["horizon"].text != nil } }
        // A restart forgets nothing of it, and the name can be used again without a conflict.
        try c.restart()
        try c.put("/files/gone", "anew")
        try sync([c, a, b]) { try nodes.allSatisfy { try $0.root() == c.root() } }
        for node in nodes {
            #expect(try node.content("/gone") == "anew")
            #expect(try node.conflicts().isEmpty)
        }
    }

    @Test func aMemberThatWasAwayForTooLong() throws {
        let a = try RunningNode(["--label", "A", "--deletion-retention", "1s"])
        let b = try RunningNode(joining: a, label: "B", ["--deletion-retention", "1s"])
        let c = try RunningNode(joining: a, label: "C", ["--deletion-retention", "1s"])
        for name in ["deleted", "edited", "deleted-and-edited", "kept"] { try a.put("/files/\(name)", "as it was") }
        for node in [b, c] { try node.sync() }
        try c.sync()
        let root = try a.root()

        // C goes away, and works on.
        try c.put("/files/new", "made by C")
        try c.put("/files/edited", "edited by C")
        try c.put("/files/deleted-and-edited", "edited by C too")
        try a.put("/files/gone", "x")
        for name in ["gone", "deleted", "deleted-and-edited"] { #expect(try a.send("DELETE", "/files/\(name)").status == 204) }
        let others = { (node: RunningNode, peer: RunningNode) in
            _ = try node.post("/sync/trigger", "{\"peer\": \"\(peer.id())\"}")
        }
        var isGone = false
        for _ in 0..<600 where !isGone {
            try others(b, a)
            isGone = try a.root() == b.root() && a.status()["horizon"].text != nil && b.status()["horizon"].text != nil
            usleep(50_000)
        }
        #expect(isGone)
        #expect(try a.root() != root)

        // Nothing is taken from it until it has taken what is there.
        let refused = try a.post("/sync/trigger", "{\"peer\": \"\(c.id())\"}").json["peers"].items
        #expect(refused.first?["ok"].flag == false)
        #expect(refused.first?["error"].text?.contains("away for longer") == true, "\(refused)")
        #expect(try a.content("/deleted") == nil)

        try sync([c, b, a]) { try a.root() == b.root() && a.root() == c.root() }
        #expect(c.process.errors.contains("was away for longer than deletions are kept"), "\(c.process.errors)")
        for node in [a, b, c] {
            #expect(try node.content("/deleted") == nil)
            #expect(try node.content("/kept") == "as it was")
            #expect(try node.content("/new") == "made by C")
            #expect(try node.content("/edited") == "edited by C")
            #expect(try node.content("/deleted-and-edited") == "edited by C too")
            #expect(try node.conflicts().isEmpty)
        }
        // And it counts again: the horizon waits for it and moves with it.
        let horizon = try a.status()["horizon"].text ?? ""
        #expect(try c.send("DELETE", "/files/new").status == 204)
        try sync([c, b, a]) { try a.status()["horizon"].text ?? "" > horizon && a.root() == c.root() && b.root() == c.root() }
    }

    /// Nobody can connect to one of the members: what it has reaches the others all the same.
    @Test func aMemberThatNobodyCanConnectTo() throws {
        let a = try RunningNode(["--label", "A", "--deletion-retention", "1s"])
        let b = try RunningNode(joining: a, label: "B", ["--deletion-retention", "1s"])
        // It gives no address, as a laptop behind a router.
        let hidden = try RunningNode(joining: a, label: "hidden", ["--deletion-retention", "1s", "--host", "0.0.0.0", "--insecure"])
        let nodes = [a, b, hidden]
        for node in [b, hidden] { try node.sync() }
        try hidden.put("/files/gone", "x")
        try hidden.sync()
        try b.sync()
        let root = try b.root()
        #expect(try b.send("DELETE", "/files/gone").status == 204)
        // Only those that can connect sync by themselves.
        func sync(until condition: () throws -> Bool) throws {
            for _ in 0..<600 {
                for node in [b, hidden] { _ = try node.post("/sync/trigger", "{\"peer\": \"\(a.id())\"}") }
                if try condition() { return }
                usleep(50_000)
            }
            throw TestFailure("it never came to pass: \(try nodes.map { try $0.status() })")
        }
        try sync { try nodes.allSatisfy { try $0.status()["horizon"].text != nil && $0.status()["tombstones"].number == 0 } }
        #expect(try Set(nodes.map { try $0.root() }).count == 1)
        #expect(try a.root() != root)
        #expect(try a.status()["horizon_waits_for"].items.isEmpty)
        for node in nodes { #expect(!node.process.errors.contains("was away for longer"), "\(node.process.errors)") }
    }

    /// The horizon waits for a member that is away, and says so.
    @Test func whatItWaitsForIsShown() throws {
        let a = try RunningNode(["--deletion-retention", "2s"], isLive: true)
        let b = try RunningNode(joining: a, isLive: true, ["--deletion-retention", "2s"])
        try a.put("/files/f", "x")
        try eventually("B has it") { try b.content("/f") == "x" }
        let id = try b.id()
        try b.stop()
        #expect(try a.send("DELETE", "/files/f").status == 204)
        try eventually("B is waited for") { try a.status()["horizon_waits_for"].items.compactMap(\.text) == [id] }
        #expect(try a.status()["tombstones"].number == 1)
        #expect(try a.command("status").output.contains("1 kept; old ones wait for \(id.prefix(12))"))
        try b.start()
        try eventually("nobody is waited for") { try a.status()["tombstones"].number == 0 }
        #expect(try a.status()["horizon_waits_for"].items.isEmpty)
    }

    /// A founder that was alone for long, and never had to tell what it has, has not been away.
    @Test func aFounderThatNeverHadToTell() throws {
        let a = try RunningNode(["--deletion-retention", "1s"])
        try a.put("/files/kept", "x")
        usleep(1_200_000)
        let b = try RunningNode(joining: a, ["--deletion-retention", "1s"])
        try b.put("/files/gone", "x")
        try b.sync()
        #expect(try b.send("DELETE", "/files/gone").status == 204)
        usleep(1_200_000)
        try a.put("/files/by-the-founder", "x")
        // The newcomer looks first.
        try sync([b, a]) { try [a, b].allSatisfy { try $0.status()["tombstones"].number == 0 } && a.root() == b.root() }
        for node in [a, b] {
            #expect(!node.process.errors.contains("was away for longer"), "\(node.process.errors)")
            #expect(try node.content("/by-the-founder") == "x")
            #expect(try node.content("/kept") == "x")
        }
    }

    @Test func badRetention() throws {
        for text in ["0d", "x", "-1s", "3", "5w"] {
            let directory = try TemporaryDirectory()
            let process = try ChildProcess(["serve", "--data", "data", "--port", "0", "--deletion-retention=\(text)"], in: directory.path)
            #expect(try process.wait() == .exited(2), "\(text)")
            #expect(process.errors.contains("span of time"), "\(process.errors)")
        }
    }
}
