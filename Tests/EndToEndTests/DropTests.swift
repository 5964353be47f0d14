import Foundation
import Testing

@Suite("Replication: dropping what is outside the paths")
struct DropTests {
    private func drop(_ node: RunningNode, _ json: String = "{}") throws -> Document {
        let answer = try node.post("/sync/drop", json)
        #expect(answer.status == 200, "\(answer.text)")
        return answer.json
    }

    private func limit(_ peer: RunningNode, at node: RunningNode, to paths: String) throws {
        let answer = try node.send(
            "PATCH", "/sync/peers/\(peer.id())", ["Content-Type": "application/json"], body: Array("{\"sync_paths\": \(paths)}".utf8))
        #expect(answer.status == 200, "\(answer.text)")
    }

    /// Two full members that have exchanged everything.
    private func pair() throws -> (a: RunningNode, b: RunningNode) {
        let a = try RunningNode(["--label", "A"])
        for path in ["/a/one", "/a/deep/two", "/b/three", "/b/deep/four", "/top"] { try a.put("/files" + path, "content of \(path)") }
        let b = try RunningNode(joining: a, label: "B")
        try b.sync()
        #expect(try a.root() == b.root())
        return (a, b)
    }

    @Test func narrowsDropsAndWidens() throws {
        let (a, b) = try pair()
        // Who takes part in everything has nothing to drop.
        #expect(try b.post("/sync/drop", "{}").status == 409)
        let root = try a.root()
        try limit(a, at: b, to: #"["/a/**"]"#)
        try b.sync()
        #expect(try b.content("/b/three") != nil, "narrowing keeps what is there")
        let preview = try drop(b, #"{"dry_run": true}"#)
        #expect(preview["files"].number == 3)
        #expect(preview["kept"].items.isEmpty)
        #expect(try b.root() == root)

        let dropped = try drop(b)
        #expect(dropped["files"].number == 3)
        #expect(dropped["kept_count"].number == 0, "\(dropped)")
        for path in ["/b/three", "/b/deep/four", "/top"] { #expect(try b.content(path) == nil) }
        #expect(try b.content("/a/deep/two") == "content of /a/deep/two")
        // Nothing of it is a deletion, neither here nor anywhere else.
        #expect(try b.status()["tombstones"].number == 0)
        for _ in 0..<2 {
            try b.sync()
            try a.sync()
        }
        #expect(try a.root() == root)
        #expect(try b.content("/top") == nil)
        #expect(try drop(b)["files"].number == 0)
        // A restart does not bring it back.
        try b.restart()
        try b.put("/files/a/by-b", "new")
        try b.sync()
        #expect(try a.content("/a/by-b") == "new")
        #expect(try b.content("/b/three") == nil)

        try limit(a, at: b, to: "null")
        try b.sync()
        #expect(try a.root() == b.root())
        #expect(try b.content("/b/deep/four") == "content of /b/deep/four")
        #expect(try b.conflicts().isEmpty)
        #expect(try b.status()["whole"].flag == true)
    }

    @Test func widensStepByStep() throws {
        let (a, b) = try pair()
        try limit(a, at: b, to: #"["/a/**"]"#)
        // At once, before anything was exchanged under the narrow paths.
        #expect(try drop(b)["files"].number == 3)
        try limit(a, at: b, to: #"["/a/**", "/b/**"]"#)
        try b.sync()
        #expect(try b.content("/b/three") == "content of /b/three")
        #expect(try b.content("/top") == nil)
        try limit(a, at: b, to: #"["/b/deep/**"]"#)
        try b.sync()
        #expect(try drop(b)["files"].number == 3)
        #expect(try b.content("/b/deep/four") != nil)
        try limit(a, at: b, to: "null")
        try b.sync()
        #expect(try a.root() == b.root())
    }

    @Test func keepsWhatNobodyElseHas() throws {
        let (a, b) = try pair()
        try limit(a, at: b, to: #"["/a/**"]"#)
        try b.put("/files/b/mine", "only here")
        try b.put("/files/b/three", "edited here")
        let result = try drop(b)
        #expect(result["kept"].items.compactMap(\.text) == ["/b/mine", "/b/three"], "\(result)")
        #expect(result["kept_count"].number == 2)
        #expect(try b.content("/b/mine") == "only here")
        #expect(try b.content("/b/three") == "edited here")
        #expect(try b.content("/top") == nil)
        try limit(a, at: b, to: "null")
        try b.sync()
        #expect(try a.content("/b/mine") == "only here")
        #expect(try a.content("/b/three") == "edited here")
        #expect(try a.root() == b.root())
        #expect(try a.conflicts().isEmpty)
    }

    @Test func twoDoNotRelyOnEachOther() throws {
        let (a, b) = try pair()
        try limit(a, at: b, to: #"["/a/**"]"#)
        try limit(b, at: a, to: #"["/a/**"]"#)
        #expect(try drop(b)["files"].number == 3)
        #expect(try b.status()["whole"].flag == false)
        let answer = try a.post("/sync/drop", "{}")
        #expect(answer.status == 409)
        #expect(answer.text.contains("last copy"), "\(answer.text)")
        #expect(try a.content("/top") != nil)
        // One that has dropped is not relied on before everything is back.
        try limit(a, at: b, to: "null")
        #expect(try a.post("/sync/drop", "{}").status == 409)
        try limit(b, at: a, to: "null")
        try b.sync()
        #expect(try a.root() == b.root())
        #expect(try [a, b].allSatisfy { try $0.status()["whole"].flag == true })
        // Nobody who could hold it answers.
        try limit(a, at: b, to: #"["/a/**"]"#)
        try a.stop()
        #expect(try b.post("/sync/drop", "{}").status == 409)
        #expect(try b.content("/top") != nil)
    }

    @Test func partialMemberByCommand() throws {
        let a = try RunningNode(["--label", "A"])
        for path in ["/a/one", "/b/two"] { try a.put("/files" + path, path) }
        let invitation = try a.post("/sync/invitations", #"{"sync_paths": ["/a/**", "/b/**"]}"#).json["invitation"].text ?? ""
        let b = try RunningNode(["--label", "B", "--join", a.url, "--join-token", invitation])
        try b.sync()
        #expect(try b.content("/b/two") == "/b/two")
        #expect(try a.command("members", "limit", "B", "--sync-path", "/a/**").code == 0)
        try b.sync()
        let preview = try b.command("drop", "--dry-run")
        #expect(preview.output.contains("would drop 1 file"), "\(preview)")
        #expect(try b.command("drop").output.contains("dropped 1 file"))
        #expect(try b.content("/b/two") == nil)
        #expect(try a.command("members", "limit", "B", "--sync-path", "/a/**", "--sync-path", "/b/**").code == 0)
        try b.sync()
        #expect(try b.content("/b/two") == "/b/two")
        #expect(try a.content("/b/two") == "/b/two")
        #expect(try a.command("members", "limit", "B").code == 2)
    }

    @Test func badInput() throws {
        let a = try RunningNode()
        #expect(try a.post("/sync/drop", "{}").status == 409)
        #expect(try a.post("/sync/drop", #"{"dry_run": 1}"#).status == 400)
        #expect(try a.post("/sync/drop", #"{"dryrun": true}"#).status == 400)
        #expect(try a.post("/sync/acknowledge", #"{"clock": 1, "caught_up": 1}"#).status == 403)
    }
}
