import Foundation
import Testing

@Suite("Replication: nodes that keep in touch")
struct LiveTests {
    private func state(of peer: RunningNode, at node: RunningNode) throws -> Document {
        let id = try peer.id()
        return try node.get("/sync/peers").json["items"].items.first { $0["node_id"].text == id } ?? Document(json: [])
    }

    private func states(_ node: RunningNode) throws -> [String] {
        try node.get("/sync/peers").json["items"].items.compactMap { $0["state"].text }
    }

    @Test func writesTravelByThemselves() throws {
        let a = try RunningNode(isLive: true)
        let b = try RunningNode(joining: a, isLive: true)
        let c = try RunningNode(joining: b, isLive: true)
        try eventually("all are in touch") { try [a, b, c].allSatisfy { try states($0).allSatisfy { $0 == "active" } && !states($0).isEmpty } }
        // Through the node in between, both ways.
        try a.put("/files/from-a", "A's")
        try c.put("/files/from-c", "C's")
        try eventually("C has A's file") { try c.content("/from-a") == "A's" }
        try eventually("A has C's file") { try a.content("/from-c") == "C's" }
        try eventually("all are equal") { try Set([a.root(), b.root(), c.root()]).count == 1 }
        #expect(try [a, b, c].allSatisfy { try $0.conflicts().isEmpty })
        let peer = try state(of: b, at: a)
        #expect(peer["in_sync"].flag == true)
        #expect(peer["offset_us"].number.map { abs($0) < 50_000 } == true)
        #expect(peer["delay_us"].number.map { $0 >= 0 } == true)
        #expect(try a.status()["clock_settled"].flag == true)
    }

    @Test func comesBack() throws {
        let a = try RunningNode(isLive: true)
        let b = try RunningNode(joining: a, isLive: true)
        try a.put("/files/one", "1")
        try eventually("B has it") { try b.content("/one") == "1" }
        try b.stop()
        try eventually("A notices") { try state(of: a, at: a)["state"].text == nil && states(a) == ["disconnected"] }
        try a.put("/files/two", "2")
        try b.start()
        try eventually("B has what was written meanwhile") { try b.content("/two") == "2" }
        try b.put("/files/three", "3")
        try eventually("A has what B wrote") { try a.content("/three") == "3" }
    }

    @Test func startOrderIsNoMatter() throws {
        let a = try RunningNode(isLive: true)
        let b = try RunningNode(joining: a, isLive: true)
        try eventually("in touch") { try states(a) == ["active"] && states(b) == ["active"] }
        try a.stop()
        try b.restart()
        try b.put("/files/alone", "written while A was away")
        try a.start()
        try eventually("A has it") { try a.content("/alone") != nil }
    }

    @Test func hearsThatItWasRemoved() throws {
        let a = try RunningNode(isLive: true)
        let b = try RunningNode(joining: a, isLive: true)
        try eventually("in touch") { try states(b) == ["active"] }
        #expect(try a.send("DELETE", "/sync/members/\(b.id())").status == 204)
        try eventually("B is told") { try state(of: a, at: b)["reason"].text?.contains("removed") == true }
        try b.put("/files/f", "B's alone")
        try a.put("/files/g", "A's alone")
        usleep(500_000)
        #expect(try a.content("/f") == nil)
        #expect(try b.content("/g") == nil)
    }

    /// A peer whose heartbeats make no sense is not pulled from, and one that sends none is shown nothing.
    @Test func nothingIsShownInTheHoneymoon() throws {
        let a = try RunningNode()
        try a.put("/files/f", "x")
        let proxy = try LyingPeer(to: a.port)
        let b = try RunningNode(joining: a, at: proxy.url)
        let id = try a.id()
        for beat in [
            #"{"intent_time": 9000000000000000, "construct_time": 9000000000000000, "node_id": "\#(id)"}"#,
            #"{"intent_time": 18446744073709551615, "construct_time": 18446744073709551615, "node_id": "\#(id)"}"#,
            #"{"intent_time": 5, "construct_time": 4, "node_id": "\#(id)"}"#, #"{"intent_time": 0}"#, "[]", "",
        ] {
            // Before it starts, since it syncs once by itself.
            proxy.tell { $0.target == "/sync/heartbeat" ? .body(Array(beat.utf8)) : nil }
            try b.restart()
            let report = try b.trigger()[0]
            #expect(report["ok"].flag == false, "\(beat)")
            #expect(report["error"].text?.isEmpty == false)
            #expect(try b.content("/f") == "x" || b.content("/f") == nil)
        }
        // The beats say that they were answered, and never arrived.
        try a.restart()
        try a.put("/files/g", "y")
        proxy.tell { request in
            guard request.target == "/sync/heartbeat" else { return nil }
            let now = UInt64(Date().timeIntervalSince1970 * 1e6)
            return .body(Array(#"{"intent_time": \#(now), "construct_time": \#(now), "node_id": "\#(id)"}"#.utf8))
        }
        try b.restart()
        let report = try b.trigger()[0]
        #expect(report["error"].text?.contains("heartbeats") == true, "\(report)")
        #expect(try b.content("/g") == nil)
        proxy.tell(nil)
        try b.sync()
        #expect(try b.content("/g") == "y")
    }

    @Test func clocksHoursApart() throws {
        func shifted(_ by: String) -> [String: String] {
            ["LD_PRELOAD": "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1", "FAKETIME": by, "FAKETIME_DONT_FAKE_MONOTONIC": "1"]
        }
        try #require(FileManager.default.fileExists(atPath: shifted("")["LD_PRELOAD"] ?? ""), "libfaketime is missing; scripts/setup installs it")
        let a = try RunningNode(isLive: true)
        func invitation() throws -> String { try a.post("/sync/invitations", "{}").json["invitation"].text ?? "" }
        let ahead = try RunningNode(["--join", a.url, "--join-token", invitation()], isLive: true, environment: shifted("+3h"))
        let behind = try RunningNode(["--join", a.url, "--join-token", invitation()], isLive: true, environment: shifted("-2d"))
        try eventually("all are in touch") { try states(a) == ["active", "active"] && states(ahead) == ["active"] && states(behind) == ["active"] }
        for node in [ahead, behind] {
            let offset = try state(of: a, at: node)["offset_us"].number
            #expect(offset.map { abs($0) < 50_000 } == true, "\(String(describing: offset))")
        }
        // The last to write wins, whatever the clocks on the walls say.
        let order = [behind, ahead, a, ahead, behind]
        for (number, node) in order.enumerated() {
            try node.put("/files/last", "\(number)")
            usleep(50_000)
        }
        try eventually("all have the last") { try [a, ahead, behind].allSatisfy { try $0.content("/last") == "4" } }
        // Cut off from each other, it is the time alone that decides.
        for node in [a, ahead, behind] { try node.stop() }
        try behind.start(["--manual"])
        try behind.put("/files/apart", "first")
        try behind.stop()
        usleep(50_000)
        try ahead.start(["--manual"])
        try ahead.put("/files/apart", "second")
        try a.start()
        try behind.start()
        try ahead.restart()
        try eventually("the later stands") { try [a, ahead, behind].allSatisfy { try $0.content("/apart") == "second" } }
        // Where the machine is slow, the writes of before may have crossed on their way.
        try eventually("the earlier is kept") { try a.conflicts().filter { $0["path"].text == "/apart" }.count == 1 }
    }

    @Test func copiedIdentityIsNamed() throws {
        let a = try RunningNode()
        try a.put("/files/f", "x")
        try a.stop()
        let copy = try TemporaryDirectory()
        try FileManager.default.copyItem(atPath: a.data, toPath: copy.appending("data"))
        try a.start()
        let b = try RunningNode(data: copy.appending("data"))
        #expect(try a.post("/sync/peers", "{\"address\": \(quoted(b.url))}").status == 201)
        let report = try a.trigger().first
        #expect(report?["ok"].flag == false)
        #expect(report?["error"].text?.contains("copy") == true, "\(String(describing: report))")
    }
}
