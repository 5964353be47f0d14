import Foundation
import Testing

@Suite("Files: put, get, delete")
struct FilesTests {
    @Test func putCreatesAndReplaces() throws {
        let node = try RunningNode()
        let created = try node.put("/files/docs/plan.txt", "first")
        #expect(created.status == 201)
        #expect(created["content-type"] == "application/json")
        #expect(created.json["path"].text == "/docs/plan.txt")
        #expect(created.json["size"].number == 5)
        #expect(created.json["content_type"].text?.hasPrefix("text/plain") == true)
        let hash = try #require(created.json["content_hash"].text)
        #expect(hash.count == 64 && hash == hash.lowercased())
        #expect(created.json["version"].text?.isEmpty == false)
        #expect(created.json["modified_at"].text?.firstMatch(of: /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/) != nil)

        let replaced = try node.put("/files/docs/plan.txt", "second")
        #expect(replaced.status == 200)
        #expect(replaced.json["content_hash"].text != hash)
        #expect(replaced.json["version"].text != created.json["version"].text)
        #expect(try node.content("/docs/plan.txt") == "second")
        // The same bytes have the same hash, wherever they are.
        #expect(try node.put("/files/elsewhere", "first").json["content_hash"].text == hash)
    }

    @Test func headersOfAFile() throws {
        let node = try RunningNode()
        let put = try node.put("/files/a.bin", "0123456789", ["Content-Type": "application/x-thing; v=\"1\""])
        let hash = try #require(put.json["content_hash"].text)
        for method in ["GET", "HEAD"] {
            let answer = try node.send(method, "/files/a.bin")
            #expect(answer.status == 200)
            #expect(answer["etag"] == "\"\(hash)\"")
            #expect(answer["accept-ranges"] == "bytes")
            #expect(answer["content-type"] == "application/x-thing; v=\"1\"")
            #expect(answer["content-length"] == "10")
            #expect(answer["pando-version"] == put.json["version"].text)
            #expect(answer["pando-conflicts"] == nil)
            #expect(answer["last-modified"]?.firstMatch(of: /^\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT$/) != nil)
            #expect(answer.text == (method == "GET" ? "0123456789" : ""))
        }
        #expect(try node.get("/sync/peers").json["items"].items.isEmpty)
    }

    @Test func conditionsOfWrites() throws {
        let node = try RunningNode()
        let first = try #require(try node.put("/files/a", "1").json["content_hash"].text)
        #expect(try node.put("/files/a", "2", ["If-None-Match": "*"]).status == 412)
        #expect(try node.put("/files/b", "2", ["If-None-Match": "*"]).status == 201)
        #expect(try node.put("/files/a", "2", ["If-Match": "\"\(String(repeating: "0", count: 64))\""]).status == 412)
        #expect(try node.put("/files/nothing", "2", ["If-Match": "\"\(first)\""]).status == 412)
        #expect(try node.put("/files/nothing", "2", ["If-Match": "*"]).status == 412)
        #expect(try node.content("/a") == "1")
        #expect(try node.put("/files/a", "2", ["If-Match": "\"\(first)\""]).status == 200)
        #expect(try node.put("/files/a", "3", ["If-Match": "\"\(first)\""]).status == 412)
        #expect(try node.put("/files/a", "3", ["If-Match": "not quoted"]).status == 400)
        #expect(try node.send("DELETE", "/files/a", ["If-Match": "\"\(first)\""]).status == 412)
        #expect(try node.content("/a") == "2")
        // Large ones are refused before they are sent.
        let refused = try node.send("PUT", "/files/a", ["If-None-Match": "*"], body: noise(3 << 20, seed: 1))
        #expect(refused.status == 412)
        #expect(try node.content("/a") == "2")
    }

    @Test func conditionsOfReads() throws {
        let node = try RunningNode()
        let hash = try #require(try node.put("/files/a", "0123456789").json["content_hash"].text)
        let same = try node.get("/files/a", ["If-None-Match": "\"x\", W/\"\(hash)\""])
        #expect(same.status == 304)
        #expect(same["etag"] == "\"\(hash)\"")
        #expect(same.body.isEmpty)
        #expect(try node.get("/files/a", ["If-None-Match": "*"]).status == 304)
        #expect(try node.send("HEAD", "/files/a", ["If-None-Match": "\"\(hash)\""]).status == 304)
        #expect(try node.get("/files/a", ["If-None-Match": "\"\(String(repeating: "1", count: 64))\""]).status == 200)
        #expect(try node.get("/files/a", ["If-Match": "\"\(String(repeating: "1", count: 64))\""]).status == 412)

        let part = try node.get("/files/a", ["Range": "bytes=2-4", "If-Range": "\"\(hash)\""])
        #expect(part.status == 206 && part.text == "234")
        let whole = try node.get("/files/a", ["Range": "bytes=2-4", "If-Range": "\"\(String(repeating: "1", count: 64))\""])
        #expect(whole.status == 200 && whole.text == "0123456789")
        let modified = try #require(try node.get("/files/a")["last-modified"])
        #expect(try node.get("/files/a", ["Range": "bytes=2-4", "If-Range": modified]).status == 206)
        #expect(try node.get("/files/a", ["Range": "bytes=2-4", "If-Range": "Mon, 01 Jan 2001 00:00:00 GMT"]).status == 200)
        #expect(try node.get("/files/a", ["If-Modified-Since": modified]).status == 304)
    }

    @Test func ranges() throws {
        let node = try RunningNode()
        // Several chunks, so that ranges begin and end within some and across others.
        let bytes = noise(3 << 20, seed: 7)
        #expect(try node.send("PUT", "/files/big", body: bytes).status == 201)
        try node.put("/files/small", "0123456789")
        let size = bytes.count
        for (range, expected) in [
            ("bytes=0-0", 0..<1), ("bytes=5-", 5..<size), ("bytes=-7", size - 7..<size), ("bytes=100-200", 100..<201),
            ("bytes=1000000-2500000", 1_000_000..<2_500_001), ("bytes=\(size - 1)-", size - 1..<size),
            ("bytes=10-\(size * 2)", 10..<size), ("bytes=-\(size * 2)", 0..<size), ("BYTES=3-4", 3..<5),
            ("bytes=0-99999999999999999999999", 0..<size),
        ] {
            let answer = try node.get("/files/big", ["Range": range])
            #expect(answer.status == 206, "\(range)")
            #expect(answer["content-range"] == "bytes \(expected.lowerBound)-\(expected.upperBound - 1)/\(size)", "\(range)")
            #expect(answer["content-length"] == String(expected.count), "\(range)")
            #expect(answer.body == Array(bytes[expected]), "\(range)")
        }
        for range in ["bytes=10-", "bytes=10-20", "bytes=-0", "bytes=99999999999999999999999-"] {
            let answer = try node.get("/files/small", ["Range": range])
            #expect(answer.status == 416, "\(range)")
            #expect(answer["content-range"] == "bytes */10", "\(range)")
            #expect(answer["content-type"] == "application/problem+json", "\(range)")
        }
        // What is no range, or several, is answered with the whole.
        for range in ["bytes=5-2", "bytes=", "bytes=a-b", "bytes=-", "lines=1-2", "5-7", "bytes=0-1,3-4", "bytes=--1", "bytes=1-2-3"] {
            let answer = try node.get("/files/small", ["Range": range])
            #expect(answer.status == 200 && answer.text == "0123456789", "\(range)")
        }
        try node.put("/files/empty", "")
        #expect(try node.get("/files/empty", ["Range": "bytes=0-"]).status == 416)
    }

    @Test(arguments: [0, 1, 65_535, 65_536, 65_537, 1 << 20, 5 << 20])
    func sizes(_ size: Int) throws {
        let node = try RunningNode()
        let bytes = noise(size, seed: UInt64(size))
        let put = try node.send("PUT", "/files/x", body: bytes)
        #expect(put.status == 201)
        #expect(put.json["size"].number == size)
        let got = try node.get("/files/x")
        #expect(got.body == bytes)
        #expect(got["content-length"] == String(size))
        // The same without an announced length.
        let connection = try Connection(port: node.port)
        try connection.send(node.head("PUT", "/files/chunked", ["Transfer-Encoding": "chunked"]))
        for start in stride(from: 0, to: size, by: 100_000) {
            let piece = bytes[start..<min(start + 100_000, size)]
            try connection.send(String(piece.count, radix: 16) + "\r\n")
            try connection.send(Array(piece))
            try connection.send("\r\n")
        }
        try connection.send("0\r\n\r\n")
        let chunked = try #require(try connection.readAnswer())
        #expect(chunked.status == 201)
        #expect(chunked.json["content_hash"].text == put.json["content_hash"].text)
        #expect(try node.get("/files/chunked").body == bytes)
    }

    @Test func names() throws {
        let node = try RunningNode()
        for (target, path) in [
            ("/files/with%20space", "/with space"), ("/files/a+b", "/a+b"), ("/files/100%25", "/100%"), ("/files/%2525", "/%25"),
            ("/files/gr%C3%BC%C3%9Fe/%E6%97%A5%E6%9C%AC", "/grüße/日本"), ("/files/q%3Fx%23y", "/q?x#y"), ("/files/%22%5C%0A%09", "/\"\\\n\t"),
            ("/files/%F0%9F%8C%B3.txt", "/🌳.txt"), ("/files/-", "/-"), ("/files/...", "/..."), ("/files/.hidden", "/.hidden"),
            ("/files/" + String(repeating: "n", count: 255), "/" + String(repeating: "n", count: 255)), ("/files/%7F%01", "/\u{7f}\u{1}"),
            ("/files/copy/x", "/copy/x"), ("/files/a;b=c&d", "/a;b=c&d"),
        ] {
            let answer = try node.put(target, path)
            #expect(answer.status == 201, "\(target): \(answer.text)")
            #expect(answer.json["path"].text == path)
            #expect(try node.get(target).text == path)
        }
        // Escaped and plain letters name the same file.
        #expect(try node.get("/files/%61%2Bb").text == "/a+b")
        let listed = try node.get("/files/?recursive=true").json["items"].items.compactMap { $0["path"].text }
        #expect(listed.contains("/grüße/日本") && listed.contains("/\"\\\n\t") && listed.contains("/100%"))
    }

    @Test func directories() throws {
        let node = try RunningNode()
        let made = try node.send("PUT", "/files/empty/dir/", body: [])
        #expect(made.status == 201)
        #expect(made.json["kind"].text == "directory")
        #expect(try node.send("PUT", "/files/empty/dir/", body: []).status == 200)
        #expect(try node.get("/files/empty/dir").json["items"].items.isEmpty)
        #expect(try node.send("PUT", "/files/d/", body: [1]).status == 400)
        #expect(try node.get("/files/d/").status == 404)
        // A directory and a file do not stand in the same place.
        try node.put("/files/file", "x")
        #expect(try node.put("/files/empty", "x").status == 409)
        #expect(try node.put("/files/empty/dir", "x").status == 409)
        #expect(try node.put("/files/file/below", "x").status == 409)
        #expect(try node.send("PUT", "/files/file/", body: []).status == 409)
        #expect(try node.send("PUT", "/files/file/below/deep/", body: []).status == 409)
        #expect(try node.put("/files/", "x").status == 400)
        #expect(try node.send("PUT", "/files/", body: []).status < 500)
        #expect(try node.get("/files/file/").status == 404)
        #expect(try node.get("/files/file/below").status == 404)
        let root = try node.get("/files/")
        #expect(root.status == 200)
        #expect(Set(root.json["items"].items.compactMap { $0["name"].text }) == ["empty", "file"])
    }

    @Test func deletes() throws {
        let node = try RunningNode()
        try node.put("/files/d/a", "1")
        try node.put("/files/d/e/b", "2")
        try node.put("/files/f", "3")
        let gone = try node.send("DELETE", "/files/f")
        #expect(gone.status == 204 && gone.body.isEmpty)
        #expect(try node.send("DELETE", "/files/f").status == 404)
        #expect(try node.get("/files/f").status == 404)
        #expect(try node.send("HEAD", "/files/f").status == 404)
        #expect(try node.send("DELETE", "/files/d").status == 409)
        #expect(try node.send("DELETE", "/files/d?recursive=false").status == 409)
        #expect(try node.content("/d/e/b") == "2")
        #expect(try node.send("DELETE", "/files/d?recursive=true").status == 204)
        #expect(try node.get("/files/d").status == 404)
        #expect(try node.get("/files/d/e/b").status == 404)
        _ = try node.send("PUT", "/files/empty/", body: [])
        #expect(try node.send("DELETE", "/files/empty").status == 204)
        #expect(try node.get("/files/empty").status == 404)
        #expect(try node.status()["files"].number == 0)
        // What was deleted can be written again, also as the other kind.
        #expect(try node.put("/files/d", "now a file").status == 201)
        #expect(try node.put("/files/f/in", "now in a directory").status == 201)
    }
}
