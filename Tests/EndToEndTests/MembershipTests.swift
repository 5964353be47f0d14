import Foundation
import Testing

@Suite("Replication: invitations and members")
struct MembershipTests {
    /// What a node says that was started to join and could not. The node is ended.
    func failureToJoin(_ host: RunningNode, token: String) throws -> String {
        let directory = try TemporaryDirectory()
        let guest = try ChildProcess(
            ["serve", "--data", "data", "--port", "0", "--join", host.url, "--join-token", token], in: directory.path)
        #expect(try guest.wait() == .exited(1))
        return guest.errors
    }

    @Test func invitationsServeOnce() throws {
        let a = try RunningNode()
        let answer = try a.post("/sync/invitations", #"{"label": "guest", "expires_in": 60}"#)
        #expect(answer.status == 201)
        #expect(answer.json["expires_at"].text?.hasSuffix("Z") == true)
        let invitation = try #require(answer.json["invitation"].text)
        let b = try RunningNode(["--join", a.url, "--join-token", invitation])
        #expect(try a.get("/sync/members").json["items"].items.contains { $0["label"].text == "guest" })
        let reason = try failureToJoin(a, token: invitation)
        #expect(reason.contains("used"), "\(reason)")
        #expect(!reason.contains(invitation))
        #expect(try a.get("/sync/members").json["items"].items.count == 2)
        try a.put("/files/f", "x")
        try b.sync()
        #expect(try b.content("/f") == "x")
    }

    @Test func badInvitations() throws {
        let a = try RunningNode()
        let other = try RunningNode()
        let short = try #require(try a.post("/sync/invitations", #"{"expires_in": 1}"#).json["invitation"].text)
        Thread.sleep(forTimeInterval: 1.2)
        #expect(try failureToJoin(a, token: short).contains("expired"))
        let foreign = try #require(try other.post("/sync/invitations").json["invitation"].text)
        #expect(try failureToJoin(a, token: foreign).contains("invitation"))
        #expect(try failureToJoin(a, token: "nonsense").isEmpty == false)
        #expect(try failureToJoin(a, token: other.rootKey).isEmpty == false)
        #expect(try a.get("/sync/members").json["items"].items.count == 1)
        for body in [#"{"expires_in": 0}"#, #"{"expires_in": -1}"#, #"{"expires_in": "1"}"#, #"{"sync_paths": "x"}"#, #"{"what": 1}"#] {
            #expect(try a.post("/sync/invitations", body).status == 400, "\(body)")
        }
    }

    @Test func joinsWithTheRootKey() throws {
        let a = try RunningNode()
        let b = try RunningNode(["--join", a.url, "--join-token", a.rootKey])
        #expect(b.rootKey.isEmpty)
        try b.put("/files/f", "from B")
        try b.sync()
        #expect(try a.content("/f") == "from B")
        // The cluster's key is good on both.
        for node in [a, b] {
            let answer = try node.send("POST", "/auth/token", body: Array("{\"api_key\": \"\(a.rootKey)\"}".utf8), as: .nobody)
            #expect(answer.status == 200)
        }
    }

    /// The root key names no node: who has to answer can be said, and is told nothing otherwise.
    @Test(arguments: [false, true]) func joinsWhomItMeans(overTLS: Bool) throws {
        let tls = overTLS ? ["--tls"] : []
        let a = try RunningNode(tls)
        let other = try RunningNode(tls)
        let (id, wrong) = (try a.nodeID(), try other.nodeID())
        let directory = try TemporaryDirectory()
        let guest = try ChildProcess(
            ["serve", "--data", "data", "--port", "0", "--join", a.url, "--join-token", a.rootKey, "--join-fingerprint", wrong] + tls, in: directory.path)
        #expect(try guest.wait() == .exited(1))
        #expect(guest.errors.contains(id.prefix(12)) && guest.errors.contains("told nothing"), "\(guest.errors)")
        #expect(!guest.errors.contains(a.rootKey))
        #expect(try a.command("members", "--json").json["items"].items.count == 1)

        let b = try RunningNode(["--join", a.url, "--join-token", a.rootKey, "--join-fingerprint", id] + tls)
        #expect(!b.process.errors.contains("nobody vouches"))
        // Without it, it is said who was believed.
        let c = try RunningNode(["--join", a.url, "--join-token", a.rootKey] + tls)
        #expect(c.process.errors.contains("nobody vouches") && c.process.errors.contains(id), "\(c.process.errors)")
        let joined = try other.command("join", a.url, "--token", a.rootKey)
        #expect(joined.code == 0 && joined.output.contains(id) && joined.errors.contains("compare its id"), "\(joined)")
        #expect(try a.command("members", "--json").json["items"].items.count == 4)

        let process = try ChildProcess(
            ["serve", "--data", "d", "--port", "0", "--join", a.url, "--join-token", "x", "--join-fingerprint", "x"], in: directory.path)
        #expect(try process.wait() == .exited(2))
        let invitation = try a.command("invite").output.trimmingCharacters(in: .whitespacesAndNewlines)
        let late = try RunningNode(tls)
        #expect(try late.command("join", a.url, "--token", invitation, "--join-fingerprint", wrong).errors.contains("another's"))
        #expect(try late.command("join", a.url, "--token", invitation, "--join-fingerprint", id).code == 0)
    }

    /// A running node with files of its own joins another's cluster.
    @Test func joinsLater() throws {
        let a = try RunningNode()
        let b = try RunningNode()
        try a.put("/files/a", "A's")
        try b.put("/files/b", "B's")
        try a.put("/files/both", "A's")
        try b.put("/files/both", "B's")
        let invitation = try a.command("invite").output.trimmingCharacters(in: .whitespacesAndNewlines)
        #expect(try b.command("join", a.url, "--token", invitation).code == 0)
        try b.sync()
        #expect(try a.root() == b.root())
        #expect(try a.content("/b") == "B's")
        #expect(try b.content("/a") == "A's")
        #expect(try a.conflicts().count == 1)
        #expect(try a.status()["cluster_id"].text == b.status()["cluster_id"].text)
    }

    @Test func removedMembersAreShutOut() throws {
        let a = try RunningNode(["--label", "A"])
        let b = try RunningNode(joining: a, label: "B")
        let c = try RunningNode(joining: a, label: "C")
        try a.put("/files/f", "x")
        for node in [b, c] { try node.sync() }
        #expect(try c.post("/sync/peers", "{\"address\": \(quoted(b.url))}").status == 201)
        let grant = "{\"api_key\": \"\(a.rootKey)\"}"
        let ofB = try #require(try b.send("POST", "/auth/token", body: Array(grant.utf8), as: .nobody).json["token"].text)
        for node in [a, c] { #expect(try node.send("GET", "/files/f", as: .token(ofB)).status == 200) }

        #expect(try a.send("DELETE", "/sync/members/\(b.id())").status == 204)
        #expect(try a.send("GET", "/files/f", as: .token(ofB)).status == 401)
        #expect(try a.send("DELETE", "/sync/members/\(b.id())").status == 404)
        try b.put("/files/f", "written by B, who is out")
        let report = try b.trigger()[0]
        #expect(report["ok"].flag == false)
        #expect(report["error"].text?.isEmpty == false)
        #expect(try a.content("/f") == "x")

        // The others hear of it, refuse B's tokens, and take nothing more from it.
        _ = try c.post("/sync/trigger", "{\"peer\": \(quoted(a.id()))}")
        #expect(try c.send("GET", "/files/f", as: .token(ofB)).status == 401)
        _ = try c.trigger()
        #expect(try c.content("/f") == "x")
        #expect(try a.get("/sync/members").json["items"].items.count == 2)
    }

    @Test func peers() throws {
        let a = try RunningNode()
        let absent = try a.post("/sync/peers", #"{"address": "http://127.0.0.1:1", "label": "later"}"#)
        #expect(absent.status == 201, "\(absent.text)")
        let reports = try a.trigger()
        #expect(reports.count == 1 && reports[0]["ok"].flag == false)
        let peer = try a.get("/sync/peers").json["items"][0]
        #expect(peer["state"].text == "disconnected")
        #expect(peer["reason"].text?.isEmpty == false)
        for body in [#"{"address": "nonsense"}"#, #"{"address": "ftp://x"}"#, "{}", #"{"address": 1}"#, #"{"address": "http://a", "x": 1}"#] {
            #expect(try a.post("/sync/peers", body).status == 400, "\(body)")
        }
        #expect(try a.post("/sync/peers", "{\"address\": \(quoted(a.url))}").status < 500)

        let b = try RunningNode(joining: a)
        let id = try b.id()
        let changed = try a.send("PATCH", "/sync/peers/\(id)", body: Array(#"{"label": "renamed", "sync_paths": ["/docs/**"]}"#.utf8))
        #expect(changed.status == 200, "\(changed.text)")
        #expect(changed.json["label"].text == "renamed")
        #expect(changed.json["sync_paths"].items.map(\.text) == ["/docs/**"])
        #expect(try a.send("PATCH", "/sync/peers/\(id)", body: Array(#"{"color": "red"}"#.utf8)).status == 400)
        #expect(try a.send("PATCH", "/sync/peers/nonsense", body: Array("{}".utf8)).status == 400)
        #expect(try a.send("DELETE", "/sync/peers/\(id)").status == 204)
        #expect(try a.send("DELETE", "/sync/peers/\(id)").status == 404)
        #expect(try a.post("/sync/trigger", "{\"peer\": \"\(id)\"}").status == 404)
    }
}
