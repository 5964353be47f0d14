import Foundation
import Testing

@Suite("Events")
struct EventTests {
    struct Event {
        var id: String?
        var name: String
        var data: Document
    }

    /// A stream of events, read as it comes.
    final class Stream {
        private let connection: Connection

        init(_ node: RunningNode, _ query: String = "", _ headers: [String: String] = [:], as bearer: Bearer = .owner) throws {
            connection = try Connection(port: node.port, patience: 20)
            try connection.send(node.head("GET", "/events" + query, headers, as: bearer))
            let answer = try #require(try connection.readHead())
            #expect(answer.status == 200)
            #expect(answer["content-type"] == "text/event-stream")
        }

        /// The next event that is not a heartbeat; nil at the end.
        func next(heartbeats: Bool = false) throws -> Event? {
            var event = Event(id: nil, name: "", data: Document(nil))
            while let line = try connection.readChunkedLine() {
                if line.isEmpty {
                    if event.name.isEmpty || event.name == "heartbeat" && !heartbeats { continue }
                    return event
                }
                if line.hasPrefix("id: ") { event.id = String(line.dropFirst(4)) }
                if line.hasPrefix("event: ") { event.name = String(line.dropFirst(7)) }
                if line.hasPrefix("data: ") { event.data = Document(json: String(line.dropFirst(6))) }
            }
            return nil
        }

        func expect(_ name: String, _ location: SourceLocation = #_sourceLocation) throws -> Event {
            let event = try #require(try next(), sourceLocation: location)
            #expect(event.name == name, sourceLocation: location)
            return event
        }
    }

    @Test func commitsConflictsAndResolutions() throws {
        let a = try RunningNode()
        let b = try RunningNode(joining: a)
        let stream = try Stream(a, "?events=commit,conflict,resolved")
        #expect(try stream.expect("ready").data["root"].text == a.root())
        try a.put("/files/docs/f", "A's")
        let commit = try stream.expect("commit")
        #expect(commit.data["paths"].items.map(\.text) == ["/docs/f"])
        #expect(commit.data["root"].text == (try a.root()))
        try b.put("/files/docs/f", "B's")
        try b.sync()
        #expect(try stream.expect("commit").data["more"].flag == false)
        let conflict = try stream.expect("conflict")
        #expect(conflict.data["path"].text == "/docs/f")
        #expect(conflict.data["losers"].number == 1)
        #expect(try a.post("/sync/conflicts/docs/f", #"{"pick": "winner"}"#).status == 200)
        _ = try stream.expect("commit")
        #expect(try stream.expect("resolved").data["path"].text == "/docs/f")
    }

    @Test func heartbeatsHaveThreeFields() throws {
        let node = try RunningNode()
        let stream = try Stream(node, "?events=heartbeat")
        _ = try stream.expect("ready")
        let beat = try #require(try stream.next(heartbeats: true))
        #expect(beat.data.names == ["intent_time", "construct_time", "node_id"])
    }

    @Test func prefixes() throws {
        let node = try RunningNode()
        let stream = try Stream(node, "?events=commit&prefix=/wanted")
        _ = try stream.expect("ready")
        try node.put("/files/other/f", "1")
        try node.put("/files/wanted/f", "2")
        #expect(try stream.expect("commit").data["paths"].items.map(\.text) == ["/wanted/f"])
    }

    @Test func resuming() throws {
        let node = try RunningNode()
        let first = try Stream(node, "?events=commit")
        let start = try #require(try first.expect("ready").id)
        try node.put("/files/one", "1")
        let one = try #require(try first.expect("commit").id)
        try node.put("/files/two", "2")
        let two = try first.expect("commit")
        // After the first, the second; after the start, both; whatever names the place.
        let again = try Stream(node, "?events=commit", ["Last-Event-ID": one])
        // Whoever is cut off now goes on from where they were.
        #expect(try again.expect("ready").id == one)
        #expect(try again.expect("commit").id == two.id)
        let all = try Stream(node, "?events=commit&last_event_id=\(start)")
        #expect(try all.expect("ready").id == start)
        #expect(try all.expect("commit").id == one)
        // What is of another run, or never was, cannot be gone on from.
        for id in ["0123456789abcdef-1", "nonsense", one + "000000", start.prefix(17) + "18446744073709551615"] {
            let lost = try Stream(node, "?events=commit", ["Last-Event-ID": id])
            _ = try lost.expect("ready")
            _ = try lost.expect("resync")
        }
    }

    @Test func rulesHold() throws {
        let node = try RunningNode()
        let made = try node.post("/auth/keys", #"{"label": "k", "rules": [{"path": "/assets/**", "allow": ["read", "list"]}]}"#)
        let key = try #require(made.json["api_key"].text)
        let id = try #require(made.json["id"].text)
        let grant = try node.send("POST", "/auth/token", body: Array("{\"api_key\": \"\(key)\"}".utf8), as: .nobody)
        let token = try #require(grant.json["token"].text)
        let stream = try Stream(node, "", as: .token(token))
        let ready = try stream.expect("ready")
        #expect(ready.data["root"].isNull && ready.data["head"].isNull && ready.data["system_root"].isNull)
        try node.put("/files/secret/f", "1")
        try node.put("/files/assets/f", "2")
        let commit = try stream.expect("commit")
        #expect(commit.data["paths"].items.map(\.text) == ["/assets/f"])
        #expect(commit.data["root"].isNull && commit.data["head"].isNull && commit.data["system_root"].isNull)
        // The stream ends with the key.
        #expect(try node.send("DELETE", "/auth/keys/\(id)").status == 204)
        #expect(try stream.next() == nil)
    }

    @Test func badRequests() throws {
        let node = try RunningNode()
        for query in ["?events=what", "?prefix=x", "?prefix=/../x", "?paths=1", "?color=red"] {
            #expect(try node.get("/events" + query).status == 400, "\(query)")
        }
        #expect(try node.send("GET", "/events", as: .nobody).status == 401)
        #expect(try node.send("POST", "/events").status == 405)
    }

    @Test func endWithTheNode() throws {
        let node = try RunningNode()
        let stream = try Stream(node)
        _ = try stream.expect("ready")
        #expect(try node.stop() == .exited(0))
        #expect(try stream.next() == nil)
    }
}
