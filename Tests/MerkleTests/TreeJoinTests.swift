import Causality
import Content
import Merkle
import TestSupport
import Testing

@Suite("The join of trees")
struct TreeJoinTests {
    @Test("It is the join of the registers, path by path", arguments: Seed.several(40))
    func agreesWithModel(seed: Seed) throws {
        var random = seed.generator
        var pool = RegisterPool(&random)
        let (left, right) = (pool.registers(random.below(80), &random), pool.registers(random.below(80), &random))
        var store = MemoryNodes()
        let (a, b) = (try Subtree.holding(left, in: &store), try Subtree.holding(right, in: &store))
        var told: [TreePath: TreeDifference] = [:]
        let joined = try a.joined(with: b, in: &store) { difference in
            #expect(told.updateValue(difference, forKey: difference.path) == nil)
        }
        let expected = left.merging(right) { $0.joined(with: $1) }
        #expect(try Subtree.holding(expected, in: &store) == joined)
        #expect(joined.aggregates == NaiveTree(expected).aggregates)

        // Each register that changed was told, by itself or within a directory that came whole.
        for (path, register) in expected where left[path] != register {
            if let difference = told[path] {
                #expect(difference.before == left[path])
                #expect(difference.after == register)
            } else {
                #expect(told.values.contains { $0.added != nil && path.isWithin($0.path) })
            }
        }
        for (path, difference) in told {
            #expect(difference.added != nil || left[path] != expected[path])
            #expect(difference.before == left[path])
            #expect(difference.after == expected[path])
        }
    }

    @Test("It is associative, commutative and idempotent", arguments: Seed.several(30))
    func laws(seed: Seed) throws {
        var random = seed.generator
        var pool = RegisterPool(&random)
        var store = MemoryNodes()
        let trees = try (0..<3).map { _ in try Subtree.holding(pool.registers(random.below(60), &random), in: &store) }
        let (a, b, c) = (trees[0], trees[1], trees[2])
        let ab = try a.joined(with: b, in: &store)
        #expect(try b.joined(with: a, in: &store) == ab)
        #expect(try ab.joined(with: c, in: &store) == a.joined(with: b.joined(with: c, in: &store), in: &store))
        #expect(try a.joined(with: a, in: &store) == a)
        #expect(try ab.joined(with: b, in: &store) == ab)
        #expect(try ab.joined(with: a, in: &store) == ab)
        #expect(try a.joined(with: .empty, in: &store) == a)
        #expect(try Subtree.empty.joined(with: a, in: &store) == a)
    }

    @Test("More differences than one batch holds")
    func severalBatches() throws {
        var store = MemoryNodes()
        let register = Register.written(.file("same"))
        func half(_ rest: Int) throws -> Subtree {
            let edits = (0..<18_000).filter { $0 % 2 == rest }.map { TreeEdit(TreePath.root.appending("file-\($0)"), .set(register)) }
            return try Subtree.empty.applying(edits, in: &store)
        }
        let (even, odd) = (try half(0), try half(1))
        var told = 0
        let joined = try even.joined(with: odd, in: &store) { _ in told += 1 }
        #expect(told == 9000)
        #expect(joined.aggregates.files == 18_000)
        let edits = (0..<18_000).map { TreeEdit(TreePath.root.appending("file-\($0)"), .set(register)) }
        #expect(try Subtree.empty.applying(edits, in: &store) == joined)
    }

    // MARK: - A file here, a directory there

    static func joined(_ registers: [[TreePath: Register]]) throws -> (Subtree, MemoryNodes) {
        var store = MemoryNodes()
        var tree = Subtree.empty
        for registers in registers { tree = try tree.joined(with: Subtree.holding(registers, in: &store), in: &store) }
        return (tree, store)
    }

    @Test("A name that is a file on one node and a directory on another keeps both")
    func fileAgainstDirectory() throws {
        let file = Register.written(.file("bb"), by: 1, microseconds: 9)
        let (tree, store) = try Self.joined([[TreePath("/x"): file], [TreePath("/x/y"): .written(.file("a"), by: 2)]])
        let entry = try #require(try tree.entry(named: "x", in: store))
        #expect(entry.isDirectory && entry.isVisible)
        #expect(entry.current == nil)
        #expect(entry.losers == file.versions)
        #expect(tree.aggregates.conflicts == 1)
        #expect(tree.aggregates.files == 1)
        #expect(tree.aggregates.bytes == 1)
    }

    @Test("A directory with nothing but deletions in it does not hide a file")
    func fileAgainstDeletedDirectory() throws {
        let file = Register.written(.file("bb"), by: 1)
        let (tree, store) = try Self.joined([[TreePath("/x"): file], [TreePath("/x/y"): .written(.tombstone, by: 2)]])
        let entry = try #require(try tree.entry(named: "x", in: store))
        #expect(!entry.isDirectory)
        #expect(entry.current == file.winner)
        #expect(entry.losers.isEmpty)
        #expect(tree.aggregates.conflicts == 0)
        #expect(tree.aggregates.files == 1)
        #expect(tree.aggregates.tombstones == 1)
    }

    @Test("That a file was deleted is no news beside a directory")
    func deletionAgainstDirectory() throws {
        let (tree, store) = try Self.joined([
            [TreePath("/x"): .written(.tombstone, by: 1)], [TreePath("/x/y"): .written(.directory, by: 2)],
        ])
        let entry = try #require(try tree.entry(named: "x", in: store))
        #expect(entry.isDirectory)
        #expect(entry.losers.isEmpty)
        #expect(tree.aggregates.conflicts == 0)
        #expect(tree.aggregates.directories == 1)
        #expect(tree.aggregates.tombstones == 1)
    }

    @Test("Beside a directory, of a conflict between an edit and a deletion the edit alone is told")
    func conflictAgainstDirectory() throws {
        let (tree, store) = try Self.joined([
            [TreePath("/x"): .written(.tombstone, by: 1)], [TreePath("/x"): .written(.file("bb"), by: 2)],
            [TreePath("/x/y"): .written(.file("a"), by: 3)],
        ])
        let entry = try #require(try tree.entry(named: "x", in: store))
        #expect(entry.register?.losers.map(\.value) == [.tombstone])
        #expect(entry.losers.map(\.value) == [.file("bb")])
        #expect(tree.aggregates.conflicts == 1)
    }

    @Test("Conflicts are counted by path, and found by going only where they are")
    func conflictCounts() throws {
        let (tree, store) = try Self.joined((0..<3).map { node in
            [
                try TreePath("/a/b/c"): .written(.file("version \(node)"), by: node),
                try TreePath("/a/same"): .written(.file("same"), by: node),
                try TreePath("/d/\(node)"): .written(.file("lone"), by: node),
            ]
        })
        #expect(tree.aggregates.conflicts == 1)
        #expect(try tree.entry(at: TreePath("/a"), in: store)?.aggregates.conflicts == 1)
        #expect(try tree.entry(at: TreePath("/d"), in: store)?.aggregates.conflicts == 0)
        #expect(try tree.entry(at: TreePath("/a/b/c"), in: store)?.losers.count == 2)
    }
}
