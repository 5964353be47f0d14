import Access
import Merkle
import TestSupport
import Testing

@Suite("Rules for many paths")
struct RuleCursorTests {
    static let names = ["a", "b", "ab", "c"]

    static func randomGlob(_ random: inout SplitMix64) throws -> Glob {
        let parts = (0...random.below(3)).map { _ in
            random.once(in: 3) ? "**" : (0...random.below(2)).map { _ in random.pick(["a", "b", "?", "*"]) }.joined()
        }
        return try Glob((random.once(in: 4) ? "" : "/") + parts.joined(separator: "/"))
    }

    static func randomRules(_ random: inout SplitMix64) throws -> RuleSet {
        let rules = try (0..<random.below(6)).map { _ in
            Rule(path: try randomGlob(&random), allow: Set(Permission.allCases.filter { _ in random.once(in: 2) }))
        }
        let limits = try (0..<random.below(3)).map { _ in try (0..<1 + random.below(3)).map { _ in try randomGlob(&random) } }
        return RuleSet(rules, limits: limits)
    }

    /// All paths of these names down to a depth, in the order of a walk.
    static func paths(below path: TreePath = .root, depth: Int = 3) -> [TreePath] {
        if depth == 0 { return [] }
        return names.sorted().flatMap { name in [path.appending(name)] + paths(below: path.appending(name), depth: depth - 1) }
    }

    @Test("A cursor says what the rules say, in whatever order the paths come", arguments: 0..<60)
    func agrees(seed: UInt64) throws {
        var random = SplitMix64(seed: seed)
        let rules = try Self.randomRules(&random)
        var cursor = RuleCursor(rules)
        var paths = Self.paths()
        if random.once(in: 2) { paths.shuffle(using: &random) }
        for path in paths + [.root] {
            for permission in Permission.allCases {
                #expect(cursor.allows(permission, path) == rules.allows(permission, path), "\(path) under \(rules)")
                #expect(cursor.mayAllow(permission, below: path) == rules.mayAllow(permission, below: path), "below \(path) under \(rules)")
                #expect(cursor.allowsAll(permission, below: path) == rules.allowsAll(permission, below: path), "all below \(path) under \(rules)")
            }
        }
    }

    /// Names of many kinds, in directories of a few.
    static let kinds = ["a.x0", "b.x1", "ab.x1", "x.y", "x", "é.x0", "xé", "x\u{301}", "\r\n", "*", "-", "aa-bb", "aab", "K"]

    static func randomKind(_ random: inout SplitMix64) -> String {
        switch random.below(8) {
        case 0...2: "*.x\(random.below(4))"
        case 3: "\(random.pick(["a", "b", "x"]))*"
        case 4: random.pick(["*-*", "a*b", "*a*b*", "??", "?", "?*", "*?", "**", "*é", "\u{212A}", "?\u{301}", "*\n"])
        default: random.pick(kinds)
        }
    }

    @Test("Under many rules the first pattern that matches decides, by the definition of patterns", arguments: Seed.several(25))
    func firstMatch(seed: Seed) throws {
        var random = seed.generator
        let patterns = (0..<random.pick([3, 8, 70, 140])).map { _ in
            random.pick(["", "/", "/**/", "/a.x0/", "/*/", "/?*/**/", "/x/**/"]) + Self.randomKind(&random) + random.pick(["", "", "", "/**", "/*"])
        }
        let rules = try RuleSet(patterns.map { Rule(path: try Glob($0), allow: random.once(in: 2) ? [.list] : []) })
        let limits = (0..<random.below(3)).map { _ in (0..<1 + random.below(20)).map { _ in Self.randomKind(&random) } }
        var cursor = RuleCursor(try limits.reduce(rules) { $0.limited(to: try $1.map { try Glob($0) }) })
        let names = Self.kinds
        var paths = names.flatMap { first in
            [TreePath.root.appending(first)] + names.map { TreePath.root.appending(first).appending($0) }
        }
        if random.once(in: 2) { paths.shuffle(using: &random) }
        for path in paths {
            let first = patterns.firstIndex { NaiveGlob.matches($0, path) }
            let isWithin = limits.allSatisfy { $0.contains { NaiveGlob.matches($0, path) } }
            let expected = isWithin && first.map { !rules.rules[$0].allow.isEmpty } ?? false
            #expect(cursor.allows(.list, path) == expected, "\(path) under \(patterns) within \(limits)")
        }
    }

    @Test("What rules say of a directory holds for everything in it", arguments: 0..<40)
    func directories(seed: UInt64) throws {
        var random = SplitMix64(seed: seed)
        let rules = try Self.randomRules(&random)
        let paths = Self.paths()
        for directory in Self.paths(depth: 2) {
            let within = paths.filter { $0.isWithin(directory) }
            for permission in Permission.allCases {
                if within.contains(where: { rules.allows(permission, $0) }) { #expect(rules.mayAllow(permission, below: directory)) }
                if rules.allowsAll(permission, below: directory) {
                    #expect(within.allSatisfy { $0 == directory || rules.allows(permission, $0) }, "\(directory) under \(rules)")
                }
            }
        }
    }

    @Test("Limits take away and never give")
    func limits() throws {
        let rules = RuleSet([Rule(path: try Glob("/a/**"), allow: [.read])]).limited(to: [try Glob("/a/x/**"), try Glob("/b/**")])
        #expect(rules.allows(.read, try TreePath("/a/x/f")))
        #expect(!rules.allows(.read, try TreePath("/a/f")))
        #expect(!rules.allows(.read, try TreePath("/b/f")))
        #expect(rules.mayAllow(.read, below: try TreePath("/a")))
        #expect(rules.limited(to: nil) == rules)
        #expect(!RuleSet.everything.limited(to: []).allows(.read, .root))
        #expect(!RuleSet.everything.limited(to: []).isUnrestricted)
        #expect(RuleSet.everything.limited(to: [try Glob("/**")]).isUnrestricted)
    }
}
