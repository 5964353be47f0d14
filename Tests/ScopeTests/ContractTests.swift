import Access
import Causality
import Content
import FileDatabase
import Foundation
import Merkle
@testable import Node
import Synchronization
import TestSupport
import Testing

/// What the API page promises, of one node without sockets.
@Suite("The contract, route by route")
struct ContractTests {
    /// A node that has founded a cluster, and a token for everything there.
    static func withNode(_ body: (Lab, Node, String) async throws -> Void) async throws {
        try await withLab { lab in
            let node = try await lab.node("a", founds: true)
            try await body(lab, node, try await token(node, [("/**", Permission.allCases)]))
        }
    }

    static func token(_ node: Node, _ rules: [(path: String, allow: [Permission])]) async throws -> String {
        let key = try await node.makeKey(label: "k", rules: rules, expiresIn: nil, maker: Lab.owner).key
        return try await node.grant(apiKey: key, client: "test").token
    }

    static func items(_ answer: Seen) -> [[String: Any]] { answer.json["items"] as? [[String: Any]] ?? [] }

    @Test("Listings of peers, members, keys and tasks come in pages")
    func pages() async throws {
        try await Self.withNode { lab, node, token in
            _ = try await lab.node("b", joining: "a")
            _ = try await node.addPeer(address: "http://nobody:1", label: nil, syncPaths: nil, token: nil)
            for _ in 0..<3 { _ = try await Self.token(node, [("/k/**", [.read])]) }
            for _ in 0..<3 {
                _ = try await node.startTask(.verify, isDryRun: false, rate: nil)
                await node.careTasks.drain()
            }
            for (route, count, name) in [("/sync/peers", 2, "address"), ("/sync/members", 2, "node_id"), ("/auth/keys", 5, "id"), ("/system/tasks", 3, "id")] {
                let all = Self.items(try await node.ask("GET", route, token: token)).compactMap { $0[name] as? String }
                #expect(all.count == count, "\(route)")
                var found: [String] = []
                var cursor = ""
                repeat {
                    let page = try await node.ask("GET", "\(route)?limit=1\(cursor)", token: token)
                    #expect(page.status == 200 && Self.items(page).count == 1, "\(route): \(page.text)")
                    found += Self.items(page).compactMap { $0[name] as? String }
                    cursor = (page.json["next"] as? String).map { "&after=\($0)" } ?? ""
                } while !cursor.isEmpty && found.count <= count
                #expect(found == all, "\(route)")
                for query in ["limit=0", "limit=10001", "after=%21", "x=1"] {
                    #expect(try await node.ask("GET", "\(route)?\(query)", token: token).status == 400, "\(route) \(query)")
                }
            }
        }
    }

    @Test("A peer that never answered goes by its address")
    func peersWithoutID() async throws {
        try await Self.withNode { lab, node, token in
            func name(_ address: String) -> String { "/sync/peers/" + address.addingPercentEncoding(withAllowedCharacters: .alphanumerics)! }
            let absent = "http://nobody:1"
            let made = try await node.ask("POST", "/sync/peers", token: token, json: #"{"address": "\#(absent)"}"#)
            #expect(made.status == 201 && made.json["node_id"] is NSNull, "\(made.text)")
            let changed = try await node.ask("PATCH", name(absent), token: token, json: #"{"label": "later", "sync_paths": ["/x/**"]}"#)
            #expect(changed.status == 200 && changed.json["label"] as? String == "later", "\(changed.text)")
            #expect(node.local.value.peers.map(\.syncPaths) == [["/x/**"]])
            #expect(try await node.ask("DELETE", name("http://other:1"), token: token).status == 404)
            #expect(try await node.ask("PATCH", name("http://other:1"), token: token, json: "{}").status == 404)
            for text in ["nonsense", "ftp:%2F%2Fx", "http:%2F%2F"] {
                #expect(try await node.ask("DELETE", "/sync/peers/\(text)", token: token).status == 400, "\(text)")
            }
            #expect(try await node.ask("DELETE", name(absent), token: token).status == 204)
            #expect(node.local.value.peers.isEmpty && node.peers().isEmpty)
            #expect(try await node.ask("DELETE", name(absent), token: token).status == 404)
            // This node is no peer of its own, by whatever name.
            for address in [Lab.address("a"), Lab.address("a") + "/"] {
                #expect(try await node.ask("POST", "/sync/peers", token: token, json: #"{"address": "\#(address)"}"#).status == 409)
            }
            node.setAddress(Lab.address("elsewhere"))
            let itself = try await node.ask("POST", "/sync/peers", token: token, json: #"{"address": "\#(Lab.address("a"))"}"#)
            #expect(itself.status == 409, "\(itself.text)")
            #expect(node.local.value.peers.isEmpty && node.peers().isEmpty)
            for address in ["nonsense", "ftp://x", "http://", "https://nonsense/path"] {
                #expect(try await node.ask("POST", "/sync/peers", token: token, json: #"{"address": "\#(address)"}"#).status == 400, "\(address)")
            }
        }
    }

    @Test("A peer that is added with a token and does not answer is joined as soon as it does")
    func joiningLater() async throws {
        try await Self.withNode { lab, node, _ in
            try await node.put("x", at: "/f")
            let guest = try await lab.node("guest", founds: true)
            let token = try await Self.token(guest, [("/**", Permission.allCases)])
            let invitation = try node.invite(label: nil, expiresIn: nil, syncPaths: nil).invitation
            let body = #"{"address": "\#(Lab.address("a"))", "label": "hub", "token": "\#(invitation)"}"#
            lab.cut(["guest"], from: ["a"])
            let made = try await guest.ask("POST", "/sync/peers", token: token, json: body)
            #expect(made.status == 201 && made.json["state"] as? String == "disconnected", "\(made.text)")
            #expect(try await guest.trigger().map(\.ok) == [false])
            lab.endCuts()
            try await guest.sync()
            let own = try guest.cluster().id
            #expect(try own == node.cluster().id)
            #expect(try await guest.text("/f") == "x")
            #expect(guest.peers().map(\.label) == ["hub"] && guest.peers().first?.nodeID == node.id.description)
        }
    }

    @Test("A token that the peer refuses is told at once, and not tried for ever")
    func refusedJoin() async throws {
        try await Self.withNode { lab, node, _ in
            let guest = try await lab.node("guest", founds: true)
            let token = try await Self.token(guest, [("/**", Permission.allCases)])
            let invitation = try node.invite(label: nil, expiresIn: nil, syncPaths: nil).invitation
            _ = try await lab.node("first")
            try await lab["first"].join(address: Lab.address("a"), token: invitation)
            let body = #"{"address": "\#(Lab.address("a"))", "token": "\#(invitation)"}"#
            #expect(try await guest.ask("POST", "/sync/peers", token: token, json: body).status == 403)
            lab.cut(["guest"], from: ["a"])
            #expect(try await guest.ask("POST", "/sync/peers", token: token, json: body).status == 201)
            lab.endCuts()
            #expect(try await guest.trigger().first?.error?.contains("used before") == true)
            #expect(guest.allLinks().allSatisfy { $0.state.withLock { $0.pendingJoin == nil } })
        }
    }

    @Test("Moves and copies heed conditions on what they take")
    func conditions() async throws {
        try await Self.withNode { _, node, token in
            try await node.put("one", at: "/f")
            try await node.put("two", at: "/g")
            try await node.put("three", at: "/d/x")
            func hash(_ path: String) throws -> String { try #require(try node.database.view.info(at: TreePath(path))?.contentHash).description }
            let (one, two) = (try hash("/f"), try hash("/g"))
            func move(_ path: String, _ field: String, _ value: String, to target: String = "/moved") async throws -> Int {
                try await node.ask("PATCH", "/files" + path, token: token, body: Array(#"{"to": "\#(target)"}"#.utf8), headers: [field: value]).status
            }
            func copy(_ field: String, _ value: String, to target: String, replace: Bool = false) async throws -> Int {
                let body = #"{"from": "/g", "to": "\#(target)", "replace": \#(replace)}"#
                return try await node.ask("POST", "/files/copy", token: token, body: Array(body.utf8), headers: [field: value]).status
            }
            #expect(try await move("/f", "If-Match", "\"\(two)\"") == 412)
            #expect(try await move("/f", "If-None-Match", "*") == 412)
            #expect(try await move("/f", "If-Match", "nonsense") == 400)
            #expect(try await move("/d", "If-Match", "*") == 412)
            #expect(try await move("/none", "If-Match", "*") == 404)
            #expect(try await node.text("/moved") == nil)
            #expect(try await move("/f", "If-Match", "\"x\", \"\(one)\"") == 200)
            #expect(try await node.text("/moved") == "one")
            #expect(try await copy("If-Match", "\"\(one)\"", to: "/copy") == 412)
            #expect(try await copy("If-None-Match", "*", to: "/moved", replace: true) == 412)
            #expect(try await node.text("/moved") == "one")
            #expect(try await copy("If-None-Match", "*", to: "/copy") == 201)
            #expect(try await copy("If-Match", "\"\(two)\"", to: "/moved", replace: true) == 201)
            #expect(try await node.text("/moved") == "two")
        }
    }

    @Test("Who may do everything with a file may restore it")
    func restoringFiles() async throws {
        try await Self.withNode { _, node, _ in
            let token = try await Self.token(node, [("/k/**/*.txt", Permission.allCases)])
            try await node.put("old", at: "/k/a/f.txt")
            let version = try #require(try node.register("/k/a/f.txt")).winner.dot.description
            try await node.put("new", at: "/k/a/f.txt")
            func restore(_ path: String, _ what: String) async throws -> Int {
                try await node.ask("POST", "/versions/restore", token: token, json: #"{"path": "\#(path)", \#(what)}"#).status
            }
            #expect(try await restore("/k/a/f.txt", #""version": "\#(version)", "preview": true"#) == 200)
            #expect(try await restore("/k/a/f.txt", #""version": "\#(version)""#) == 200)
            #expect(try await node.text("/k/a/f.txt") == "old")
            // A directory of that name has what the rule does not speak of, now or then.
            try await node.put("x", at: "/k/d.txt/deep")
            let commit = try #require(node.database.head.hash)
            #expect(try await restore("/k/d.txt", #""at": "\#(commit)""#) == 403)
            try await node.database.delete(TreePath("/k/d.txt"), recursive: true)
            try await node.put("file", at: "/k/d.txt")
            #expect(try await restore("/k/d.txt", #""at": "\#(commit)""#) == 403)
        }
    }

    @Test("A heartbeat names a node")
    func heartbeats() async throws {
        try await Self.withNode { _, node, token in
            for (id, status) in [("zz", 400), ("", 400), (String(repeating: "A", count: 64), 400), (String(repeating: "a", count: 64), 200)] {
                let body = #"{"intent_time": 1, "construct_time": 1, "node_id": "\#(id)"}"#
                let answer = try await node.ask("POST", "/sync/heartbeat", token: token, json: body)
                #expect(answer.status == status, "\(id): \(answer.text)")
            }
        }
    }

    @Test("Patterns and times that are refused are refused with the reason")
    func reasons() async throws {
        try await Self.withNode { _, node, token in
            for (target, words) in [
                ("/files/?glob=", "the pattern is empty"), ("/files/?glob=" + String(repeating: "**%2Fa%2F", count: 500), "more than 64 names"),
                ("/files/?at=1600-01-01T00:00:00Z", "is out of range"), ("/files/?at=2300-01-01T00:00:00Z", "is out of range"),
                ("/files/?at=2023-02-29T00:00:00Z", "is no time"),
            ] {
                let answer = try await node.ask("GET", target, token: token)
                #expect(answer.status == 400 && answer.text.contains(words), "\(target.prefix(60)): \(answer.text)")
            }
            let long = String(repeating: "**/a/", count: 500)
            for (route, body) in [
                ("/sync/diff", #"{"since": null, "paths": ["\#(long)"]}"#), ("/auth/keys", #"{"label": "k", "rules": [{"path": "\#(long)", "allow": []}]}"#),
                ("/sync/invitations", #"{"sync_paths": ["\#(long)"]}"#),
                ("/sync/diff", #"{"since": null, "paths": [\#(Array(repeating: #""a""#, count: 1001).joined(separator: ","))]}"#),
            ] {
                let answer = try await node.ask("POST", route, token: token, json: body)
                #expect(answer.status == 400, "\(route): \(answer.text)")
            }
            let put = try await node.ask("PUT", "/files/f", token: token, headers: ["Pando-Modified-At": "1600-01-01T00:00:00Z"])
            #expect(put.status == 400 && put.text.contains("out of range"), "\(put.text)")
        }
    }

    @Test("Patterns of many names over a deep path cost no more than the path is long")
    func deepPatterns() async throws {
        try await Self.withNode { _, node, token in
            try await node.put("x", at: "/" + String(repeating: "a/", count: 1022) + "f")
            // Matched from the root at each depth, it takes minutes.
            let pattern = String(repeating: "**/a/", count: 32)
            let listed = try await node.ask("GET", "/files/?glob=" + pattern.replacing("/", with: "%2F"), token: token)
            #expect(Self.items(listed).count > 900, "\(listed.text.prefix(300))")
            let patterns = Array(repeating: #""\#(pattern)""#, count: 20).joined(separator: ",")
            let diff = try await node.ask("POST", "/sync/diff", token: token, json: #"{"since": null, "paths": [\#(patterns)]}"#)
            #expect(diff.status == 200)
        }
    }
}
