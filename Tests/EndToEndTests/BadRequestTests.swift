import Foundation
import Testing

/// Checks that an answer says no, as every refusal does.
func expectRefusal(_ answer: Answer, _ statuses: Int..., what: String, location: SourceLocation = #_sourceLocation) {
    let what = Comment(rawValue: "\(what): \(answer.status) \(answer.text.prefix(300))")
    #expect(statuses.contains(answer.status), what, sourceLocation: location)
    #expect(answer["content-type"] == "application/problem+json", what, sourceLocation: location)
    let problem = answer.json
    #expect(problem["status"].number == answer.status, what, sourceLocation: location)
    for field in ["type", "title", "detail"] { #expect(problem[field].text?.isEmpty == false, what, sourceLocation: location) }
}

@Suite("Bad requests change nothing")
struct BadRequestTests {
    /// Runs requests against a node with some content, and checks that it is what it was before, and works.
    func unchanged(_ body: (RunningNode) throws -> Void) throws {
        let node = try RunningNode()
        try node.put("/files/f", "content")
        try node.put("/files/d/g", "more")
        let root = try node.root()
        try body(node)
        #expect(try node.root() == root)
        #expect(try node.content("/f") == "content")
        #expect(try node.put("/files/after", "still working").status == 201)
        #expect(!node.process.errors.contains("error"), "\(node.process.errors.suffix(2000))")
        #expect(try node.stop() == .exited(0))
    }

    /// The bytes of a request target as they are, UTF-8 or not.
    func send(_ node: RunningNode, _ method: String, target: [UInt8]) throws -> Answer? {
        let connection = try Connection(port: node.port)
        try connection.send(
            Array("\(method) ".utf8) + target
                + Array(" HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer \(node.token)\r\nContent-Length: 1\r\nConnection: close\r\n\r\nx".utf8))
        return try connection.readAnswer(isHead: method == "HEAD")
    }

    @Test func paths() throws {
        try unchanged { node in
            let long = String(repeating: "n", count: 256)
            let deep = String(repeating: "/" + String(repeating: "d", count: 240), count: 18)
            for target in [
                "/files/%FF", "/files/a%C3%28", "/files/%C0%AF", "/files/%ED%A0%80", "/files/%", "/files/%4", "/files/%zz", "/files/..",
                "/files/../f", "/files/d/../f", "/files/d/./g", "/files/.", "/files/%2e%2e", "/files/d/%2E%2E/f", "/files/%2e", "/files/a%00b",
                "/files/%00", "/files//f", "/files/d//g", "/files/a%2Fb", "/files/\(long)", "/files/d/\(long)/x", "/files\(deep)",
                // A letter and a combining accent; a Kelvin sign.
                "/files/u%CC%88", "/files/%E2%84%AA",
            ] {
                for method in ["GET", "PUT", "DELETE"] {
                    let answer = try node.send(method, target, body: method == "PUT" ? [1] : nil)
                    expectRefusal(answer, 400, what: "\(method) \(target.prefix(60))")
                }
                expectRefusal(try node.send("PATCH", target, body: Array(#"{"to": "/x"}"#.utf8)), 400, what: "PATCH \(target.prefix(60))")
                #expect(try node.send("HEAD", target).status == 400, "\(target.prefix(60))")
            }
            for path in ["..", "/..", "/a/../b", "", "f", "//", "/a//b", "/a\u{0}b", "/" + long, deep, "/u\u{308}"] {
                expectRefusal(try node.send("PATCH", "/files/f", body: Array("{\"to\": \(quoted(path))}".utf8)), 400, what: "to \(path.prefix(40))")
                expectRefusal(try node.post("/files/copy", "{\"from\": \"/f\", \"to\": \(quoted(path))}"), 400, what: "copy to \(path.prefix(40))")
                expectRefusal(try node.post("/files/copy", "{\"to\": \"/n\", \"from\": \(quoted(path))}"), 400, what: "copy from \(path.prefix(40))")
            }
            // Bytes that are no UTF-8, unescaped.
            for method in ["GET", "PUT", "DELETE"] {
                let answer = try send(node, method, target: Array("/files/".utf8) + [0xff, 0xfe])
                #expect(answer.map { $0.status == 400 } ?? true, "\(method): \(answer?.status ?? 0)")
            }
        }
    }

    @Test func brokenHTTP() throws {
        try unchanged { node in
            let put = "PUT /files/f HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer \(node.token)\r\n"
            for (what, request) in [
                ("two lengths", put + "Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd"),
                ("a negative length", put + "Content-Length: -1\r\n\r\n"),
                ("a length of letters", put + "Content-Length: abc\r\n\r\n"),
                ("a length with a plus", put + "Content-Length: +3\r\n\r\nabc"),
                ("a length without end", put + "Content-Length: 99999999999999999999999\r\n\r\n"),
                ("a length and chunks", put + "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
                ("a chunk of letters", put + "Transfer-Encoding: chunked\r\n\r\nzz\r\nabc\r\n0\r\n\r\n"),
                ("a negative chunk", put + "Transfer-Encoding: chunked\r\n\r\n-3\r\nabc\r\n0\r\n\r\n"),
                ("a chunk that is longer than it says", put + "Transfer-Encoding: chunked\r\n\r\n2\r\nabcdef\r\n0\r\n\r\n"),
                ("an unknown coding", put + "Transfer-Encoding: gzip\r\n\r\nabc"),
                ("no HTTP", "hello\r\n\r\n"), ("another version", "GET /files/ HTTP/7.5\r\n\r\n"), ("no target", "GET\r\n\r\n"),
                ("a space in a field", "GET /health/live HTTP/1.1\r\nHost : x\r\n\r\n"), ("TLS", "\u{16}\u{3}\u{1}\u{2}\u{0}\u{1}\u{0}\u{1}\r\n\r\n"),
                ("a huge field", "GET /health/live HTTP/1.1\r\nX: \(String(repeating: "x", count: 100_000))\r\n\r\n"),
                ("many fields", "GET /health/live HTTP/1.1\r\n\(String(repeating: "X: y\r\n", count: 5000))\r\n"),
                ("a huge target", "GET /\(String(repeating: "x", count: 100_000)) HTTP/1.1\r\n\r\n"),
            ] {
                let connection = try Connection(port: node.port)
                try? connection.send(request)
                connection.finishSending()
                // Some are not worth an answer; none is a success or the node's own failure.
                if let answer = try connection.readAnswer() { #expect((400..<500).contains(answer.status), "\(what): \(answer.status)") }
            }
        }
    }

    @Test func headsThatAreRefused() throws {
        try unchanged { node in
            let put = "PUT /files/f HTTP/1.1\r\nAuthorization: Bearer \(node.token)\r\n"
            for (what, status, request) in [
                ("two codings", 415, put + "Host: x\r\nTransfer-Encoding: gzip, chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"),
                ("codings in two fields", 415, put + "Host: x\r\nTransfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"),
                ("no host", 400, put + "Content-Length: 3\r\n\r\nabc"),
                ("two hosts", 400, put + "Host: x\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc"),
                ("two hosts of old", 400, "GET /health/live HTTP/1.0\r\nHost: x\r\nHost: y\r\n\r\n"),
                ("many fields", 431, "GET /health/live HTTP/1.1\r\nHost: x\r\n\(String(repeating: "X: y\r\n", count: 101))\r\n"),
            ] {
                let connection = try Connection(port: node.port)
                try connection.send(request)
                let answer = try #require(try connection.readAnswer(), "\(what)")
                expectRefusal(answer, status, what: what)
                #expect(answer["connection"] == "close", "\(what)")
                if status == 431 { #expect(answer.text.contains("100 fields")) }
                #expect(try connection.readAnswer() == nil, "\(what)")
            }
            // What came before is still answered.
            let connection = try Connection(port: node.port)
            try connection.send(node.head("GET", "/files/f") + put + "Content-Length: 3\r\n\r\nabc")
            #expect(try connection.readAnswer()?.status == 200)
        }
    }

    /// A client of HTTP/1.0 knows the end of a body by its length or by the connection's end, and never reads chunks.
    @Test func oldClients() throws {
        let node = try RunningNode()
        try node.put("/files/f", "content")
        let fields = "Authorization: Bearer \(node.token)\r\n"
        for request in [
            "GET /files/f HTTP/1.0\r\n\(fields)\r\n", "GET /files/f HTTP/1.0\r\nConnection: keep-alive\r\n\(fields)\r\n",
            "PUT /files/g HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\(fields)\r\nabc", "GET /nothing HTTP/1.0\r\n\r\n",
        ] {
            let connection = try Connection(port: node.port)
            try connection.send(request)
            let text = String(decoding: try connection.readToEnd(), as: UTF8.self)
            #expect(text.hasPrefix("HTTP/1.0 ") && text.lowercased().contains("connection: close"), "\(text)")
            #expect(!text.contains("HTTP/1.1 100"), "\(text)")
        }
        let order = try node.post("/archives", #"{"paths": ["/f"], "format": "tar"}"#)
        let connection = try Connection(port: node.port)
        try connection.send("GET \(order.json["url"].text ?? "") HTTP/1.0\r\n\(fields)\r\n")
        let bytes = try connection.readToEnd()
        let body = bytes.firstRange(of: Array("\r\n\r\n".utf8)).map { Array(bytes[$0.upperBound...]) } ?? []
        #expect(!String(decoding: bytes, as: UTF8.self).lowercased().contains("transfer-encoding"))
        #expect(body.count % 512 == 0 && body.starts(with: Array("f\0".utf8)), "\(order.text)")
    }

    @Test func shortBodies() throws {
        try unchanged { node in
            let bytes = noise(1 << 20, seed: 9)
            for length in [1, 1000, 70_000, 500_000] {
                for isReset in [false, true] {
                    for target in ["/files/f", "/files/new", "/bulk/objects", "/bulk/commit", "/bulk/missing"] {
                        let connection = try Connection(port: node.port)
                        try connection.send(node.head(target.hasPrefix("/files") ? "PUT" : "POST", target, length: bytes.count))
                        try connection.send(Array(bytes[..<length]))
                        if isReset {
                            connection.reset()
                        } else {
                            connection.finishSending()
                            if let answer = try connection.readAnswer() { expectRefusal(answer, 400, what: "\(target) \(length)") }
                        }
                    }
                }
            }
            // In the middle of a chunk, and between two.
            for end in ["", "10000\r\nabc", "3\r\nabc\r\n", "3\r\nabc\r\n0\r\n"] {
                let connection = try Connection(port: node.port)
                try connection.send(node.head("PUT", "/files/new", ["Transfer-Encoding": "chunked"]) + end)
                connection.finishSending()
                if let answer = try connection.readAnswer() { #expect(answer.status == 400, "\(end)") }
            }
            #expect(try node.get("/files/new").status == 404)
        }
    }

    /// What stands behind a body is the next request, and no part of the file.
    @Test func longBodies() throws {
        let node = try RunningNode()
        let connection = try Connection(port: node.port)
        try connection.send(node.head("PUT", "/files/f", length: 3) + "abcdef\r\n\r\n")
        #expect(try connection.readAnswer()?.status == 201)
        if let next = try connection.readAnswer() { #expect(next.status == 400) }
        #expect(try node.content("/f") == "abc")
    }

    @Test func brokenJSON() throws {
        try unchanged { node in
            let deep = String(repeating: "[", count: 100_000)
            for target in ["/files/copy", "/sync/peers", "/sync/diff", "/auth/token", "/auth/refresh", "/sync/join", "/sync/heartbeat"] {
                for body in [
                    "", "{", "[]", "null", "\"x\"", "1", "{\"a\":}", "{\"a\" 1}", "{'a': 1}", "{\"a\": 1,}", "{\"a\": 1} x", "{\"a\": 1, \"a\": 2}",
                    "{\"a\": NaN}", "{\"a\": 01}", "{\"a\": \"\u{1}\"}", "{\"a\": \"\\x\"}", "{\"a\": \"\\ud800\"}", deep, "{\"unknown\": true}", "\u{feff}{}",
                ] {
                    expectRefusal(try node.post(target, body), 400, what: "\(target) \(body.prefix(30))")
                }
                expectRefusal(try node.send("POST", target, body: [0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d]), 400, what: target)
                expectRefusal(try node.send("POST", target, body: [UInt8](repeating: 0x20, count: 2 << 20)), 413, what: "\(target) too large")
            }
            for target in ["/sync/trigger", "/sync/invitations", "/sync/conflicts/f"] {
                for body in ["{", "[]", "{\"unknown\": true}"] { expectRefusal(try node.post(target, body), 400, what: "\(target) \(body)") }
            }
        }
    }

    @Test func methodsAndRoutes() throws {
        try unchanged { node in
            for (method, target) in [
                ("POST", "/files/f"), ("PUT", "/sync/status"), ("DELETE", "/sync/status"), ("GET", "/auth/token"),
                ("PUT", "/sync/peers"), ("GET", "/sync/trigger"), ("GET", "/bulk/missing"), ("GET", "/sync/nodes"),
                ("OPTIONS", "/files/f"), ("POST", "/health/live"), ("PATCH", "/sync/conflicts/f"),
            ] {
                let answer = try node.send(method, target, body: method == "GET" ? nil : [])
                expectRefusal(answer, 405, what: "\(method) \(target)")
                #expect(answer["allow"]?.isEmpty == false, "\(method) \(target)")
            }
            for target in ["/nothing", "/file/f", "/sync", "/sync/", "/sync/statusx", "/sync/status/x", "/filesx", "/FILES/f", "//files/f", "/.system/members"] {
                expectRefusal(try node.get(target), 404, what: target)
            }
            for target in ["/sync/status?x=1", "/sync/peers?limit=5&x", "/files/f?bogus=1", "/sync/conflicts?bogus=1", "/sync/members?x=1"] {
                expectRefusal(try node.get(target), 400, what: target)
            }
            for target in ["/files/f?x=1", "/files/new?x=1"] { expectRefusal(try node.put(target, "x"), 400, what: target) }
            expectRefusal(try node.send("DELETE", "/files/f?recursive=maybe"), 400, what: "recursive=maybe")
            for (field, value) in [
                ("Content-Type", "nonsense"), ("Content-Type", "a/b\u{7f}"), ("Pando-Modified-At", "yesterday"), ("Pando-Executable", "yes"),
                ("Content-Range", "bytes 0-1/2"), ("If-Match", "x"), ("If-None-Match", "\"x\""), ("Content-Encoding", "gzip"), ("Expect", "the unexpected"),
            ] {
                let answer = try node.put("/files/f", "x", [field: value])
                #expect((400..<500).contains(answer.status), "\(field): \(value): \(answer.status)")
            }
        }
    }
}
