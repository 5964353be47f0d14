import Access
import Foundation
import Merkle
@testable import Node
import TestSupport
import Testing

@Suite("Keys made with keys")
struct KeyGrantTests {
    typealias Rules = [(path: String, allow: [Permission])]

    static let own: Rules = [("/k/pub/secret/**", []), ("/k/pub/**", [.read, .list])]

    static func rules(_ rules: Rules) throws -> RuleSet {
        RuleSet(try rules.map { Rule(path: try Glob($0.path), allow: Set($0.allow)) })
    }

    @Test("A key passes on its own rules, and parts of them")
    func within() throws {
        let maker = try Self.rules(Self.own)
        for granted: Rules in [
            Self.own, [("/k/pub/secret/**", []), ("/k/pub/**", [.read])], [("/k/pub/docs/**", [.read])], [("/k/pub/a", [.list])], [],
            [("/k/pub/secret/**", []), ("/k/pub/*", [.read])], [("/elsewhere/**", [])],
        ] {
            #expect(try maker.firstExcess(of: Self.rules(granted)) == nil, "\(granted)")
        }
        let texts: Rules = [("/k/**/*.txt", [.read]), ("/j/?", [.read])]
        #expect(try Self.rules(texts).firstExcess(of: Self.rules(texts)) == nil)
        #expect(try Self.rules(texts).firstExcess(of: Self.rules([("/k/a/b.txt", [.read])])) == nil)
    }

    @Test("It passes on nothing else")
    func beyond() throws {
        let maker = try Self.rules(Self.own)
        for granted: Rules in [
            [("/k/pub/**", [.read])], [("/k/pub/**", [.read]), ("/k/pub/secret/**", [])], [("/k/pub/secret/f", [.read])], [("/**", [.read])],
            [("/k/pub/docs/**", [.write])], [("/k/pub/secret/a/**", []), ("/k/pub/**", [.read])], [("**/x", [.list])], [("/k/pub/?ecret/**", [.read])],
            [("/k/pub/docs/**", [.read]), ("/k/pub/secret", [.read])], [("/k/*", [.read])],
        ] {
            #expect(try maker.firstExcess(of: Self.rules(granted)) != nil, "\(granted)")
        }
        // The directory itself is decided by a rule of its own.
        let closed = try Self.rules([("/k/pub", []), ("/k/**", [.list])])
        #expect(try closed.firstExcess(of: Self.rules([("/k/pub/**", [.list])])) != nil)
    }

    @Test("What is granted is never more than the maker has", arguments: Seed.several(40))
    func neverMore(seed: Seed) throws {
        var random = seed.generator
        let paths = [TreePath.root] + RuleCursorTests.paths()
        for _ in 0..<20 {
            let maker = try RuleCursorTests.randomRules(&random)
            var granted = RuleSet(random.once(in: 2) ? maker.rules : try RuleCursorTests.randomRules(&random).rules)
            if random.once(in: 2), !granted.rules.isEmpty { granted.rules.remove(at: random.below(granted.rules.count)) }
            if maker.firstExcess(of: granted) != nil { continue }
            for path in paths {
                for permission in Permission.allCases where granted.allows(permission, path) {
                    #expect(maker.allows(permission, path), "\(permission) at \(path): \(granted) of \(maker)")
                }
            }
        }
    }

    /// A key, and who holds it.
    static func make(_ node: Node, _ rules: Rules, expiresIn: TimeInterval? = nil, maker: Principal = Lab.owner) async throws -> (info: KeyInfo, holder: Principal, key: String) {
        let (key, info) = try await node.makeKey(label: "k", rules: rules, expiresIn: expiresIn, maker: maker)
        return (info, try await node.authenticate(keyOrToken: key, client: "test"), key)
    }

    @Test("A key does not outlive the one that it was made with")
    func lifetime() async throws {
        try await withLab { lab in
            let node = try await lab.node("a", founds: true)
            let rules: Rules = [("/k/**", [.read])]
            let maker = try await Self.make(node, rules, expiresIn: 1000)
            #expect(try await Self.make(node, rules, maker: maker.holder).info.expiresAt == maker.info.expiresAt)
            #expect(try await Self.make(node, rules, expiresIn: 10, maker: maker.holder).info.expiresAt ?? "z" < maker.info.expiresAt ?? "")
            let error = await #expect(throws: NodeError.self) { try await Self.make(node, rules, expiresIn: 2000, maker: maker.holder) }
            #expect(error?.code == .forbidden)
            // All rights for an hour are no rights for ever.
            let admin = try await Self.make(node, [("/**", Permission.allCases)], expiresIn: 3600)
            #expect(try await Self.make(node, rules, maker: admin.holder).info.expiresAt == admin.info.expiresAt)
        }
    }

    @Test("A key is revoked with the one that it was made with, and root keys can be changed")
    func revocation() async throws {
        try await withLab { lab in
            let (a, b) = (try await lab.node("a", founds: true), try await lab.node("b", joining: "a"))
            let rules: Rules = [("/k/**", [.read])]
            let root = try await Self.make(a, [("/**", Permission.allCases)])
            let maker = try await Self.make(a, rules, maker: root.holder)
            let child = try await Self.make(a, rules, maker: maker.holder)
            let grandchild = try await Self.make(a, rules, maker: child.holder)
            try await b.sync()
            let token = try await b.grant(apiKey: grandchild.key, client: "test")
            try await a.revokeKey(root.info.id)
            _ = try await a.authenticate(keyOrToken: maker.key, client: "test")
            // Made on another member while the maker's is revoked here.
            let late = try await Self.make(b, rules, maker: maker.holder)
            try await a.revokeKey(maker.info.id)
            try await b.sync()
            for node in [a, b] {
                for key in [maker, child, grandchild, late] {
                    await #expect(throws: NodeError.self) { try await node.authenticate(keyOrToken: key.key, client: "test") }
                }
                await #expect(throws: NodeError.self) { try await node.authenticate(token.token) }
            }
            await #expect(throws: NodeError.self) { try await b.grant(refreshToken: token.refreshToken, client: "test") }
            await #expect(throws: NodeError.self) { try await Self.make(b, rules, maker: late.holder) }
        }
    }

    @Test("A row of keys made one with the other comes to an end")
    func row() async throws {
        try await withLab { lab in
            let node = try await lab.node("a", founds: true)
            let rules: Rules = [("/k/**", [.read])]
            var last = try await Self.make(node, rules)
            for _ in 0..<Cluster.maximumMakers { last = try await Self.make(node, rules, maker: last.holder) }
            let error = await #expect(throws: NodeError.self) { try await Self.make(node, rules, maker: last.holder) }
            #expect(error?.code == .conflict)
        }
    }
}
