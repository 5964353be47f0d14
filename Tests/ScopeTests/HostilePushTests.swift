import Access
import Causality
import Content
import FileDatabase
import Foundation
import Merkle
@testable import Node
import Objects
import Replication
import TestSupport
import Testing

/// What clients push that lie. Whatever they send, the node refuses it in words, and its tree stays as it was.
@Suite("Hostile pushes")
struct HostilePushTests {
    /// Someone with a key and no scruples.
    struct Attacker {
        var node: Node
        var key = NodeKey()
        var token = ""

        init(_ node: Node, _ rules: [(path: String, allow: [Permission])]) async throws {
            self.node = node
            let apiKey = try await node.makeKey(label: "attacker", rules: rules, expiresIn: nil, maker: Lab.owner).key
            token = try await node.token(apiKey: apiKey, as: key)
            try await node.settle(token, as: key.id)
        }

        var actor: Actor { Actor(node: key.id) }

        func dot(_ offset: Int64 = 0, by actor: Actor? = nil) -> Dot {
            Dot(timestamp: Timestamp(microseconds: UInt64(Int64(node.clock.wallMicroseconds()) + offset)), actor: actor ?? self.actor)
        }

        func push(_ records: [PushRecord], ticket: [UInt8] = [], isLast: Bool = true) async throws -> Seen {
            let body = PushPart.encoded(isLast: isLast, ticket: ticket, cursor: [], records: records.flatMap { $0.encoded() })
            return try await node.ask("POST", "/sync/push", token: token, body: body)
        }

        func push(_ register: Register, at path: String, bases: [ContentBase] = []) async throws -> Seen {
            try await push([PushRecord(path: TreePath(path), register: register, bases: bases)])
        }

        func upload(_ bytes: [UInt8]) async throws -> ContentHash {
            let hash = ContentHash(of: .chunk, bytes)
            var frames: [UInt8] = []
            bytes.withUnsafeBytes { ObjectFrame.append(.chunk, hash, $0, to: &frames) }
            let answer = try await node.ask("POST", "/sync/push/objects", token: token, body: frames + [ObjectFrame.end])
            #expect(answer.status == 200, "\(answer.text)")
            return hash
        }

        func file(_ text: String) async throws -> Value {
            let bytes = Array(text.utf8)
            let content = FileContent(root: try await upload(bytes), height: 0, size: UInt64(bytes.count))
            return .file(FileValue(content: content, mediaType: "text/plain", modifiedAt: 0))
        }
    }

    static func code(_ answer: Seen) -> String? { (answer.json["refused"] as? [[String: Any]])?.first?["code"] as? String }

    @Test func honestPush() async throws {
        try await withLab { lab in
            let a = try await lab.node("a", founds: true)
            let client = try await Attacker(a, [(path: "/assets/**", allow: Permission.allCases)])
            let register = Register(Version(dot: client.dot(), past: VersionVector(), value: try await client.file("hello")))
            let answer = try await client.push(register, at: "/assets/f")
            #expect(answer.status == 200, "\(answer.text)")
            #expect(try await a.text("/assets/f") == "hello")
            #expect(answer.json["commit"] == nil)
        }
    }

    @Test("Names, times and places that are not the caller's")
    func refusals() async throws {
        try await withLab { lab in
            let a = try await lab.node("a", founds: true)
            try await a.put("A's", at: "/assets/f")
            let client = try await Attacker(a, [(path: "/assets/**", allow: Permission.allCases), (path: "/drop/**", allow: [.write])])
            let value = try await client.file("x")
            let root = a.database.head.commit.files.root
            func register(_ dot: Dot, past: [Dot] = []) -> Register { Register(Version(dot: dot, past: VersionVector(past), value: value)) }
            let own = try #require(try a.register("/assets/f")).versions[0].dot
            let cases: [(String, Register, String, Int)] = [
                ("in another's name", register(client.dot(by: a.actor())), "unseen", 409),
                ("with a known dot", register(own), "foreign", 400),
                ("from the future", register(client.dot(120_000_000)), "future", 400),
                ("with a past from the future", register(client.dot(), past: [client.dot(120_000_000, by: a.actor())]), "future", 400),
                ("with a past that nobody has seen", register(client.dot(), past: [client.dot(by: a.actor())]), "unseen", 409),
            ]
            for (what, register, code, status) in cases {
                let answer = try await client.push(register, at: "/assets/f")
                #expect(Self.code(answer) == code && answer.status == status, "\(what): \(answer.status) \(answer.text)")
            }
            for path in ["/other/f", "/f", "/assetsx/f"] {
                #expect(Self.code(try await client.push(register(client.dot()), at: path)) == "forbidden", "\(path)")
            }
            // Where they may not read, they get the same answer whatever is there.
            try await a.put("A's", at: "/drop/f")
            let dropped = try #require(try a.register("/drop/f")).versions[0].dot
            for path in ["/drop/f", "/drop/g"] {
                #expect(Self.code(try await client.push(register(client.dot(), past: [dropped]), at: path)) == "unseen")
            }
            #expect(a.database.head.commit.files.root != root)
            #expect(try await a.text("/assets/f") == "A's")
            #expect(try a.register("/assets/f")?.versions.count == 1)
        }
    }

    @Test("Content that the caller has not sent and may not read")
    func stolenContent() async throws {
        try await withLab { lab in
            let a = try await lab.node("a", founds: true)
            try await a.put("secret", at: "/other/secret")
            try await a.put("open", at: "/assets/open")
            let client = try await Attacker(a, [(path: "/assets/**", allow: Permission.allCases)])
            let secret = try #require(try a.register("/other/secret")).versions[0].value
            let stolen = Register(Version(dot: client.dot(), past: VersionVector(), value: secret))
            let hash = ContentHash(of: .chunk, Array("secret".utf8))
            for bases in [[], [ContentBase(path: try TreePath("/other/secret"), root: hash)], [ContentBase(path: try TreePath("/assets/open"), root: hash)]] {
                let answer = try await client.push(stolen, at: "/assets/stolen", bases: bases)
                #expect(answer.status == 409 && answer.json["missing"] as? [String] == [hash.description], "\(answer.text)")
            }
            #expect(try a.register("/assets/stolen") == nil)
            // What may be read may be named.
            let open = try #require(try a.register("/assets/open")).versions[0].value
            let root = ContentHash(of: .chunk, Array("open".utf8))
            let copy = Register(Version(dot: client.dot(), past: VersionVector(), value: open))
            let answer = try await client.push(copy, at: "/assets/copy", bases: [ContentBase(path: try TreePath("/assets/open"), root: root)])
            #expect(answer.status == 200, "\(answer.text)")
            // A file that says of itself what its chunk is not.
            let size = FileValue(content: FileContent(root: try await client.upload([1, 2, 3]), height: 0, size: 1000), mediaType: "a/b", modifiedAt: 0)
            let wrong = Register(Version(dot: client.dot(), past: VersionVector(), value: .file(size)))
            #expect(try await client.push(wrong, at: "/assets/wrong").status == 400)
        }
    }

    @Test("All of a push, or nothing of it")
    func atomicity() async throws {
        try await withLab { lab in
            let a = try await lab.node("a", founds: true)
            let client = try await Attacker(a, [(path: "/assets/**", allow: Permission.allCases)])
            let value = try await client.file("x")
            func record(_ path: String) throws -> PushRecord {
                PushRecord(path: try TreePath(path), register: Register(Version(dot: client.dot(), past: VersionVector(), value: value)))
            }
            let root = a.database.head.commit.files.root
            #expect(try await client.push([record("/assets/a"), record("/other/b")]).status == 403)
            #expect(a.database.head.commit.files.root == root)
            // In parts: nothing is seen before the last.
            let first = try await client.push([record("/assets/a")], isLast: false)
            let ticket = try #require((first.json["ticket"] as? String).flatMap { Data(base64Encoded: $0) }.map(Array.init))
            #expect(a.database.head.commit.files.root == root)
            #expect(Self.code(try await client.push([record("/assets/a")], ticket: ticket)) == "invalid")
            let last = try await client.push([record("/assets/b")], ticket: ticket)
            #expect(last.status == 200 && last.json["entries"] as? Int == 2, "\(last.text)")
            #expect(try a.paths() == ["/assets/a", "/assets/b"])
            // A ticket is good once, for its holder, as it is.
            #expect(try await client.push([record("/assets/c")], ticket: ticket).status == 409)
            var broken = ticket
            broken[20] ^= 1
            #expect(try await client.push([record("/assets/c")], ticket: broken).status == 409)
            let other = try await Attacker(a, [(path: "/assets/**", allow: Permission.allCases)])
            let link = Register(Version(dot: other.dot(), past: VersionVector(), value: .symlink(target: "x")))
            let theirs = try await other.push([PushRecord(path: TreePath("/assets/d"), register: link)], isLast: false)
            let stolen = try #require((theirs.json["ticket"] as? String).flatMap { Data(base64Encoded: $0) }.map(Array.init))
            #expect(try await client.push([record("/assets/c")], ticket: stolen).status == 409)
        }
    }

    @Test("One new version cannot take two others away, however it is sent")
    func twins() async throws {
        try await withLab { lab in
            let a = try await lab.node("a", founds: true)
            let b = try await lab.node("b", joining: "a")
            for node in [a, b] { try await node.put("\(node.id)", at: "/assets/f") }
            try await a.sync()
            let current = try #require(try a.register("/assets/f"))
            #expect(current.versions.count == 2)
            let client = try await Attacker(a, [(path: "/assets/**", allow: [.read, .write])])
            let value = try await client.file("mine")
            let dot = client.dot()
            // The same name for two versions, each of which has seen another one.
            let forged = current.versions.map { Register(Version(dot: dot, past: VersionVector([$0.dot]), value: value)) }
            #expect(try await client.push(forged[0], at: "/assets/f").status == 200)
            #expect(Self.code(try await client.push(forged[1], at: "/assets/f")) == "foreign")
            #expect(try a.register("/assets/f")?.versions.count == 2)
        }
    }

    @Test("Bodies that are cut off, too long, out of order or nothing of the kind")
    func malformed() async throws {
        try await withLab { lab in
            let a = try await lab.node("a", founds: true)
            let client = try await Attacker(a, [(path: "/assets/**", allow: Permission.allCases)])
            let register = Register(Version(dot: client.dot(), past: VersionVector(), value: .directory))
            func record(_ path: String) throws -> [UInt8] { PushRecord(path: try TreePath(path), register: register).encoded() }
            let good = PushPart.encoded(isLast: true, ticket: [], cursor: [], records: try record("/assets/a") + record("/assets/b"))
            for length in 0..<good.count {
                let answer = try await a.ask("POST", "/sync/push", token: client.token, body: Array(good[..<length]))
                #expect(answer.status == 400, "cut after \(length): \(answer.text)")
            }
            let bodies: [[UInt8]] = try [
                PushPart.encoded(isLast: true, ticket: [], cursor: [], records: record("/assets/b") + record("/assets/a")),
                PushPart.encoded(isLast: true, ticket: [], cursor: [], records: record("/assets/a") + record("/assets/a")),
                good + [0], [2, 0, 0, 0], [1, 0xff, 0xff, 0xff, 0xff, 0x0f], [1, 0, 0, 0xff, 0xff, 0xff, 0xff, 0x0f],
            ]
            for body in bodies { #expect(try await a.ask("POST", "/sync/push", token: client.token, body: body).status == 400) }
            // Names that no path may have. Written by hand, since no path of ours has them.
            for name in ["/assets/e\u{301}", "/assets/..", "/assets//x", "assets/x", "/assets/x/", "/assets/" + String(repeating: "n", count: 256)] {
                var encoder = CanonicalEncoder()
                encoder.write(name)
                register.encode(to: &encoder)
                encoder.write(0)
                var framed = CanonicalEncoder()
                framed.write(encoder.bytes)
                let body = PushPart.encoded(isLast: true, ticket: [], cursor: [], records: framed.bytes)
                #expect(try await a.ask("POST", "/sync/push", token: client.token, body: body).status == 400, "\(name)")
            }
            for path in ["/.conflicts/x", "/.system/members/x"] {
                let all = try await Attacker(a, [(path: "/**", allow: Permission.allCases)])
                #expect(Self.code(try await all.push(register, at: path)) == "invalid")
            }
            let tooLong = [UInt8](repeating: 0, count: PushPart.maximumSize + 1)
            #expect(try await a.ask("POST", "/sync/push", token: client.token, body: tooLong).status == 413)
            #expect(try a.paths().isEmpty)
            // Without a node's key, and before the honeymoon is over.
            let key = try await a.makeKey(label: "k", rules: [(path: "/**", allow: Permission.allCases)], expiresIn: nil, maker: Lab.owner).key
            let plain = try await a.ask("POST", "/auth/token", token: nil, json: #"{"api_key": "\#(key)"}"#).json["token"] as? String
            #expect(try await a.ask("POST", "/sync/push", token: plain, body: good).status == 403)
            let hasty = try await a.token(apiKey: key, as: NodeKey())
            #expect(try await a.ask("POST", "/sync/push", token: hasty, body: good).status == 409)
        }
    }

    @Test("Many tiny entries in one push")
    func manyEntries() async throws {
        try await withLab { lab in
            let a = try await lab.node("a", founds: true)
            let client = try await Attacker(a, [(path: "/assets/**", allow: Permission.allCases)])
            var ticket: [UInt8] = []
            let names = (0..<20_000).map { String(100_000 + $0) }
            for start in stride(from: 0, to: names.count, by: 5000) {
                let records = try names[start..<start + 5000].map { name in
                    PushRecord(
                        path: try TreePath("/assets/\(name)"),
                        register: Register(Version(dot: client.dot(), past: VersionVector(), value: .symlink(target: name))))
                }
                let isLast = start + 5000 == names.count
                let answer = try await client.push(records, ticket: ticket, isLast: isLast)
                #expect(answer.status == 200, "\(answer.text.prefix(300))")
                ticket = (answer.json["ticket"] as? String).flatMap { Data(base64Encoded: $0) }.map(Array.init) ?? []
            }
            #expect(a.database.head.commit.files.aggregates.files == 20_000)
        }
    }

    @Test("The proof of a node's key is for one key, one receiver and one minute")
    func proofs() async throws {
        try await withLab { lab in
            let a = try await lab.node("a", founds: true)
            let key = try await a.makeKey(label: "k", rules: [(path: "/**", allow: [.read])], expiresIn: nil, maker: Lab.owner).key
            let id = try #require(APIKey(key)).id
            let now = Int64(a.clock.wallMicroseconds())
            let (mine, other) = (NodeKey(), NodeKey())
            let proofs: [(String, ClientProof)] = [
                ("another key's", try ClientProof(of: mine, keyID: "0000000000000000", receiver: a.id, time: now)),
                ("another receiver's", try ClientProof(of: mine, keyID: id, receiver: other.id, time: now)),
                ("an old one", try ClientProof(of: mine, keyID: id, receiver: a.id, time: now - 61_000_000)),
                ("one from the future", try ClientProof(of: mine, keyID: id, receiver: a.id, time: now + 61_000_000)),
            ]
            for (what, proof) in proofs {
                await #expect(throws: NodeError.self, "\(what)") { try await a.grant(apiKey: key, proof: proof, client: "x") }
            }
            var stolen = try ClientProof(of: mine, keyID: id, receiver: a.id, time: now)
            stolen.publicKey = other.publicKey
            await #expect(throws: NodeError.self) { try await a.grant(apiKey: key, proof: stolen, client: "x") }
            let good = try ClientProof(of: mine, keyID: id, receiver: a.id, time: now)
            _ = try await a.grant(apiKey: key, proof: good, client: "x")
        }
    }
}
