import Access
import Content
import Foundation
import Merkle
@testable import Node
import TestSupport
import Testing

/// Tokens that a member signs with its node's key, and that say what it likes.
@Suite("Tokens of other members")
struct ForeignTokenTests {
    /// A token for a key, signed by a node.
    static func token(of issuer: Node, for keyID: String, in cluster: String, node: String? = nil) async throws -> String {
        let now = Int64(issuer.clock.date.timeIntervalSince1970)
        let claims = TokenClaims(
            iss: issuer.id.description, sub: keyID, aud: cluster, kind: .user, iat: now, exp: now + 3600, jti: "x", node: node)
        return try await Tokens.sign(claims, with: issuer.key)
    }

    @Test("A member of a part signs no tokens for keys, from the day on that it is one")
    func partialIssuer() async throws {
        try await withLab { lab in
            let a = try await lab.node("a", founds: true)
            let part = try await lab.node("part", joining: "a", syncPaths: ["/part/**"])
            let full = try await lab.node("full", joining: "a")
            try await a.put("x", at: "/secret/f")
            let root = try #require(try a.cluster().keys.values.first).id
            let cluster = try #require(try a.cluster().id)

            let forged = try await Self.token(of: part, for: root, in: cluster)
            for target in ["/files/secret/f", "/auth/keys", "/sync/members"] {
                #expect(try await a.ask("GET", target, token: forged).status == 401, "\(target)")
            }
            let good = try await Self.token(of: full, for: root, in: cluster)
            #expect(try await a.ask("GET", "/files/secret/f", token: good).status == 200)
            try await a.limitMember(full.id, to: ["/part/**"])
            #expect(try await a.ask("GET", "/files/secret/f", token: good).status == 401)
            #expect(try await a.ask("GET", "/files/secret/f", token: Self.token(of: full, for: root, in: cluster)).status == 401)
        }
    }

    @Test("A member of a part shows nothing to another, and takes nobody's word but its own for who holds a key")
    func partialReceiver() async throws {
        try await withLab { lab in
            let a = try await lab.node("a", founds: true)
            let full = try await lab.node("full", joining: "a")
            try await full.put("x", at: "/part/f")
            try await full.sync()
            let root = try #require(try a.cluster().keys.values.first).id
            let cluster = try #require(try a.cluster().id)
            try await a.limitMember(full.id, to: ["/part/**"])
            try await full.sync()
            let other = try await lab.node("other", joining: "a", syncPaths: ["/else/**"])
            try await full.sync()
            #expect(try full.cluster().members[other.id]?.syncPaths == [])
            let now = Int64(other.clock.date.timeIntervalSince1970)
            func token(of node: Node) async throws -> String {
                try await Tokens.sign(TokenClaims(
                    iss: node.id.description, sub: node.id.description, aud: full.id.description, kind: .node, iat: now, exp: now + 60, jti: "n"),
                    with: node.key)
            }
            #expect(try await full.ask("GET", "/files/part/f", token: token(of: a)).status == 200)
            #expect(try await full.ask("GET", "/files/part/f", token: token(of: other)).status == 404)
            #expect(try await full.ask("GET", "/files/part/f", token: Self.token(of: other, for: root, in: cluster)).status == 401)
        }
    }

    @Test("Nobody but the node that saw the proof takes a token for another node's")
    func namedNode() async throws {
        try await withLab { lab in
            let a = try await lab.node("a", founds: true)
            let b = try await lab.node("b", joining: "a")
            let root = try #require(try a.cluster().keys.values.first).id
            let cluster = try #require(try a.cluster().id)
            for name in [a.id.description, NodeKey().id.description, b.id.description, "nonsense", ""] {
                let token = try await Self.token(of: b, for: root, in: cluster, node: name)
                #expect(try await a.ask("GET", "/sync/status", token: token).status == 401, "\(name)")
            }
            // What no node vouches for names none, and a node's token names itself, whatever it says.
            let plain = try await a.authenticate(Self.token(of: b, for: root, in: cluster))
            #expect(plain.node == nil)
            let now = Int64(a.clock.date.timeIntervalSince1970)
            let claims = TokenClaims(
                iss: b.id.description, sub: b.id.description, aud: a.id.description, kind: .node, iat: now, exp: now + 60, jti: "x",
                node: a.id.description)
            #expect(try await a.authenticate(Tokens.sign(claims, with: b.key)).node == b.id)
            // The proof shown here counts here, and not elsewhere.
            let guest = NodeKey()
            let apiKey = try await a.makeKey(label: "k", rules: [(path: "/**", allow: Permission.allCases)], expiresIn: nil, maker: Lab.owner).key
            try await b.sync()
            let proven = try await a.token(apiKey: apiKey, as: guest)
            #expect(try await a.authenticate(proven).node == guest.id)
            #expect(try await b.ask("GET", "/sync/status", token: proven).status == 401)
        }
    }
}
