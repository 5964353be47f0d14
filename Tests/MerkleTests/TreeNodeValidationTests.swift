import Causality
import Content
@testable import Merkle
import TestSupport
import Testing

@Suite("Nodes from elsewhere")
struct TreeNodeValidationTests {
    typealias Expectation = TreeNode.Expectation

    /// Validates a directory's nodes from their bytes, with what each reference promises, as a node that syncs does.
    static func validate(
        _ hash: ContentHash, as expected: Expectation, in store: MemoryNodes, _ visit: (TreeNode, Expectation) throws -> Void
    ) throws {
        let node = try TreeNode(store.node(hash).bytes, hash: hash)
        try node.validate(as: expected)
        try visit(node, expected)
        var after = expected.after
        for (index, child) in node.children.enumerated() {
            let isLast = expected.isLast && index == node.count - 1
            let below = Expectation(level: node.level - 1, after: after, lastName: child.lastName, isLast: isLast, aggregates: child.aggregates)
            try validate(child.hash, as: below, in: store, visit)
            after = child.lastName
        }
        for index in 0..<(node.level == 0 ? node.count : 0) {
            guard let subtree = try node.entry(at: index).subtree else { continue }
            try validate(subtree.root, as: .root(subtree.aggregates), in: store, visit)
        }
    }

    static func randomTree(_ random: inout SplitMix64) throws -> (Subtree, MemoryNodes) {
        var store = MemoryNodes()
        var pool = RegisterPool(&random)
        return (try Subtree.holding(pool.registers(300, &random), in: &store), store)
    }

    @Test("Every node of a real tree is accepted, with its sums, and not with others", arguments: Seed.several(15))
    func realTrees(seed: Seed) throws {
        var random = seed.generator
        let (tree, store) = try Self.randomTree(&random)
        var visited = 0
        try Self.validate(tree.root, as: .root(tree.aggregates), in: store) { (node, expected) throws in
            visited += 1
            #expect(try node.aggregates() == expected.aggregates)
            for index in 0..<(node.level == 0 ? node.count : 0) {
                #expect(try node.aggregates(at: index) == node.entry(at: index).aggregates)
            }
            var wrong = expected
            wrong.aggregates?.conflicts += 1
            #expect(throws: MalformedBytes.self) { try node.validate(as: wrong) }
            wrong = expected
            wrong.level = node.level + 1
            #expect(throws: MalformedBytes.self) { try node.validate(as: wrong) }
            wrong = expected
            wrong.lastName = "another"
            #expect(throws: MalformedBytes.self) { try node.validate(as: wrong) }
            wrong = expected
            wrong.after = node.name(at: 0)
            #expect(throws: MalformedBytes.self) { try node.validate(as: wrong) }
        }
        #expect(visited > 20)
    }

    // MARK: - Refusals

    static let register = Register.written(.file("x"))

    static func leaf(_ names: [String]) -> TreeNode {
        TreeNode(entries: names.map { LeafItem(Entry(name: $0, register: register)) })
    }

    static func reference(_ name: String) -> TreeNode.Child {
        TreeNode.Child(lastName: name, hash: leaf([name]).hash, aggregates: .zero)
    }

    func expectRefusal(_ node: TreeNode, as expected: Expectation = .root(nil), _ reason: String) throws {
        let read = try TreeNode(node.bytes, hash: node.hash)
        #expect { try read.validate(as: expected) } throws: { "\($0)".contains(reason) }
    }

    @Test func refusedLeaves() throws {
        try Self.leaf(["a", "b"]).validate(as: .root(nil))
        try expectRefusal(Self.leaf(["b", "a"]), "out of order")
        try expectRefusal(Self.leaf(["a", "a"]), "out of order")
        try expectRefusal(Self.leaf(["a"]), as: Expectation(level: 0, after: "a", lastName: "a", isLast: true, aggregates: nil), "out of order")
        try expectRefusal(Self.leaf(["a"]), as: Expectation(level: 0, after: nil, lastName: "b", isLast: true, aggregates: nil), "ends at another name")
        try expectRefusal(Self.leaf(["a"]), as: Expectation(level: 1, after: nil, lastName: "a", isLast: true, aggregates: nil), "level 0 where 1")
        try expectRefusal(Self.leaf([]), as: Expectation(level: 0, after: nil, lastName: "a", isLast: true, aggregates: nil), "no entries")
        try expectRefusal(Self.leaf(["a"]), as: .root(.zero), "other sums")
        try Self.leaf([]).validate(as: .root(.zero))
    }

    @Test("A node ends behind a name that cuts, there only, and without one only at the level's end")
    func refusedCuts() throws {
        let cutting = CuttingNames.oneLevel[0]
        #expect(TreeNode.cutLevel(of: cutting) == 1)
        let inner = Expectation(level: 0, after: nil, lastName: nil, isLast: false, aggregates: nil)
        try Self.leaf(["a", cutting]).validate(as: inner)
        try expectRefusal(Self.leaf(["a", cutting, "z"]), "cut in the wrong place")
        try expectRefusal(Self.leaf(["a", "z"]), as: inner, "cut in the wrong place")
        let tall = CuttingNames.twoLevels[0]
        #expect(TreeNode.cutLevel(of: tall) == 2)
        try expectRefusal(TreeNode(level: 1, children: [Self.reference(tall), Self.reference("z")]), "cut in the wrong place")
        let innerAbove = Expectation(level: 1, after: nil, lastName: nil, isLast: false, aggregates: nil)
        try expectRefusal(TreeNode(level: 1, children: [Self.reference("a"), Self.reference(cutting)]), as: innerAbove, "cut in the wrong place")
        try TreeNode(level: 1, children: [Self.reference("a"), Self.reference(tall)]).validate(as: innerAbove)
    }

    @Test func refusedUpperNodes() throws {
        let lone = TreeNode(level: 1, children: [Self.reference("z")])
        try expectRefusal(lone, "single child")
        // Below the root there are such nodes.
        try lone.validate(as: Expectation(level: 1, after: nil, lastName: "z", isLast: true, aggregates: nil))
        let pair = [Self.reference(CuttingNames.oneLevel[0]), Self.reference("z")]
        try TreeNode(level: 1, children: pair).validate(as: .root(.zero))
        try expectRefusal(TreeNode(level: 1, children: pair.reversed()), "out of order")
        var sums = Aggregates()
        sums.files = 1
        try expectRefusal(TreeNode(level: 1, children: pair), as: .root(sums), "other sums")
        let nodes = [TreeNode(level: 1, children: []), TreeNode(level: 9, children: pair)]
        for node in nodes { #expect(throws: MalformedBytes.self) { try TreeNode(node.bytes, hash: node.hash) } }
    }

    @Test("Names that break a rule are refused", arguments: ["a/b", ".", "..", "\0", "e\u{301}"])
    func refusedNames(name: String) throws {
        let reason = try #require(TreePath.fault(inName: name))
        try expectRefusal(Self.leaf([name]), reason)
        try expectRefusal(TreeNode(level: 1, children: [Self.reference(name)]), as: Expectation(level: 1, after: nil, lastName: name, isLast: true, aggregates: nil), reason)
    }

    @Test("Names without bytes, over 255 bytes, or not in UTF-8 are refused")
    func refusedNameBytes() throws {
        for name in ["", String(repeating: "x", count: 256)] {
            let node = Self.leaf([name])
            #expect(throws: MalformedBytes.self) { try TreeNode(node.bytes, hash: node.hash) }
        }
        var bytes = Self.leaf(["a"]).bytes
        // Level, count, the entry's length and the name's length stand before the name.
        #expect(bytes[4] == UInt8(ascii: "a"))
        bytes[4] = 0xff
        let node = try TreeNode(bytes, hash: ContentHash(of: .tree, bytes))
        #expect { try node.validate(as: .root(nil)) } throws: { "\($0)".contains("UTF-8") }
    }

    @Test func refusedEntries() throws {
        func entry(_ name: String, _ rest: [UInt8]) -> [UInt8] {
            var encoder = CanonicalEncoder()
            encoder.write(name)
            encoder.write(raw: rest)
            var leaf = CanonicalEncoder()
            leaf.write(0)
            leaf.write(1)
            leaf.write(encoder.bytes)
            return leaf.bytes
        }
        func expectRefusal(_ bytes: [UInt8], _ reason: String) throws {
            let node = try TreeNode(bytes, hash: ContentHash(of: .tree, bytes))
            #expect { try node.validate(as: .root(nil)) } throws: { "\($0)".contains(reason) }
        }
        let register = Self.register.encoded
        try expectRefusal(entry("a", [0]), "holds nothing known")
        try expectRefusal(entry("a", [4] + register), "holds nothing known")
        try expectRefusal(entry("a", [1] + register + [0]), "too many")
        try expectRefusal(entry("a", [3] + register), "end early")
        let empty = TreeNode.empty.hash.withBytes { Array($0) }
        try expectRefusal(entry("a", [2] + empty + [0, 0, 0, 0, 0]), "without entries")
        let bytes = entry("a", [1] + register)
        for count in 0..<bytes.count {
            #expect(throws: MalformedBytes.self) { try TreeNode(Array(bytes[..<count]), hash: .zero) }
        }
        #expect(throws: MalformedBytes.self) { try TreeNode(bytes + [0], hash: .zero) }
    }

    @Test("Flipped bits give an error, or a node in its only encoding", arguments: Seed.several(20))
    func flippedBits(seed: Seed) throws {
        var random = seed.generator
        let (_, store) = try Self.randomTree(&random)
        let nodes = store.nodes.values.filter { $0.count > 0 }.sorted { $0.hash < $1.hash }
        for _ in 0..<150 {
            var bytes = random.pick(nodes).bytes
            for _ in 0...random.below(3) { bytes[random.below(bytes.count)] ^= 1 << random.below(8) }
            if random.once(in: 8) { bytes.removeLast(random.below(bytes.count)) }
            do throws(MalformedBytes) {
                let node = try TreeNode(bytes, hash: ContentHash(of: .tree, bytes))
                _ = node.lowerBound(of: "n5")
                try node.validate(as: .root(nil))
                if node.level > 0 {
                    #expect(TreeNode(level: node.level, children: node.children).bytes == bytes)
                } else {
                    var items: [LeafItem] = []
                    for index in 0..<node.count { items.append(LeafItem(try node.entry(at: index))) }
                    #expect(TreeNode(entries: items).bytes == bytes)
                }
            } catch {}
        }
    }
}
