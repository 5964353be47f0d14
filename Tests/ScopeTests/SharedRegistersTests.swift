import Access
import Causality
import Content
import FileDatabase
import Foundation
import Merkle
@testable import Node
import Objects
import Replication
import Synchronization
import TestSupport
import Testing

/// Records that are packed after what both sides have.
@Suite("Shared registers")
struct SharedRegistersTests {
    private static let count = 120

    /// A node and two clients that have the same small files, with something hidden beside them.
    private static func studio(_ lab: Lab) async throws -> (node: Node, first: Node, second: Node) {
        let node = try await lab.node("a", founds: true)
        try await node.put("hidden", at: "/assets/old/f50.hidden")
        for index in 0..<20 { try await node.put("hidden \(index)", at: "/hidden/f\(index)") }
        let rules: [(path: String, allow: [Permission])] = [(path: "/**/*.hidden", allow: []), (path: "/assets/**", allow: Permission.allCases)]
        let (first, _) = try await lab.client("b", of: "a", rules: rules)
        let (second, _) = try await lab.client("c", of: "a", rules: rules)
        for index in 0..<count { try await first.put(ScopeContent.noise(300, seed: UInt64(index)), at: "/assets/old/f\(index)") }
        try await first.sync()
        try await second.sync()
        return (node, first, second)
    }

    @Test("Where spans end does not tell what is hidden between")
    func spans() throws {
        func encoded(hidden: Int) throws -> [UInt8] {
            var nodes = MemoryNodes()
            let paths = (0..<16).map { "/p/\($0 < 8 ? "a" : "z")\($0 % 8).txt" } + (0..<hidden).map { "/p/m\($0).hidden" }
            let edits = try paths.sorted().enumerated().map { index, path in
                let dot = Dot(timestamp: Timestamp(microseconds: UInt64(index + 1)), actor: .numbered(1))
                return TreeEdit(try TreePath(path), .set(Register(Version(dot: dot, past: VersionVector(), value: .symlink(target: "t")))))
            }
            let tree = try Subtree.empty.applying(edits, in: &nodes)
            let places = try paths.prefix(16).map { try TreePath($0) }.sorted()
            let rules = RuleSet.everything.limited(to: [try Glob("/p/*.txt")])
            return try RecordSpans(of: places, in: tree, within: rules, nodes).encoded()
        }
        #expect(try encoded(hidden: 0).count > 10)
        #expect(try encoded(hidden: 0) == encoded(hidden: 100))
    }

    private static func move(_ node: Node) async throws { _ = try await node.database.move(TreePath("/assets/old"), to: TreePath("/assets/new")) }

    private static func received(_ node: Node) -> UInt64 { node.allLinks().reduce(0) { $0 + $1.state.withLock { $0.bytesReceived } } }

    private static func requests(_ lab: Lab, to path: String, also body: @escaping @Sendable (Int) async -> Void = { _ in }) -> Shared<Int> {
        let count = Shared(0)
        lab.onRequest.withLock { hook in
            hook = { _, requested in
                guard requested == path else { return }
                count.change { $0 += 1 }
                await body(count.value)
            }
        }
        return count
    }

    @Test("A directory that moves takes few bytes a file, to the node and from it")
    func moved() async throws {
        try await withLab { lab in
            let (a, b, c) = try await Self.studio(lab)
            try await Self.move(b)
            let (sent, received) = (lab.bytes(to: "a", "/sync/push"), Self.received(c))
            let requests = Self.requests(lab, to: "/sync/push")
            try await b.sync()
            #expect(requests.value == 1)
            let changes = Self.requests(lab, to: "/sync/scoped/changes")
            try await c.sync()
            #expect(changes.value == 1)
            #expect(try b.paths() == c.paths())
            #expect(try c.paths().allSatisfy { $0.hasPrefix("/assets/new/") })
            #expect(try c.paths().count == Self.count)
            for path in try c.paths() { #expect(try a.register(path) == c.register(path)) }
            // Without what both sides have it is 32 bytes more for each, to either side.
            let (push, pull) = (lab.bytes(to: "a", "/sync/push") - sent, Int(Self.received(c) - received))
            #expect(push < Self.count * 32)
            #expect(pull < Self.count * 24)
            #expect(try a.register("/assets/old/f50.hidden")?.winner.value.isTombstone == false)
        }
    }

    @Test("Something new between the files at the node: the push arrives without a prefix")
    func stalePush() async throws {
        try await withLab { lab in
            let (a, b, c) = try await Self.studio(lab)
            try await Self.move(b)
            let requests = Self.requests(lab, to: "/sync/push") { number in
                if number == 1 { try? await a.put("new", at: "/assets/old/f60.new") }
            }
            try await b.sync()
            #expect(requests.value == 2)
            lab.onRequest.withLock { $0 = nil }
            for node in [b, c] { try await node.sync() }
            #expect(try c.paths().count == Self.count + 1)
            #expect(try b.paths() == c.paths())
            for path in try c.paths() { #expect(try a.register(path) == c.register(path)) }
        }
    }

    @Test("A client that has something else than the node thinks pulls without a prefix")
    func stalePull() async throws {
        try await withLab { lab in
            let (a, b, c) = try await Self.studio(lab)
            try await Self.move(b)
            try await b.sync()
            let link = try #require(c.allLinks().first)
            let state = try #require(link.state.withLock { $0.scoped[.files] })
            let known = try #require(try c.database.subtree(state.known))
            let register = try #require(try c.register("/assets/old/f0"))
            let other = try c.database.stage([(path: TreePath("/assets/old/f60.other"), register: register)], onto: known)
            link.state.withLock { $0.scoped[.files] = ScopedState(cursor: state.cursor, known: other.root) }
            let changes = Self.requests(lab, to: "/sync/scoped/changes")
            try await c.sync()
            #expect(changes.value == 2)
            #expect(try b.paths() == c.paths())
            for path in try c.paths() { #expect(try a.register(path) == c.register(path)) }
        }
    }

    @Test("What a caller may not read is nothing to pack after, and bad recipes are refused")
    func hidden() async throws {
        try await withLab { lab in
            let (a, _, _) = try await Self.studio(lab)
            let view = a.database.view
            func spans(_ paths: [String]) throws -> RecordSpans {
                try RecordSpans(of: paths.map { try TreePath($0) }.sorted(), in: view.files, within: .everything, view.reader)
            }
            let hidden = try spans((0..<20).map { "/hidden/f\($0)" })
            let beside = try spans((0..<Self.count).map { "/assets/old/f\($0)" })
            let open = RuleSet([Rule(path: try Glob("/assets/**"), allow: Set(Permission.allCases))])
            #expect(!hidden.isEmpty)
            #expect(try hidden.records(in: view.files, within: open, view.reader).isEmpty)
            let all = try beside.records(in: view.files, within: .everything, view.reader)
            #expect(all.contains(Array("f50.hidden".utf8)))
            for (spans, rules, status) in [
                (hidden, "/assets/**", 412), (hidden, "/**", 200), (beside, "/assets/old/f1*", 412), (beside, "/assets/**", 200),
            ] {
                let client = try await HostilePushTests.Attacker(a, [(path: rules, allow: Permission.allCases)])
                // Records of which the node would have to fill in what it knows.
                let prefix = try spans.records(in: view.files, within: .everything, view.reader)
                let register = Register(Version(dot: client.dot(), past: VersionVector(), value: .symlink(target: String(repeating: "x", count: 50))))
                let path = try TreePath("/assets/old/f1-\(rules.utf8.count)-\(status)-\(spans == hidden)")
                let body = PushPart.encoded(isLast: true, ticket: [], cursor: [], records: PushRecord(path: path, register: register).encoded())
                // A frame that refers to the prefix holds some of it; the ticket has room.
                let stolen = PushPart.encoded(isLast: true, ticket: Array(prefix.suffix(500)), cursor: [], records: [])
                let taking = PackedRecords.pack(stolen, after: PackedPrefix(recipe: spans.encoded(), bytes: prefix))
                let answer = try await a.ask("POST", "/sync/push?packed=true&prefixes=true", token: client.token, body: taking)
                // A ticket that is none is what comes next.
                #expect(answer.status == (status == 412 ? 412 : 409), "\(rules): \(answer.text)")
                #expect(try await a.ask("POST", "/sync/push?packed=true&prefixes=true", token: client.token, body: PackedRecords.pack(body)).status == 200)
            }
            // Nobody unpacks after a prefix who was not told of it.
            let block = PackedRecords.pack([UInt8](repeating: 0, count: 1000), after: PackedPrefix(recipe: hidden.encoded(), bytes: []))
            let stranger = try await HostilePushTests.Attacker(a, [(path: "/assets/**", allow: Permission.allCases)])
            for query in ["packed=true", "prefixes=true", "packed=false&prefixes=true", "packed=true&prefixes=2"] {
                #expect(try await a.ask("POST", "/sync/push?\(query)", token: stranger.token, body: block).status == 400, "\(query)")
            }
            // Recipes that are none.
            let client = try await HostilePushTests.Attacker(a, [(path: "/**", allow: Permission.allCases)])
            func recipe(_ paths: [String], count: Int? = nil) -> [UInt8] {
                var encoder = CanonicalEncoder()
                encoder.write(count ?? paths.count / 2)
                for path in paths { encoder.write(path) }
                return encoder.bytes
            }
            func status(_ recipe: [UInt8]) async throws -> Int {
                let register = Register(Version(dot: client.dot(), past: VersionVector(), value: .symlink(target: String(repeating: "x", count: 1000))))
                let record = PushRecord(path: try TreePath("/assets/x"), register: register).encoded()
                let part = PushPart.encoded(isLast: false, ticket: [], cursor: [], records: record)
                let body = PackedRecords.pack(part, after: PackedPrefix(recipe: recipe, bytes: []))
                #expect(body.first == 2)
                return try await a.ask("POST", "/sync/push?packed=true&prefixes=true", token: client.token, body: body).status
            }
            for bad in [
                [], recipe([], count: 1), recipe(["/a"], count: 1), recipe(["/b", "/a"]), recipe(["/a", "/c", "/b", "/d"]), recipe(["/", "/a"]),
                recipe(["/a/", "/b"]), recipe(["/a/../b", "/c"]), recipe(["a", "b"]), recipe(["/a", "/b"], count: 65), recipe(["/a", "/b"]) + [0],
                recipe([], count: 1 << 40), recipe(["/a", "/" + String(repeating: "n", count: 256)]),
            ] { #expect(try await status(bad) == 400, "\(bad)") }
            // Spans where nothing is are as good as none; too many of them are not walked through.
            let nowhere = recipe(["/nowhere/a", "/nowhere/b"])
            #expect(try await status(nowhere) == 200)
            let limit = SharedRegisters.maximumPrefixes
            let many = try await a.ask(
                "POST", "/sync/push?packed=true&prefixes=true", token: client.token,
                body: [[UInt8]](repeating: PackedRecords.pack([UInt8](repeating: 0, count: 100), after: PackedPrefix(recipe: nowhere, bytes: [])), count: limit + 1)
                    .flatMap(\.self))
            #expect(many.status == 400)
            #expect(many.text.contains("more prefixes"))
        }
    }
}
