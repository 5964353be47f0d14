import Foundation
import Testing

@Suite("Files: listings, moves, copies and what is hidden")
struct ListingTests {
    @Test func items() throws {
        let node = try RunningNode()
        try node.put("/files/d/one", "1")
        try node.put("/files/d/two", "22")
        let file = try node.put("/files/f.json", "{}").json
        let listing = try node.get("/files/").json
        #expect(listing["next"].isNull && listing.names.contains("next"))
        let items = listing["items"].items
        #expect(items.map { $0["name"].text } == ["d", "f.json"])
        #expect(items[0]["kind"].text == "directory")
        #expect(items[0]["files"].number == 2)
        #expect(items[0]["size"].number == 3)
        #expect(items[1]["kind"].text == "file")
        #expect(items[1]["path"].text == "/f.json")
        #expect(items[1]["size"].number == 2)
        #expect(items[1]["content_type"].text == "application/json")
        #expect(items[1]["content_hash"].text == file["content_hash"].text)
        #expect(items[1]["modified_at"].text == file["modified_at"].text)
        #expect(items[1]["node"].text == (try node.id()))
        #expect(items[1]["conflicts"].number == 0)
        #expect(try node.status()["files"].number == 3)
        #expect(try node.status()["bytes"].number == 5)
    }

    @Test(arguments: [1, 2, 7, 23, 24, 10_000])
    func pages(_ limit: Int) throws {
        let node = try RunningNode()
        var expected: [String] = []
        for index in 0..<20 {
            try node.put("/files/d/\(index % 3)/f\(index)", "x")
            expected.append("/d/\(index % 3)/f\(index)")
        }
        expected += ["/d", "/d/0", "/d/1", "/d/2"]
        var found: [String] = []
        var cursor: String?
        repeat {
            let after = cursor.map { "&after=\($0)" } ?? ""
            let answer = try node.get("/files/?recursive=true&limit=\(limit)\(after)")
            #expect(answer.status == 200)
            let items = answer.json["items"].items
            #expect(items.count <= limit)
            found += items.compactMap { $0["path"].text }
            cursor = answer.json["next"].text
        } while cursor != nil && found.count <= expected.count
        #expect(found.count == expected.count)
        #expect(Set(found) == Set(expected))
    }

    @Test func globs() throws {
        let node = try RunningNode()
        for path in ["/a.txt", "/b.txt", "/c.md", "/docs/d.txt", "/docs/deep/e.txt", "/docs/deep/ff.txt"] { try node.put("/files" + path, "x") }
        func found(_ target: String) throws -> Set<String> {
            let answer = try node.get(target)
            #expect(answer.status == 200, "\(target): \(answer.text)")
            return Set(answer.json["items"].items.compactMap { $0["path"].text })
        }
        #expect(try found("/files/?glob=*.txt") == ["/a.txt", "/b.txt"])
        #expect(try found("/files/?glob=%3F.txt") == ["/a.txt", "/b.txt"])
        #expect(try found("/files/docs?glob=**/%3F.txt") == ["/docs/d.txt", "/docs/deep/e.txt"])
        #expect(try found("/files/?glob=/docs/**/*.txt") == ["/docs/d.txt", "/docs/deep/e.txt", "/docs/deep/ff.txt"])
        #expect(try found("/files/?recursive=true&glob=*.txt").isSuperset(of: ["/a.txt", "/docs/d.txt", "/docs/deep/ff.txt"]))
        #expect(try found("/files/?glob=nothing*").isEmpty)
        #expect(try found("/files/docs/deep") == ["/docs/deep/e.txt", "/docs/deep/ff.txt"])
    }

    @Test func badListings() throws {
        let node = try RunningNode()
        try node.put("/files/f", "x")
        for target in [
            "/files/?limit=0", "/files/?limit=10001", "/files/?limit=-1", "/files/?limit=x", "/files/?after=%21%21", "/files/?after=AAAA",
            "/files/?recursive=yes", "/files/?unknown=1", "/files/?limit=1&limit=2", "/files/f?recursive=true", "/files/?glob=%FF",
            "/files/f?what=1",
        ] {
            #expect(try node.get(target).status == 400, "\(target)")
        }
        #expect(try node.get("/files/nothing/").status == 404)
    }

    @Test func movesFiles() throws {
        let node = try RunningNode()
        let hash = try node.put("/files/a", "1").json["content_hash"].text
        try node.put("/files/b", "2")
        let moved = try node.send("PATCH", "/files/a", body: Array(#"{"to": "/new/place"}"#.utf8))
        #expect(moved.status == 200, "\(moved.text)")
        #expect(moved.json["path"].text == "/new/place")
        #expect(moved.json["content_hash"].text == hash)
        #expect(try node.get("/files/a").status == 404)
        #expect(try node.content("/new/place") == "1")
        #expect(try node.send("PATCH", "/files/b", body: Array(#"{"to": "/new/place"}"#.utf8)).status == 409)
        #expect(try node.content("/b") == "2")
        #expect(try node.send("PATCH", "/files/b", body: Array(#"{"to": "/new/place", "replace": true}"#.utf8)).status == 200)
        #expect(try node.content("/new/place") == "2")
        #expect(try node.send("PATCH", "/files/nothing", body: Array(#"{"to": "/x"}"#.utf8)).status == 404)
        #expect(try node.send("PATCH", "/files/new/place", body: Array(#"{"to": "/new/place/below"}"#.utf8)).status == 400)
        for body in ["", "{}", #"{"to": 1}"#, #"{"to": "relative"}"#, #"{"to": "/a/../b"}"#, #"{"to": "/x", "more": 1}"#, #"{"to": "/x", "replace": "yes"}"#] {
            #expect(try node.send("PATCH", "/files/new/place", body: Array(body.utf8)).status == 400, "\(body)")
        }
        #expect(try node.content("/new/place") == "2")
    }

    @Test func movesDirectories() throws {
        let node = try RunningNode()
        for index in 0..<30 { try node.put("/files/from/\(index % 4)/\(index)", "\(index)") }
        _ = try node.send("PUT", "/files/from/empty/", body: [])
        try node.put("/files/other/x", "x")
        #expect(try node.send("PATCH", "/files/from", body: Array(#"{"to": "/from/below"}"#.utf8)).status == 400)
        #expect(try node.send("PATCH", "/files/from", body: Array(#"{"to": "/other"}"#.utf8)).status == 409)
        #expect(try node.send("PATCH", "/files/from", body: Array(#"{"to": "/to/here"}"#.utf8)).status == 200)
        #expect(try node.get("/files/from").status == 404)
        for index in 0..<30 { #expect(try node.content("/to/here/\(index % 4)/\(index)") == "\(index)") }
        #expect(try node.get("/files/to/here/empty").json["items"].items.isEmpty)
        #expect(try node.send("PATCH", "/files/to/here", body: Array(#"{"to": "/other", "replace": true}"#.utf8)).status == 200)
        #expect(try node.get("/files/other/x").status == 404)
        #expect(try node.content("/other/3/3") == "3")
        #expect(try node.status()["files"].number == 30)
    }

    @Test func copies() throws {
        let node = try RunningNode()
        let bytes = noise(2 << 20, seed: 3)
        _ = try node.send("PUT", "/files/d/big", body: bytes)
        try node.put("/files/d/e/small", "x")
        let copied = try node.post("/files/copy", #"{"from": "/d/big", "to": "/copy of big"}"#)
        #expect(copied.status == 201, "\(copied.text)")
        #expect(copied.json["path"].text == "/copy of big")
        #expect(try node.get("/files/copy%20of%20big").body == bytes)
        #expect(try node.post("/files/copy", #"{"from": "/d", "to": "/d2"}"#).status == 201)
        #expect(try node.content("/d2/e/small") == "x")
        try node.put("/files/d2/e/small", "changed")
        #expect(try node.content("/d/e/small") == "x")
        #expect(try node.post("/files/copy", #"{"from": "/d", "to": "/d2"}"#).status == 409)
        #expect(try node.post("/files/copy", #"{"from": "/nothing", "to": "/x"}"#).status == 404)
        #expect(try node.post("/files/copy", #"{"from": "/d"}"#).status == 400)
        #expect(try node.post("/files/copy", #"{"from": "/d", "to": "/x", "deep": true}"#).status == 400)
    }

    @Test func links() throws {
        let node = try RunningNode()
        let folder = node.directory.appending("folder")
        try node.directory.write("real", to: "folder/real.txt")
        try FileManager.default.createSymbolicLink(atPath: folder + "/link", withDestinationPath: "real.txt")
        try FileManager.default.createSymbolicLink(atPath: folder + "/outside", withDestinationPath: "/etc/passwd")
        #expect(try node.command("put", "-r", folder, "/").code == 0)
        let items = try node.get("/files/folder").json["items"].items
        #expect(items.map { $0["name"].text } == ["link", "outside", "real.txt"])
        #expect(items.map { $0["kind"].text } == ["symlink", "symlink", "file"])
        #expect(items[1]["target"].text == "/etc/passwd")
        // A link is its target's name, and is never followed.
        #expect(try node.get("/files/folder/outside").text == "/etc/passwd")
        #expect(try node.send("HEAD", "/files/folder/outside")["pando-kind"] == "symlink")
        #expect(try node.get("/files/folder/link/x").status == 404)
        #expect(try node.put("/files/folder/link/x", "x").status == 409)
    }

    /// There is no way to see or touch what the cluster keeps for itself.
    @Test func systemIsHidden() throws {
        let node = try RunningNode()
        try node.put("/files/a", "x")
        for target in ["/files/.system", "/files/.system/", "/files/.system/members", "/files/%2Esystem/cluster", "/files/.system/new"] {
            #expect(try node.get(target).status == 404, "\(target)")
            #expect(try node.send("HEAD", target).status == 404, "\(target)")
            #expect(try node.put(target, "x").status == 404, "\(target)")
            #expect(try node.send("DELETE", target + "?recursive=true").status == 404, "\(target)")
            #expect(try node.send("PATCH", target, body: Array(#"{"to": "/stolen"}"#.utf8)).status == 404, "\(target)")
        }
        #expect(try node.send("PATCH", "/files/a", body: Array(#"{"to": "/.system/a"}"#.utf8)).status == 404)
        #expect(try node.post("/files/copy", #"{"from": "/.system", "to": "/stolen"}"#).status == 404)
        #expect(try node.post("/files/copy", #"{"from": "/a", "to": "/.system/a"}"#).status == 404)
        #expect(try node.post("/sync/conflicts/.system/members").status == 404)
        #expect(try node.get("/sync/conflicts?prefix=/.system").status == 404)
        for target in ["/files/?recursive=true", "/files/?glob=/.system/**", "/files/?glob=**", "/files/?recursive=true&glob=.system"] {
            let answer = try node.get(target)
            #expect(!answer.text.contains(".system"), "\(target)")
        }
        for body in [#"{"since": null}"#, #"{"since": null, "paths": ["/.system/**"]}"#, #"{"since": null, "paths": ["**"]}"#] {
            #expect(!(try node.post("/sync/diff", body).text.contains(".system")), "\(body)")
        }
        #expect(try node.status()["files"].number == 1)
    }

    @Test func conflictsAreReadOnly() throws {
        let node = try RunningNode()
        try node.put("/files/a", "x")
        let root = try node.root()
        for target in ["/files/.conflicts", "/files/.conflicts/", "/files/.conflicts/a", "/files/.conflicts/a/1"] {
            for (method, body) in [("PUT", "x"), ("DELETE", nil), ("PATCH", #"{"to": "/b"}"#)] {
                let answer = try node.send(method, target, body: body.map { Array($0.utf8) })
                #expect(answer.status == 405, "\(method) \(target): \(answer.status)")
                #expect(answer["allow"]?.contains("GET") == true, "\(method) \(target)")
            }
        }
        #expect(try node.send("PATCH", "/files/a", body: Array(#"{"to": "/.conflicts/a"}"#.utf8)).status == 405)
        // Not the method is wrong there, but the path that is named.
        for (target, body) in [
            ("/files/copy", #"{"from": "/a", "to": "/.conflicts/a"}"#), ("/files/copy", #"{"from": "/.conflicts/a/1", "to": "/b"}"#),
            ("/versions/restore", #"{"path": "/.conflicts/a", "version": "1"}"#),
        ] {
            let answer = try node.post(target, body)
            #expect(answer.status == 400 && answer["allow"] == nil, "\(target) \(body): \(answer.text)")
        }
        for target in ["/versions/history/.conflicts/a", "/versions/diff?path=/.conflicts/a&from=now&to=now", "/sync/copies?path=/.conflicts/a"] {
            #expect(try node.get(target).status == 400, "\(target)")
        }
        #expect(try node.get("/files/.conflicts/").json["items"].items.isEmpty)
        #expect(try node.root() == root)
        #expect(try node.content("/a") == "x")
    }
}
