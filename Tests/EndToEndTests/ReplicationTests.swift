import Foundation
import Testing

@Suite("Replication: two nodes and three")
struct ReplicationTests {
    /// The main job as a user would do it by hand.
    @Test func seenWorking() throws {
        let a = try RunningNode(["--label", "A"])
        let b = try RunningNode(joining: a, label: "B")
        #expect(try a.root() == b.root())
        try a.put("/files/docs/f.txt", "hello")
        try b.sync()
        #expect(try b.content("/docs/f.txt") == "hello")
        #expect(try a.root() == b.root())

        // The same file edited on both.
        try a.put("/files/docs/f.txt", "edit on A")
        try b.put("/files/docs/f.txt", "edit on B")
        let reports = try b.sync()
        #expect(reports[0]["conflicts"].number == 1)
        #expect(try a.root() == b.root())
        for node in [a, b] {
            let conflicts = try node.conflicts()
            #expect(conflicts.count == 1)
            #expect(conflicts[0]["path"].text == "/docs/f.txt")
            #expect(conflicts[0]["kind"].text == "modify-modify")
            #expect(conflicts[0]["losers"].items.count == 1)
            #expect(try node.content("/docs/f.txt") == "edit on B")
            let loser = try #require(conflicts[0]["losers"][0]["path"].text)
            #expect(loser.hasPrefix("/.conflicts/docs/f.txt/"))
            #expect(try node.content(loser) == "edit on A")
            #expect(conflicts[0]["losers"][0]["node"].text == (try a.id()))
            #expect(conflicts[0]["winner"]["node"].text == (try b.id()))
            for field in ["version", "node", "timestamp", "size", "content_type", "content_hash", "deleted", "path"] {
                #expect(conflicts[0]["winner"].names.contains(field), "\(field)")
                #expect(conflicts[0]["losers"][0].names.contains(field), "\(field)")
            }
            #expect(try node.send("HEAD", "/files/docs/f.txt")["pando-conflicts"] == "1")
            #expect(try node.get("/files/docs").json["items"][0]["conflicts"].number == 1)
            #expect(try node.get("/files/.conflicts/docs/f.txt/").json["items"].items.count == 1)
            #expect(try node.get("/sync/conflicts?prefix=/docs").json["items"].items.count == 1)
            #expect(try node.get("/sync/conflicts?prefix=/other").json["items"].items.isEmpty)
            #expect(try node.status()["conflicts"].number == 1)
        }

        // Picked on one, gone on both.
        let picked = try a.post("/sync/conflicts/docs/f.txt", #"{"pick": "loser"}"#)
        #expect(picked.status == 200, "\(picked.text)")
        #expect(try a.content("/docs/f.txt") == "edit on A")
        try a.sync()
        for node in [a, b] {
            #expect(try node.conflicts().isEmpty)
            #expect(try node.content("/docs/f.txt") == "edit on A")
        }
        #expect(try a.root() == b.root())
    }

    @Test func picks() throws {
        let a = try RunningNode()
        let b = try RunningNode(joining: a)
        let c = try RunningNode(joining: a)
        for name in ["one", "two", "three", "four"] {
            try a.put("/files/\(name)", "A")
            try b.put("/files/\(name)", "B")
            try c.put("/files/\(name)", "C")
        }
        try b.sync()
        try c.sync()
        try b.sync()
        #expect(try a.root() == b.root())
        #expect(try a.root() == c.root())
        let conflicts = try a.conflicts()
        #expect(conflicts.count == 4)
        #expect(try a.content("/one") == "C")

        #expect(try a.post("/sync/conflicts/one").status == 200)
        #expect(try a.post("/sync/conflicts/two", #"{"pick": "loser"}"#).status == 409)
        #expect(try a.post("/sync/conflicts/two", #"{"pick": "nonsense"}"#).status == 400)
        #expect(try a.post("/sync/conflicts/two", #"{"choose": "winner"}"#).status == 400)
        #expect(try a.post("/sync/conflicts/nothing").status == 404)
        #expect(try a.post("/sync/conflicts/one").status == 404)
        for (name, wanted) in [("two", "A"), ("three", "B")] {
            let losers = try #require(conflicts.first { $0["path"].text == "/\(name)" })["losers"].items
            let version = try #require(try losers.first { try a.content($0["path"].text ?? "") == wanted }?["version"].text)
            let result = try b.post("/sync/conflicts/\(name)", "{\"pick\": \(quoted(version))}")
            #expect(result.status == 200, "\(result.text)")
        }
        #expect(try c.post("/sync/conflicts/four", #"{"pick": "winner"}"#).status == 200)
        for _ in 0..<2 { for node in [b, c] { try node.sync() } }
        for node in [a, b, c] {
            #expect(try node.conflicts().isEmpty)
            #expect(try ["one", "two", "three", "four"].map { try node.content("/" + $0) } == ["C", "A", "B", "C"])
            #expect(try node.get("/files/.conflicts/").json["items"].items.isEmpty)
        }
        #expect(try Set([a.root(), b.root(), c.root()]).count == 1)
    }

    @Test func deleteAgainstModify() throws {
        let a = try RunningNode()
        let b = try RunningNode(joining: a)
        for name in ["first", "second"] { try a.put("/files/\(name)", "old") }
        try b.sync()
        // Whichever comes later: the modification stands.
        _ = try a.send("DELETE", "/files/first")
        try b.put("/files/first", "modified")
        try b.put("/files/second", "modified")
        _ = try a.send("DELETE", "/files/second")
        try a.sync()
        for node in [a, b] {
            #expect(try node.content("/first") == "modified")
            #expect(try node.content("/second") == "modified")
            let conflicts = try node.conflicts()
            #expect(conflicts.map { $0["kind"].text } == ["modify-delete", "modify-delete"])
            #expect(conflicts[0]["losers"][0]["deleted"].flag == true)
        }
        #expect(try a.post("/sync/conflicts/first", #"{"pick": "winner"}"#).status == 200)
        #expect(try b.post("/sync/conflicts/second", #"{"pick": "loser"}"#).status == 200)
        try a.sync()
        for node in [a, b] {
            #expect(try node.content("/first") == "modified")
            #expect(try node.content("/second") == nil)
            #expect(try node.conflicts().isEmpty)
        }
        #expect(try a.root() == b.root())
    }

    @Test func fileAgainstDirectory() throws {
        let a = try RunningNode()
        let b = try RunningNode(joining: a)
        for name in ["x", "y"] {
            try a.put("/files/\(name)", "a file")
            try b.put("/files/\(name)/inside", "in a directory")
        }
        try b.sync()
        for node in [a, b] {
            #expect(try node.content("/x/inside") == "in a directory")
            let conflict = try #require(try node.conflicts().first)
            #expect(conflict["kind"].text == "file-directory")
            #expect(try node.content(conflict["losers"][0]["path"].text ?? "") == "a file")
        }
        #expect(try a.post("/sync/conflicts/x", #"{"pick": "loser"}"#).status == 200)
        #expect(try a.post("/sync/conflicts/y", #"{"pick": "winner"}"#).status == 200)
        try a.sync()
        for node in [a, b] {
            #expect(try node.content("/x") == "a file")
            #expect(try node.content("/y/inside") == "in a directory")
            #expect(try node.conflicts().isEmpty)
        }
        #expect(try a.root() == b.root())
    }

    @Test func sameBytesAreNoConflict() throws {
        let a = try RunningNode()
        let b = try RunningNode(joining: a)
        try a.put("/files/f", "same")
        try b.put("/files/f", "same")
        _ = try a.send("PUT", "/files/d/", body: [])
        _ = try b.send("PUT", "/files/d/", body: [])
        try a.sync()
        #expect(try a.root() == b.root())
        for node in [a, b] { #expect(try node.conflicts().isEmpty) }
        try b.put("/files/f", "next")
        try a.sync()
        for node in [a, b] {
            #expect(try node.conflicts().isEmpty)
            #expect(try node.content("/f") == "next")
        }
    }

    @Test func equalRootsMoveNothing() throws {
        let a = try RunningNode()
        let b = try RunningNode(joining: a)
        for index in 0..<20 { try a.put("/files/\(index)", "\(index)") }
        #expect(try b.sync()[0]["entries"].number == 20)
        let head = try b.status()["head"].text
        for _ in 0..<3 {
            for node in [a, b] {
                let report = try node.sync()[0]
                #expect(report["entries"].number == 0)
                #expect(report["chunks"].number == 0)
                #expect(report["bytes"].number == 0)
                #expect(report["conflicts"].number == 0)
            }
        }
        #expect(try b.status()["head"].text == head)
        let peer = try b.get("/sync/peers").json["items"][0]
        #expect(peer["in_sync"].flag == true)
        #expect(peer["state"].text == "active")
        #expect(peer["root"].text == (try b.root()))
        for field in [
            "node_id", "label", "address", "state", "reason", "offset_us", "delay_us", "error_us", "sync_paths", "last_sync_at", "root",
            "in_sync", "bytes_received", "bytes_sent",
        ] { #expect(peer.names.contains(field), "\(field)") }
    }

    @Test func ringWithoutFalseConflicts() throws {
        let a = try RunningNode(["--label", "A"])
        let b = try RunningNode(joining: a, label: "B")
        let c = try RunningNode(joining: b, label: "C")
        let added = try a.post("/sync/peers", "{\"address\": \(quoted(c.url))}")
        #expect(added.status == 201, "\(added.text)")
        try a.sync()
        let ring = [a, b, c]
        for round in 0..<10 {
            for (index, node) in ring.enumerated() {
                // Each edits what the one before has edited, and adds, moves and deletes.
                try node.put("/files/shared.txt", "round \(round), node \(index)")
                try node.put("/files/\(round)/\(index)", "new")
                if round > 0 {
                    #expect(try node.send("PATCH", "/files/\(round - 1)/\(index)", body: Array("{\"to\": \"/moved/\(round)-\(index)\"}".utf8)).status == 200)
                    if round > 1 { #expect(try node.send("DELETE", "/files/moved/\(round - 1)-\(index)").status == 204) }
                }
                let next = ring[(index + 1) % 3]
                let report = try next.post("/sync/trigger", "{\"peer\": \(quoted(node.id()))}").json["peers"][0]
                #expect(report["ok"].flag == true, "\(report)")
                #expect(report["conflicts"].number == 0)
                #expect(try next.content("/shared.txt") == "round \(round), node \(index)")
            }
        }
        for _ in 0..<2 { for node in ring { try node.sync() } }
        #expect(try Set(ring.map { try $0.root() }).count == 1)
        for node in ring {
            #expect(try node.conflicts().isEmpty)
            #expect(try node.content("/shared.txt") == "round 9, node 2")
            #expect(try node.get("/files/moved").json["items"].items.count == 3)
        }
    }

    @Test func restartsBetween() throws {
        let a = try RunningNode()
        let b = try RunningNode(joining: a)
        try a.put("/files/one", "1")
        try b.sync()
        try b.restart()
        #expect(try b.content("/one") == "1")
        try a.put("/files/two", "2")
        try a.restart()
        try b.sync()
        #expect(try b.content("/two") == "2")
        try b.kill()
        try a.put("/files/three", "3")
        // A peer that is down is a named failure, not an error.
        let report = try a.trigger()[0]
        #expect(report["ok"].flag == false)
        #expect(report["error"].text?.isEmpty == false)
        try b.start()
        try a.sync()
        #expect(try b.content("/three") == "3")
        #expect(try a.root() == b.root())
        #expect(try a.get("/sync/members").json["items"].items.count == 2)
        #expect(try b.get("/sync/members").json["items"].items.count == 2)
    }

    @Test func diffs() throws {
        let a = try RunningNode()
        try a.put("/files/kept", "1")
        try a.put("/files/changed", "1")
        try a.put("/files/d/deleted", "1")
        let since = try a.root()
        try a.put("/files/changed", "2")
        try a.put("/files/d/added", "1")
        _ = try a.send("DELETE", "/files/d/deleted")
        let diff = try a.post("/sync/diff", "{\"since\": \(quoted(since)), \"paths\": [\"/**\"]}").json
        #expect(diff["root"].text == (try a.root()))
        #expect(diff["since"].text == since)
        #expect(diff["added"].items.map { $0["path"].text } == ["/d/added"])
        #expect(diff["modified"].items.map { $0["path"].text } == ["/changed"])
        #expect(diff["deleted"].items.map { $0["path"].text } == ["/d/deleted"])
        #expect(diff["next"].isNull)
        let all = try a.post("/sync/diff", #"{"since": null, "paths": ["/d/**"]}"#).json
        #expect(all["added"].items.map { $0["path"].text } == ["/d/added"])
        let unknown = try a.post("/sync/diff", "{\"since\": \"\(String(repeating: "ab", count: 32))\", \"paths\": []}")
        #expect(unknown.status == 410)
        #expect(try a.post("/sync/diff", #"{"since": "x"}"#).status == 400)
    }
}
