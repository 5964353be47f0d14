import Causality
import Content
import Merkle
import TestSupport
import Testing

@Suite("Differences of trees")
struct TreeDiffTests {
    struct Difference: Equatable {
        var path: TreePath
        var before: Register?
        var after: Register?
        var added: ContentHash?
    }

    static func differences(
        from before: Subtree, to after: Subtree, in reader: some NodeReader, keepsAddedWhole: Bool = false,
        descend: @escaping (TreePath) -> Bool = { _ in true }
    ) throws -> [Difference] {
        var diff = try TreeDiff(from: before, to: after, in: reader, keepsAddedWhole: keepsAddedWhole, descend: descend)
        var result: [Difference] = []
        while let difference = try diff.next() {
            result.append(Difference(
                path: difference.path, before: difference.before, after: difference.after, added: difference.added?.root))
        }
        return result
    }

    /// Two trees that have much in common.
    static func registers(_ random: inout SplitMix64) -> ([TreePath: Register], [TreePath: Register]) {
        var pool = RegisterPool(&random)
        let before = pool.registers(random.below(250), &random)
        var after = before
        for path in before.keys.sorted() where random.once(in: 12) { after[path] = nil }
        for path in before.keys.sorted() where random.once(in: 12) { after[path] = pool.register(at: path, &random) }
        after.merge(pool.registers(random.below(20), &random)) { $1 }
        return (before, after)
    }

    @Test("They are those of two dictionaries", arguments: Seed.several(40))
    func agreesWithModel(seed: Seed) throws {
        var random = seed.generator
        let (before, after) = Self.registers(&random)
        var store = MemoryNodes()
        let (left, right) = (try Subtree.holding(before, in: &store), try Subtree.holding(after, in: &store))
        let expected = Set(before.keys).union(after.keys).sorted().filter { before[$0] != after[$0] }.map {
            Difference(path: $0, before: before[$0], after: after[$0])
        }
        #expect(try Self.differences(from: left, to: right, in: store) == expected)
        #expect(try Self.differences(from: left, to: left, in: store) == [])
        #expect(try Self.differences(from: .empty, to: right, in: store).map(\.path) == after.keys.sorted())
        #expect(try Self.differences(from: right, to: .empty, in: store).map(\.path) == after.keys.sorted())
        let open = try Self.differences(from: left, to: right, in: store) { !["a", "n1"].contains($0.name) }
        #expect(open == expected.filter { !$0.path.names.dropLast().contains("a") && !$0.path.names.dropLast().contains("n1") })
    }

    /// What a join asks for, on dictionaries.
    static func naiveAdditions(_ before: NaiveTree, _ after: NaiveTree, at path: TreePath, in store: inout MemoryNodes) throws -> [Difference] {
        var result: [Difference] = []
        for name in Set(before.children.keys).union(after.children.keys).sorted(by: { $0.utf8.lexicographicallyPrecedes($1.utf8) }) {
            let (left, right) = (before.children[name] ?? NaiveTree(), after.children[name] ?? NaiveTree())
            let path = path.appending(name)
            var difference = Difference(path: path, before: left.register, after: right.register)
            var below: [Difference] = []
            if left.children.isEmpty, !right.children.isEmpty {
                var registers: [TreePath: Register] = [:]
                for found in right.walked() { registers[found.path] = found.register }
                difference.added = try Subtree.holding(registers, in: &store).root
            } else if !right.children.isEmpty {
                below = try naiveAdditions(left, right, at: path, in: &store)
            }
            if left.register != right.register || difference.added != nil { result.append(difference) }
            result += below
        }
        return result
    }

    @Test("For a join, added directories are told whole and missing ones not at all", arguments: Seed.several(40))
    func additions(seed: Seed) throws {
        var random = seed.generator
        let (before, after) = Self.registers(&random)
        var store = MemoryNodes()
        let (left, right) = (try Subtree.holding(before, in: &store), try Subtree.holding(after, in: &store))
        let expected = try Self.naiveAdditions(NaiveTree(before), NaiveTree(after), at: .root, in: &store)
        #expect(try Self.differences(from: left, to: right, in: store, keepsAddedWhole: true) == expected)
    }

    @Test("One change among 100,000 entries is found, joined and looked up by reading a few nodes")
    func fewReads() throws {
        var store = MemoryNodes()
        let register = Register.written(.file("same"))
        let edits = (0..<100_000).map { TreeEdit(TreePath.root.appending("file-\($0)"), .set(register)) }
        let before = try Subtree.empty.applying(edits, in: &store)
        #expect(store.nodes.count > 500)
        let path = try TreePath("/file-54321")
        let change = TreeEdit(path, .set(register.writing(.file("new"), at: Dot(timestamp: register.latest.next, actor: .numbered(1)))))
        let insertion = TreeEdit(try TreePath("/file-54321 copy"), .set(register))
        let removal = TreeEdit(path, .forget)
        for edit in [change, insertion, removal] {
            let after = try before.applying([edit], in: &store)
            let counter = CountingReader(store)
            #expect(try Self.differences(from: before, to: after, in: counter).map(\.path) == [edit.path])
            // Three levels on each side, and a neighbour where a leaf was split or two were joined.
            #expect(counter.reads <= 10)
        }
        let counter = CountingReader(store)
        #expect(try before.entry(at: path, in: counter)?.register == register)
        #expect(counter.reads <= 4)
        var listing = try before.entries(after: "file-77777", in: counter)
        #expect(try listing.next()?.name == "file-77778")
        #expect(counter.reads <= 8)
        let same = CountingReader(store)
        #expect(try Self.differences(from: before, to: before, in: same) == [])
        #expect(same.reads == 0)
    }
}
