import Access
import Causality
import Content
import FileDatabase
import Foundation
@testable import HTTPServer
import Hummingbird
import Merkle
@testable import Node
import Replication
import TestSupport
import Testing

/// Callers who may see `/assets/**` alone try everything on every route. Nothing that they get holds a name, a hash, a size, a count or a
/// path from outside, and what is hidden is answered as what does not exist.
@Suite("Leaks")
struct LeakTests {
    /// A cluster with things to hide.
    struct Vault {
        var node: Node
        /// What no answer may hold, as text or as bytes.
        var secrets: [(name: String, bytes: [UInt8])] = []
        /// Values that these fields of JSON must not have.
        var counts: [String: Set<Int>] = [:]
        var hiddenHash: ContentHash
    }

    static let hidden = "/files/hidden-qz/plans-qz.txt"
    static let missing = "/files/hidden-qz/plenty-q.txt"
    static let stranger = ContentHash(sha256: "no object has this name".utf8)

    static func vault(_ lab: Lab) async throws -> Vault {
        let a = try await lab.node("a", founds: true)
        let b = try await lab.node("b-label-qz", joining: "a")
        try await a.put("one", at: "/assets/one")
        try await a.put("two", at: "/assets/deep/two")
        try await a.put(String(repeating: "content-qz ", count: 431), at: "/hidden-qz/plans-qz.txt")
        try await a.put(ScopeContent.noise(1_300_019, seed: 5), at: "/hidden-qz/large-qz.bin")
        for index in 0..<40 { try await a.put("file \(index)", at: "/hidden-qz/many-qz/\(index)") }
        try await b.sync()
        for (node, text) in [(a, "left-qz"), (b, "right-qz")] {
            try await node.put(text, at: "/hidden-qz/fight-qz")
            try await node.put(text + "2", at: "/hidden-qz/fight2-qz")
        }
        try await a.sync()
        var vault = Vault(node: a, hiddenHash: .zero)
        let head = a.database.head
        func forbid(_ name: String, _ text: String) { vault.secrets.append((name, Array(text.utf8))) }
        func forbid(_ name: String, _ hash: ContentHash?) {
            guard let hash else { return }
            forbid(name, hash.description)
            vault.secrets.append((name + " in binary", hash.withBytes { Array($0) }))
        }
        for text in ["-qz", "qz.txt"] { forbid("a name", text) }
        forbid("content", "content-qz")
        forbid("the head", head.hash)
        forbid("the root", head.commit.files.root)
        forbid("the system root", head.commit.system.root)
        let directory = try #require(try a.database.view.entry(at: TreePath("/hidden-qz"))?.subtree)
        forbid("a directory's hash", directory.root)
        for name in ["plans-qz.txt", "large-qz.bin", "fight-qz", "fight2-qz"] {
            let register = try #require(try a.register("/hidden-qz/\(name)"))
            for version in register.versions {
                forbid("a version", version.dot.description)
                guard case .file(let file) = version.value else { continue }
                forbid("a content hash", file.content.root)
                // Fewer digits stand in hashes and times by chance; those are looked for in fields alone.
                if file.content.size > 1_000_000 { forbid("a size", "\(file.content.size)") }
                if name == "plans-qz.txt" { vault.hiddenHash = file.content.root }
                for chunk in try a.database.chunks(of: file.content, limit: 1000) { forbid("a chunk", chunk.hash) }
            }
        }
        let sums = head.commit.files.aggregates
        #expect(sums.conflicts == 2)
        forbid("the sum of bytes", "\(sums.bytes)")
        forbid("a sum of bytes", "\(directory.aggregates.bytes)")
        vault.counts = [
            "files": [Int(sums.files), Int(directory.aggregates.files)], "conflicts": [2], "bytes": [Int(sums.bytes), Int(directory.aggregates.bytes)],
            "size": [Int(sums.bytes), Int(directory.aggregates.bytes), 431 * "content-qz ".utf8.count],
        ]
        return vault
    }

    /// Tries everything as one caller.
    static func tryEverything(_ vault: Vault, token: String, actor: Actor) async throws {
        let node = vault.node
        try await node.settle(token, as: actor.node)
        let cursor = try await cursor(node, token)
        let table = LeakTable.probes(cursor: cursor, node: actor, now: node.clock.wallMicroseconds())
        var served = Set<String>()
        for (method, pattern) in Dispatcher(node: node, isEncrypted: false).routes.patterns { served.insert("\(method.rawValue) \(pattern)") }
        #expect(served.subtracting(table.keys).sorted() == [], "routes that nobody has tried for leaks; see LeakTable")
        #expect(Set(table.keys).subtracting(served).sorted() == [], "routes that are not served")
        for (route, probes) in table.sorted(by: { $0.key < $1.key }) where served.contains(route) && route != "GET /events" {
            let method = String(route.split(separator: " ")[0])
            for probe in probes {
                for method in method == "GET" ? ["GET", "HEAD"] : [method] {
                    let answers = try await [(hidden, vault.hiddenHash), (missing, stranger)].asyncMap { path, hash in
                        let (target, body) = (probe.target(path), probe.body(path, hash))
                        let answer = try await node.ask(method, target, token: token, body: body, headers: probe.headers)
                        #expect(answer.status < 500, "\(method) \(target): \(answer.text)")
                        inspect(answer, to: "\(method) \(target)", sent: said(target, body, hash), vault)
                        return normalised(answer, path, hash)
                    }
                    if !probe.isRandom { #expect(answers[0] == answers[1], "hidden and missing differ: \(method) \(probe.target("HIDDEN"))") }
                }
            }
        }
        // Nothing of it had an effect.
        #expect(try await node.text("/hidden-qz/plans-qz.txt")?.hasPrefix("content-qz") == true)
        #expect(try node.register("/assets/stolen") == nil)
    }

    /// What a request says: a hash in digits too where it has the bytes.
    private static func said(_ target: String, _ body: [UInt8], _ hash: ContentHash) -> [UInt8] {
        Array(target.utf8) + body + (body.contains(hash.withBytes { Array($0) }) ? Array(hash.description.utf8) : [])
    }

    private static func cursor(_ node: Node, _ token: String) async throws -> [UInt8] {
        let answer = try await node.ask("POST", "/sync/scoped/changes", token: token, body: [0, 0])
        var reader = ChangeReader(head: .cursor)
        let changes = try reader.read(answer.body)
        #expect(changes.map(\.path.description).allSatisfy { $0.hasPrefix("/assets/") })
        #expect(!changes.isEmpty)
        return try #require(reader.cursor)
    }

    static func inspect(_ answer: Seen, to request: String, sent: [UInt8], _ vault: Vault) {
        let headers = answer.headers.map { "\($0.0): \($0.1)" }.joined(separator: "\n")
        let seen = Array(headers.utf8) + [UInt8(ascii: "\n")] + answer.body
        for secret in vault.secrets where seen.contains(secret.bytes) {
            // Nobody learns what they have said themselves.
            if sent.contains(secret.bytes) { continue }
            Issue.record("\(secret.name) in the answer to \(request): \(headers) \(answer.text.prefix(2000))")
        }
        func look(_ value: Any, _ field: String) {
            if let object = value as? [String: Any] { for (name, value) in object { look(value, name) } }
            if let list = value as? [Any] { for value in list { look(value, field) } }
            if let number = (value as? NSNumber)?.intValue, vault.counts[field]?.contains(number) == true {
                Issue.record("\(field) is \(number) in the answer to \(request): \(answer.text.prefix(2000))")
            }
        }
        look(answer.json, "")
    }

    /// The answer without what was asked for, so that two can be compared.
    static func normalised(_ answer: Seen, _ path: String, _ hash: ContentHash) -> String {
        let fields = answer.headers.filter { !["date", "x-request-id"].contains($0.0.lowercased()) }
            .map { "\($0.0): \($0.1)" }.sorted().joined(separator: "\n")
        var bytes = Array("\(answer.status)\n\(fields)\n".utf8) + answer.body
        let name = path.split(separator: "/").last ?? ""
        for part in [Array(name.utf8), Array(hash.description.utf8), hash.withBytes { Array($0) }] {
            while let range = bytes.firstRange(of: part) { bytes.replaceSubrange(range, with: "~".utf8) }
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    @Test("A key that may read /assets/** learns nothing else, on any route")
    func scopedKey() async throws {
        try await withLab { lab in
            let vault = try await Self.vault(lab)
            let (key, info) = try await vault.node.makeKey(
                label: "scoped", rules: [(path: "/assets/**", allow: [.read, .list])], expiresIn: nil, maker: Lab.owner)
            #expect(info.rules.count == 1)
            let identity = NodeKey()
            let token = try await vault.node.token(apiKey: key, as: identity)
            try await Self.tryEverything(vault, token: token, actor: Actor(node: identity.id))
        }
    }

    @Test("Nor does one that may also write there")
    func writingKey() async throws {
        try await withLab { lab in
            let vault = try await Self.vault(lab)
            let key = try await vault.node.makeKey(
                label: "scoped", rules: [(path: "/assets/**", allow: Permission.allCases)], expiresIn: nil, maker: Lab.owner).key
            let identity = NodeKey()
            let token = try await vault.node.token(apiKey: key, as: identity)
            try await Self.tryEverything(vault, token: token, actor: Actor(node: identity.id))
        }
    }

    @Test("Nor does a member of a part, but for who the members are")
    func partialMember() async throws {
        try await withLab { lab in
            let vault = try await Self.vault(lab)
            let member = try await lab.node("c", joining: "a", syncPaths: ["/assets/**"])
            let now = Int64(vault.node.clock.date.timeIntervalSince1970)
            let token = try await Tokens.sign(
                TokenClaims(
                    iss: member.id.description, sub: member.id.description, aud: vault.node.id.description, kind: .node, iat: now, exp: now + 60,
                    jti: "test"),
                with: member.key)
            var open = vault
            for hash in [vault.node.database.head.hash, vault.node.database.head.commit.system.root].compactMap(\.self) {
                open.secrets.append(("the state after it joined", Array(hash.description.utf8)))
            }
            // The members' labels are for members.
            open.secrets.removeAll { $0.name == "a name" }
            for name in ["hidden-qz", "plans-qz", "large-qz", "fight-qz", "many-qz"] { open.secrets.append(("a name", Array(name.utf8))) }
            try await Self.tryEverything(open, token: token, actor: member.actor())
            // What it holds itself is no more.
            try await member.sync()
            #expect(try member.paths() == ["/assets/deep/two", "/assets/one"])
            let system = try member.database.view.documents(in: ClusterDocument.keys)
            #expect(system.isEmpty)
        }
    }

    @Test("Archives hold nothing from outside", arguments: ["zip", "tar"])
    func archives(format: String) async throws {
        try await withLab { lab in
            let vault = try await Self.vault(lab)
            let key = try await vault.node.makeKey(
                label: "scoped", rules: [(path: "/assets/**", allow: [.read, .list])], expiresIn: nil, maker: Lab.owner).key
            let token = try await vault.node.token(apiKey: key, as: NodeKey())
            // One server, which remembers what was ordered.
            let server = Dispatcher(node: vault.node, isEncrypted: false)
            let order = try await vault.node.ask(
                "POST", "/archives", token: token, body: Array(#"{"paths": ["/"], "format": "\#(format)"}"#.utf8),
                headers: ["Content-Type": "application/json"], server: server)
            let url = try #require(order.json["url"] as? String, "\(order.text)")
            let archive = try await vault.node.ask("GET", url, token: token, server: server)
            #expect(archive.status == 200)
            #expect(archive.body.contains(Array("deep/two".utf8)))
            Self.inspect(archive, to: "GET \(url)", sent: [], vault)
            let stranger = try await vault.node.token(
                apiKey: vault.node.makeKey(label: "other", rules: [(path: "/**", allow: [.read])], expiresIn: nil, maker: Lab.owner).key, as: NodeKey())
            #expect(try await vault.node.ask("GET", url, token: stranger, server: server).status == 404)
        }
    }

    @Test("Events tell of nothing outside, not even that something happened")
    func events() async throws {
        try await withLab { lab in
            let vault = try await Self.vault(lab)
            let node = vault.node
            let key = try await node.makeKey(
                label: "scoped", rules: [(path: "/assets/**", allow: [.read, .list])], expiresIn: nil, maker: Lab.owner).key
            let token = try await node.token(apiKey: key, as: NodeKey())
            let collected = Collected()
            let response = try await node.response("GET", "/events", token: token)
            let reading = Task { try? await response.body.write(Collected.Writer(collected: collected)) }
            defer { reading.cancel() }
            func isThere(_ text: String) -> Bool { collected.value.contains(Array(text.utf8)) }
            try await eventually("ready") { isThere("event: ready") }
            for index in 0..<150 { try await node.put("more \(index)", at: "/hidden-qz/more-qz/\(index)") }
            try await node.put("new", at: "/assets/new")
            try await eventually("the visible commit") { isThere("/assets/new") }
            let text = String(decoding: collected.value, as: UTF8.self)
            let commits = text.components(separatedBy: "event: commit").count - 1
            #expect(commits == 1, "\(text)")
            Self.inspect(Seen(status: 200, headers: [], body: collected.value), to: "GET /events", sent: [], vault)
            let root = node.database.head.commit.files.root
            #expect(!text.contains(root.description))
            // The numbers of events would count what happened.
            for line in text.split(separator: "\n") where line.hasPrefix("id: ") {
                let number = line.split(separator: "-").last.map(String.init) ?? ""
                #expect(Int(number) == nil, "\(line)")
            }
        }
    }

    @Test("Places are not found by hash, nor by another's cursor")
    func objectsByHash() async throws {
        try await withLab { lab in
            let vault = try await Self.vault(lab)
            let node = vault.node
            let everything = try await node.makeKey(label: "all", rules: [(path: "/**", allow: [.read])], expiresIn: nil, maker: Lab.owner).key
            let scoped = try await node.makeKey(label: "part", rules: [(path: "/assets/**", allow: [.read])], expiresIn: nil, maker: Lab.owner).key
            var cursors: [[UInt8]] = []
            var tokens: [String] = []
            for key in [everything, scoped] {
                let identity = NodeKey()
                let token = try await node.token(apiKey: key, as: identity)
                try await node.settle(token, as: identity.id)
                let answer = try await node.ask("POST", "/sync/scoped/changes", token: token, body: [0, 0])
                var reader = ChangeReader(head: .cursor)
                _ = try reader.read(answer.body)
                cursors.append(try #require(reader.cursor))
                tokens.append(token)
            }
            func ask(_ token: String, _ cursor: [UInt8], _ path: String, _ root: ContentHash) async throws -> [ObjectFrame] {
                let place = ContentPlace(height: 0, offset: 0)
                let body = ContentRequest(cursor: cursor, files: [.init(path: try TreePath(path), root: root, places: [place])]).encoded()
                var reader = ObjectFrameReader()
                return try reader.read(await node.ask("POST", "/sync/scoped/objects", token: token, body: body).body)
            }
            let path = "/hidden-qz/plans-qz.txt"
            #expect(try await ask(tokens[0], cursors[0], path, vault.hiddenHash).first?.header.codec != .absent)
            for cursor in cursors {
                #expect(try await ask(tokens[1], cursor, path, vault.hiddenHash).first?.header.codec == .absent)
                #expect(try await ask(tokens[1], cursor, "/assets/one", vault.hiddenHash).first?.header.codec == .absent)
            }
            let one = try #require(try node.database.view.info(at: TreePath("/assets/one"))?.contentHash)
            #expect(try await ask(tokens[1], cursors[1], "/assets/one", one).first?.header.hash == one)
            // Another's cursor is none.
            #expect(try await ask(tokens[1], cursors[0], "/assets/one", one).first?.header.codec == .absent)
        }
    }
}

enum ScopeContent {
    /// Bytes that do not compress and differ with the seed.
    static func noise(_ count: Int, seed: UInt64) -> [UInt8] {
        var random = SplitMix64(seed: seed)
        var bytes: [UInt8] = []
        bytes.reserveCapacity(count + 8)
        while bytes.count < count { withUnsafeBytes(of: random.next()) { bytes.append(contentsOf: $0) } }
        return Array(bytes.prefix(count))
    }
}

extension Array {
    func asyncMap<Result>(_ body: (Element) async throws -> Result) async rethrows -> [Result] {
        var results: [Result] = []
        for element in self { results.append(try await body(element)) }
        return results
    }
}

extension Array where Element == UInt8 {
    func contains(_ part: [UInt8]) -> Bool { firstRange(of: part) != nil }
}

/// Waits until something is so.
func eventually(_ what: String, _ condition: () async throws -> Bool) async throws {
    for _ in 0..<3000 {
        if try await condition() { return }
        try await Task.sleep(for: .milliseconds(10))
    }
    Issue.record("never: \(what)")
}
