import Content
import Foundation
import Testing

@Suite("Bad binary requests change nothing")
struct BadBinaryTests {
    func frame(_ kind: UInt8, _ codec: UInt8, raw: UInt32, _ bytes: [UInt8], hash: [UInt8], stored: UInt32? = nil) -> [UInt8] {
        var frame: [UInt8] = [kind, codec]
        withUnsafeBytes(of: raw.bigEndian) { frame += $0 }
        withUnsafeBytes(of: (stored ?? UInt32(bytes.count)).bigEndian) { frame += $0 }
        return frame + hash + bytes
    }

    func hash(_ kind: ObjectKind, _ bytes: [UInt8]) -> [UInt8] { ContentHash(of: kind, bytes).withBytes { Array($0) } }

    /// A chunk that is right.
    func chunk(_ bytes: [UInt8]) -> [UInt8] { frame(1, 0, raw: UInt32(bytes.count), bytes, hash: hash(.chunk, bytes)) }

    func isStored(_ bytes: [UInt8], _ node: RunningNode) throws -> Bool {
        try node.send("POST", "/bulk/missing", body: hash(.chunk, bytes)).body.isEmpty
    }

    @Test func objects() throws {
        let node = try RunningNode()
        let good = Array("good bytes".utf8)
        let bad = Array("other bytes".utf8)
        let zeros = [UInt8](repeating: 0, count: 32)
        for (what, body) in [
            ("nothing", []), ("no end", chunk(good)), ("garbage", noise(5000, seed: 4)), ("a wrong hash", frame(1, 0, raw: 11, bad, hash: zeros) + [0]),
            ("another's hash", frame(1, 0, raw: 11, bad, hash: hash(.chunk, good)) + [0]),
            ("a manifest's hash", frame(1, 0, raw: 11, bad, hash: hash(.manifest, bad)) + [0]),
            ("a length too long", frame(1, 0, raw: .max, [], hash: zeros, stored: .max)),
            ("more stored than raw", frame(1, 0, raw: 3, bad, hash: hash(.chunk, bad)) + [0]),
            ("broken zstd", frame(1, 1, raw: 100, bad, hash: hash(.chunk, bad)) + [0]),
            ("an unknown kind", frame(9, 0, raw: 11, bad, hash: hash(.chunk, bad)) + [0]),
            ("an unknown codec", frame(1, 7, raw: 11, bad, hash: hash(.chunk, bad)) + [0]),
            ("absent", frame(1, 255, raw: 0, [], hash: hash(.chunk, bad)) + [0]),
            ("a tree node", frame(3, 0, raw: 11, bad, hash: hash(.tree, bad)) + [0]),
            ("a commit", frame(4, 0, raw: 11, bad, hash: hash(.commit, bad)) + [0]), ("bytes behind the end", chunk(good) + [0, 1, 2]),
            ("a cut header", [1, 0, 0, 0]),
        ] as [(String, [UInt8])] {
            expectRefusal(try node.send("POST", "/bulk/objects", body: body), 400, what: what)
            #expect(try !isStored(bad, node), "\(what)")
        }
        let answer = try node.send("POST", "/bulk/objects", body: chunk(good) + [0])
        #expect(answer.status == 200)
        #expect(answer.json["objects"].number == 1)
        #expect(try isStored(good, node))
        #expect(try node.status()["files"].number == 0)
    }

    @Test func missing() throws {
        let node = try RunningNode()
        for body in [[1], [UInt8](repeating: 0, count: 31), [UInt8](repeating: 0, count: 33)] as [[UInt8]] {
            expectRefusal(try node.send("POST", "/bulk/missing", body: body), 400, what: "\(body.count) bytes")
        }
        expectRefusal(try node.send("POST", "/bulk/missing", body: [UInt8](repeating: 0, count: 3 << 20)), 413, what: "too many")
        #expect(try node.send("POST", "/bulk/missing", body: []).status == 200)
        #expect(try node.send("POST", "/bulk/missing", body: [UInt8](repeating: 0, count: 64)).body.count == 64)
    }

    @Test("A file of chunks that were sent has the content, the hash and the type that it would have had as bytes; of bad lists comes nothing")
    func chunkLists() throws {
        let node = try RunningNode()
        var bytes = noise(3 << 20, seed: 5)
        bytes += bytes[..<(1 << 20)]
        let put = try node.send("PUT", "/files/whole.md", body: bytes).json
        let list = try node.get("/files/whole.md?chunks=true").json["chunks"].items
        let hashes = list.flatMap { $0["hash"].text.flatMap { [UInt8](hexadecimal: $0) } ?? [] }
        #expect(list.count > 8 && hashes.count == 32 * list.count)
        let root = try node.root()
        let manifest = try #require(put["content_hash"].text.flatMap { [UInt8](hexadecimal: $0) })
        for (what, target, status, body) in [
            ("nothing", "/files/a?chunks=true", 400, []), ("half a hash", "/files/a?chunks=true", 400, Array(hashes.dropLast())),
            ("a manifest", "/files/a?chunks=true", 400, manifest), ("unknown", "/files/a?chunks=true", 400, hashes + noise(32, seed: 1)),
            ("a file's child", "/files/whole.md/a?chunks=true", 409, hashes), ("a flag", "/files/a?chunks=yes", 400, hashes),
            ("the view", "/files/.conflicts/a?chunks=true", 405, hashes), ("the system", "/files/.system/a?chunks=true", 404, hashes),
        ] as [(String, String, Int, [UInt8])] {
            let answer = try node.send("PUT", target, body: body)
            expectRefusal(answer, status, what: what)
            if what == "unknown" { #expect(answer.json["missing"].items.count == 1) }
            #expect(try node.root() == root, "\(what)")
        }
        #expect(try node.send("PUT", "/files/whole.md?chunks=true", ["If-None-Match": "*"], body: hashes).status == 412)
        let made = try node.send("PUT", "/files/made.md?chunks=true", ["If-None-Match": "*", "Pando-Modified-At": "2020-02-03T04:05:06.000Z"], body: hashes)
        #expect(made.status == 201)
        #expect(made.json["content_hash"].text == put["content_hash"].text)
        #expect(made.json["size"].number == bytes.count)
        #expect(made.json["content_type"].text == "text/markdown")
        #expect(made.json["modified_at"].text == "2020-02-03T04:05:06.000Z")
        #expect(try node.get("/files/made.md").body == bytes)
        #expect(try node.send("PUT", "/files/one?chunks=true", body: Array(hashes[..<32])).json["size"].number == list[0]["size"].number)
    }

    @Test("Whoever may not see everything makes files of chunks that they have sent, and is told of those alone that they are here")
    func provenChunks() throws {
        let node = try RunningNode()
        let hidden = noise(70_000, seed: 6)
        _ = try node.send("PUT", "/files/hidden", body: hidden)
        let rules = #"{"label": "k", "rules": [{"path": "/mine/**", "allow": ["read", "write"]}]}"#
        let key = try #require(try node.send("POST", "/auth/keys", body: Array(rules.utf8)).json["api_key"].text)
        let grant = try node.send("POST", "/auth/token", body: Array("{\"api_key\": \"\(key)\"}".utf8), as: .nobody).json
        let bearer = Bearer.token(try #require(grant["token"].text))
        let name = hash(.chunk, hidden)
        #expect(try node.send("POST", "/bulk/missing", body: name, as: bearer).body == name)
        let refused = try node.send("PUT", "/files/mine/a?chunks=true", body: name, as: bearer)
        expectRefusal(refused, 400, what: "unproven")
        #expect(refused.json["missing"].items.count == 1)
        #expect(try node.send("POST", "/bulk/objects", body: chunk(hidden) + [0], as: bearer).status == 200)
        #expect(try node.send("POST", "/bulk/missing", body: name, as: bearer).body.isEmpty)
        #expect(try node.send("PUT", "/files/mine/a?chunks=true", body: name, as: bearer).status == 201)
        #expect(try node.send("PUT", "/files/other?chunks=true", body: name, as: bearer).status == 404)
        #expect(try node.send("GET", "/files/mine/a", as: bearer).body == hidden)
    }

    /// A canonical text or byte string of less than 128 bytes.
    func text(_ text: String) -> [UInt8] { [UInt8(text.utf8.count)] + Array(text.utf8) }

    /// A file of one chunk as `/bulk/commit` takes it.
    func item(_ path: String, hash: [UInt8], height: UInt8 = 0, size: UInt8, flags: UInt8 = 0, type: String = "text/plain") -> [UInt8] {
        text(path) + [flags, 3] + hash + [height, size] + text(type) + [0]
    }

    @Test func commits() throws {
        let node = try RunningNode()
        let bytes = Array("good bytes".utf8)
        let hash = hash(.chunk, bytes)
        #expect(try node.send("POST", "/bulk/objects", body: chunk(bytes) + [0]).status == 200)
        try node.put("/files/file", "x")
        try node.put("/files/d/in", "x")
        let root = try node.root()
        let size = UInt8(bytes.count)
        for (what, status, body) in [
            ("nothing", 400, []), ("garbage", 400, noise(3000, seed: 8)), ("a huge count", 400, [0xff, 0xff, 0xff, 0xff, 0x0f]),
            ("fewer than the count", 400, [2] + item("/a", hash: hash, size: size)), ("more than the count", 400, [1] + item("/a", hash: hash, size: size) + [0]),
            ("an overlong count", 400, [0x81, 0x00] + item("/a", hash: hash, size: size)),
            ("unknown flags", 400, [1] + item("/a", hash: hash, size: size, flags: 2)), ("a size too large", 400, [1] + item("/a", hash: hash, size: size + 1)),
            ("a size too small", 400, [1] + item("/a", hash: hash, size: size - 1)), ("a height", 400, [1] + item("/a", hash: hash, height: 1, size: size)),
            ("a huge height", 400, [1] + item("/a", hash: hash, height: 100, size: size)),
            ("an unknown object", 400, [1] + item("/a", hash: [UInt8](repeating: 7, count: 32), size: size)),
            ("twice the same path", 400, [2] + item("/a", hash: hash, size: size) + item("/a", hash: hash, size: size)),
            ("a bad path", 400, [1] + item("/a/../b", hash: hash, size: size)), ("no path", 400, [1] + item("", hash: hash, size: size)),
            ("the root", 409, [1] + item("/", hash: hash, size: size)), ("a bad type", 400, [1] + item("/a", hash: hash, size: size, type: "\r\nX: y")),
            ("a tombstone", 400, [1] + text("/file") + [0, 0]), ("an unknown value", 400, [1] + text("/a") + [0, 9]),
            ("an empty link", 400, [1] + text("/a") + [0, 2, 0]), ("the system", 404, [1] + item("/.system/members/x", hash: hash, size: size)),
            ("the view of conflicts", 405, [1] + item("/.conflicts/x", hash: hash, size: size)),
            ("on a directory", 409, [2] + item("/a", hash: hash, size: size) + item("/d", hash: hash, size: size)),
            ("below a file", 409, [2] + item("/a", hash: hash, size: size) + item("/file/x", hash: hash, size: size)),
            ("below a file of its own", 409, [2] + item("/a", hash: hash, size: size) + item("/a/x", hash: hash, size: size)),
            ("not new", 412, [2] + item("/a", hash: hash, size: size) + item("/file", hash: hash, size: size, flags: 1)),
        ] as [(String, Int, [UInt8])] {
            let answer = try node.send("POST", "/bulk/commit", body: body)
            expectRefusal(answer, status, what: what)
            if what == "an unknown object" { #expect(answer.json["missing"].items.count == 1) }
            #expect(try node.root() == root, "\(what)")
        }
        let done = try node.send("POST", "/bulk/commit", body: [1] + item("/a", hash: hash, size: size))
        #expect(done.status == 200, "\(done.text)")
        #expect(done.json["created"].number == 1)
        #expect(try node.content("/a") == "good bytes")
        #expect(try node.send("POST", "/bulk/commit", body: [0]).status < 500)
    }

    @Test func replicationRoutes() throws {
        let node = try RunningNode()
        _ = try node.send("PUT", "/files/big", body: noise(1 << 20, seed: 2))
        let root = try node.root()
        for target in ["/sync/nodes", "/sync/chunks"] {
            for count in [1, 31, 33, 32 * 1024 - 1] {
                expectRefusal(try node.send("POST", target, body: noise(count, seed: 1)), 400, what: "\(target) \(count)")
            }
            expectRefusal(try node.send("POST", target, body: noise(32 * 1025, seed: 1)), 413, what: "\(target) too many")
            // Unknown objects are announced as such, and none is shown by a route for other kinds.
            let answer = try node.send("POST", target, body: noise(64, seed: 1))
            #expect(answer.status == 200 && answer.isComplete)
            #expect(answer.body.count == 2 * 42 + 1)
            #expect(answer.body[1] == 255 && answer.body.last == 0)
            #expect(try node.send("POST", target, body: []).body == [0])
        }
        let bytes = try #require([UInt8](hexadecimal: root))
        #expect(try node.send("POST", "/sync/nodes", body: bytes).body[1] != 255)
        #expect(try node.send("POST", "/sync/chunks", body: bytes).body[1] == 255)
        for (body, status) in [
            ([], 400), (noise(31, seed: 1), 400), (noise(33, seed: 1), 400), (bytes, 400), (bytes + [0, 0], 400), (bytes + [1], 400),
            (bytes + [0xff, 0xff, 0xff, 0xff, 0x0f], 400), (bytes + [1, 3, 0x2f, 0xff, 0xff], 400), (noise(32, seed: 1) + [0], 410),
        ] as [([UInt8], Int)] {
            expectRefusal(try node.send("POST", "/sync/changes", body: body), status, what: "\(body.count) bytes")
        }
        expectRefusal(try node.send("POST", "/sync/changes?tree=other", body: bytes + [0]), 400, what: "tree=other")
        #expect(try node.send("POST", "/sync/changes", body: bytes + [0]).status == 200)
        expectRefusal(try node.send("POST", "/sync/pull", body: []), 403, what: "pull")
        #expect(try node.root() == root)
    }
}

extension [UInt8] {
    init?(hexadecimal text: String) {
        let digits = Swift.Array(text)
        self = []
        for index in stride(from: 0, to: digits.count - 1, by: 2) {
            guard let byte = UInt8(String(digits[index...index + 1]), radix: 16) else { return nil }
            append(byte)
        }
    }
}
