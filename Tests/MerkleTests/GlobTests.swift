import Merkle
import TestSupport
import Testing

@Suite("Globs")
struct GlobTests {
    static func randomPattern(_ random: inout SplitMix64) -> String {
        let parts = (0...random.below(4)).map { _ in
            random.once(in: 3) ? "**" : (0...random.below(2)).map { _ in random.pick(["a", "b", "?", "*"]) }.joined()
        }
        return (random.once(in: 3) ? "" : "/") + parts.joined(separator: "/")
    }

    /// Every path over these names down to a depth, from a path on.
    static func paths(below path: TreePath, depth: Int, names: [String] = ["a", "b", "ab", "ba", "aa", "bb"]) -> [TreePath] {
        if depth == 0 { return [] }
        return names.flatMap { [path.appending($0)] + paths(below: path.appending($0), depth: depth - 1, names: names) }
    }

    static let universe = [TreePath.root] + paths(below: .root, depth: 3)

    @Test("It matches what the definition matches", arguments: Seed.several(20))
    func agreesWithDefinition(seed: Seed) throws {
        var random = seed.generator
        for _ in 0..<8 {
            let pattern = Self.randomPattern(&random)
            let glob = try Glob(pattern)
            for path in Self.universe {
                #expect(glob.matches(path) == NaiveGlob.matches(pattern, path), "\(pattern) on \(path)")
            }
        }
    }

    @Test("What can match below a path, and what matches all below it, is so", arguments: Seed.several(20))
    func below(seed: Seed) throws {
        var random = seed.generator
        for _ in 0..<8 {
            let pattern = Self.randomPattern(&random)
            let glob = try Glob(pattern)
            let path = random.pick(Self.universe.filter { $0.depth < 3 })
            // A pattern has at most four parts of one or two characters, which four more names satisfy if any do.
            let below = Self.paths(below: path, depth: 4)
            #expect(glob.canMatch(below: path) == below.contains { NaiveGlob.matches(pattern, $0) }, "\(pattern) below \(path)")
            if glob.matchesAll(below: path) {
                #expect(below.allSatisfy { NaiveGlob.matches(pattern, $0) }, "\(pattern) below \(path)")
            }
        }
    }

    @Test(arguments: [
        ("/a/**", "/a", true), ("/a/**", "/a/b", true), ("/a/**", "/", false), ("/a/**", "/b", false),
        ("**", "/", true), ("/**", "/a", true), ("/**/a/**", "/b/a", true), ("/*/a", "/b", false), ("a", "/", false),
    ])
    func matchesAllBelow(pattern: String, path: String, expected: Bool) throws {
        #expect(try Glob(pattern).matchesAll(below: TreePath(path)) == expected)
    }

    @Test(arguments: [
        ("/a", "/a", true), ("/a", "/b/a", false), ("a", "/a", true), ("a", "/b/a", true), ("a", "/b/a/c", false),
        ("/a/**", "/a", true), ("/a/**", "/a/b/c", true), ("/a/**", "/ab", false), ("*.txt", "/x/y.txt", true),
        ("/*.txt", "/x/y.txt", false), ("/a/*", "/a/b/c", false), ("/a/**/c", "/a/c", true), ("/a/**/c", "/a/x/y/c", true),
        ("**", "/", true), ("/", "/", true), ("/", "/a", false), ("/a/", "/a", true), ("/a?c", "/abc", true), ("/a?c", "/ac", false),
        ("/?", "/🌳", true), ("/?", "/é", true), ("/a**c", "/abbc", true), ("/[a]", "/[a]", true), ("/A", "/a", false),
    ])
    func examples(pattern: String, path: String, expected: Bool) throws {
        #expect(try Glob(pattern).matches(TreePath(path)) == expected)
    }

    @Test("A path without wildcards matches itself as a pattern", arguments: [
        "/a/b", "/a/\u{301}b", "/\u{301}", "/q\u{323}\u{301}/\u{200d}x", "/é/🌳", "/a\r\nb",
    ])
    func literal(text: String) throws {
        let path = try TreePath(text)
        #expect(try Glob(text).matches(path))
        #expect(try !Glob(text).matches(TreePath.root.appending("x").appending(path.names[...])))
    }

    @Test("A cursor says what the patterns say, in whatever order the paths come", arguments: Seed.several(20))
    func cursor(seed: Seed) throws {
        var random = seed.generator
        let globs = try (0..<1 + random.below(6)).map { _ in try Glob(Self.randomPattern(&random)) }
        var cursor = GlobCursor(globs)
        var paths = Self.universe
        if random.once(in: 2) { paths.shuffle(using: &random) }
        for path in paths {
            #expect(cursor.matches(path) == globs.contains { $0.matches(path) }, "\(path) under \(globs)")
            #expect(cursor.canMatch(below: path) == globs.contains { $0.canMatch(below: path) }, "below \(path) under \(globs)")
        }
    }

    @Test("A walk down a deep path costs the same at each depth")
    func deepWalk() throws {
        let glob = try Glob(asked: String(repeating: "**/a/", count: 32))
        var cursor = GlobCursor([glob])
        var path = TreePath.root
        // From the root each time this takes minutes.
        for depth in 1...2045 {
            path = path.appending("a")
            #expect(cursor.canMatch(below: path) == true)
            #expect(cursor.matches(path) == (depth >= 32))
        }
    }

    @Test("Who asks for many names at any depth is told how many there may be")
    func askedPatterns() throws {
        for (text, isTaken) in [
            (String(repeating: "**/a/", count: 32), true), (String(repeating: "**/a/", count: 33), false), ("/" + String(repeating: "a/", count: 500), true),
            ("/b/**/" + String(repeating: "a/", count: 64), true), ("/b/**/" + String(repeating: "a/", count: 65), false),
        ] {
            #expect(((try? Glob(asked: text)) != nil) == isTaken, "\(text)")
            _ = try Glob(text)
        }
        let error = #expect(throws: InvalidPath.self) { try Glob(asked: String(repeating: "**/a/", count: 500)) }
        #expect(error?.description.contains("64") == true && error?.description.hasPrefix("pattern") == true)
    }

    @Test func refusedPatterns() {
        #expect(throws: InvalidPath.self) { try Glob("") }
        #expect(throws: InvalidPath.self) { try Glob("/a\0") }
        #expect(throws: InvalidPath.self) { try Glob("/" + String(repeating: "x", count: 4096)) }
    }

    @Test("Patterns of many stars end: trying everything would take longer than the universe has lasted")
    func manyStars() throws {
        let name = String(repeating: "a", count: 255)
        let stars = try Glob("/" + String(repeating: "*a", count: 100) + "*b")
        #expect(try !stars.matches(TreePath("/" + name)))
        #expect(try stars.matches(TreePath("/" + name.dropLast() + "b")))
        let deep = try TreePath(String(repeating: "/a", count: 300))
        let names = try Glob(String(repeating: "/**/a", count: 100) + "/b")
        #expect(!names.matches(deep))
        #expect(names.matches(deep.appending("b")))
        #expect(names.canMatch(below: deep))
        #expect(!names.matchesAll(below: deep))
    }
}
