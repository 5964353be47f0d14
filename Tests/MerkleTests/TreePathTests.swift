import Merkle
import TestSupport
import Testing

@Suite("Paths")
struct TreePathTests {
    @Test(arguments: [
        ("/", []), ("/a", ["a"]), ("/a/", ["a"]), ("/a/b", ["a", "b"]), ("/.a/..b/...", [".a", "..b", "..."]),
        ("/é/日本/🌳", ["é", "日本", "🌳"]), ("/ / \t", [" ", " \t"]), ("/a\\b", ["a\\b"]),
    ] as [(String, [String])])
    func accepted(text: String, names: [String]) throws {
        let path = try TreePath(text)
        #expect(path.names == names)
        #expect(try TreePath(names: names) == path)
        #expect(try TreePath(path.description) == path)
        #expect(path.length == path.description.utf8.count)
        #expect(path.isRoot == names.isEmpty)
    }

    @Test("Each rule has an error that names it", arguments: [
        ("", "must start with '/'"), ("a", "must start with '/'"), ("a/b", "must start with '/'"),
        ("//a", "empty name"), ("/a//b", "empty name"), ("/a//", "empty name"),
        ("/.", "'.'"), ("/..", "'..'"), ("/a/../b", "'..'"), ("/a/./b", "'.'"),
        ("/a\0b", "NUL"),
        ("/e\u{301}", "normalisation form C"), ("/\u{212b}", "normalisation form C"), ("/a\u{301}\u{323}", "normalisation form C"),
        ("/" + String(repeating: "x", count: 256), "name of 256 bytes; 255 are allowed"),
        ("/" + String(repeating: "é", count: 128), "name of 256 bytes"),
        (String(repeating: "/abc", count: 1024) + "/", "longer than 4096 bytes"),
    ])
    func refused(text: String, reason: String) {
        let error = #expect(throws: InvalidPath.self) { try TreePath(text) }
        #expect(error?.description.contains(reason) == true)
        #expect(error?.path.utf8.count ?? .max <= text.utf8.count)
    }

    @Test("A name in parts follows the same rules, and has no slash")
    func refusedNames() {
        for name in ["", ".", "..", "a/b", "/", "\0", "e\u{301}", String(repeating: "x", count: 256)] {
            #expect(TreePath.fault(inName: name) != nil)
            #expect(throws: InvalidPath.self) { try TreePath(names: ["a", name]) }
        }
        #expect(TreePath.fault(inName: String(repeating: "x", count: 255)) == nil)
        #expect(throws: InvalidPath.self) { try TreePath(names: Array(repeating: "abcd", count: 1000)) }
    }

    @Test("The longest paths")
    func lengths() throws {
        let longest = String(repeating: "/abc", count: 1024)
        #expect(try TreePath(longest).length == 4096)
        #expect(throws: InvalidPath.self) { try TreePath(longest + "d") }
        #expect(try TreePath(names: TreePath(longest).names).depth == 1024)
    }

    @Test("An error does not grow with what was wrong")
    func errorsAreShort() {
        let marks = String(repeating: "\u{301}", count: 100_000)
        for text in ["a" + marks, "/a" + marks, String(repeating: "x", count: 100_000)] {
            let error = #expect(throws: InvalidPath.self) { try TreePath(text) }
            #expect(error?.description.utf8.count ?? .max < 1500)
        }
    }

    @Test("The order is that of the names' bytes, a directory before what is in it", arguments: Seed.several(5))
    func order(seed: Seed) {
        var random = seed.generator
        let names = ["a", "a!", "a0", "b", "é", "q\u{323}", "日", "\u{ffee}", "🌳"]
        for _ in 0..<500 {
            let left = (0..<random.below(4)).map { _ in random.pick(names) }
            let right = (0..<random.below(4)).map { _ in random.pick(names) }
            let (first, second) = (left.reduce(TreePath.root) { $0.appending($1) }, right.reduce(TreePath.root) { $0.appending($1) })
            // A slash sorts before every byte that a name can have.
            let key = { (names: [String]) in names.map { Array($0.utf8) }.joined(separator: [0]) }
            #expect((first < second) == key(left).lexicographicallyPrecedes(key(right)))
            #expect((first == second) == (left == right))
            #expect(first.isWithin(second) == (left.prefix(right.count) == right[...]))
        }
    }

    @Test func relations() throws {
        let path = try TreePath("/a/b/c")
        #expect(try path.parent == TreePath("/a/b"))
        #expect(path.name == "c")
        #expect(path.depth == 3)
        #expect(TreePath.root.parent == nil)
        #expect(TreePath.root.name == nil)
        #expect(path.isWithin(.root) && path.isWithin(path))
        for (inner, outer) in [("/a/b/c", "/a/b/cc"), ("/ab", "/a"), ("/a", "/a/b")] {
            #expect(try !TreePath(inner).isWithin(TreePath(outer)))
        }
        #expect(try TreePath("/a").appending(["b", "c"][...]) == path)
    }
}
