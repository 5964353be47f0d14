import Causality
import Content
@testable import Merkle
import TestSupport
import Testing

@Suite("The shape of a tree")
struct TreeShapeTests {
    @Test func emptyTree() {
        #expect(TreeNode.empty.bytes == [0, 0])
        #expect(Subtree.empty.root.description == "3e4479e6b5a0a3bed1440325ca4bb09327a1dfb39c28bdd59de53a687ade0105")
    }

    /// The register of the golden trees.
    static let hello: Register = {
        let actor = Actor(node: NodeID(ContentHash(sha256: "node".utf8)))
        return Register(Version(
            dot: Dot(timestamp: Timestamp(microseconds: 1_700_000_000_000_000), actor: actor), past: VersionVector(),
            value: .file("hello", modifiedAt: 1_700_000_000_000_000_000)))
    }()

    @Test("Golden roots, reckoned with another implementation that builds level by level", arguments: [
        (["hello.txt"], "7e5289af5c02e2c1ffce440b741d129ca95af2ee447e1ab35549e042fa7bb8c2"),
        ((0..<20_000).map { "file-\($0)" }, "10a3ac30f161d183e515019c7851061b5768f0985f689977c6d71ae2bf488b97"),
    ])
    func goldenRoot(names: [String], digits: String) throws {
        var store = MemoryNodes()
        let tree = try Subtree.empty.applying(names.map { TreeEdit(TreePath.root.appending($0), .set(Self.hello)) }, in: &store)
        #expect(tree.root.description == digits)
        #expect(tree.aggregates.files == UInt64(names.count))
        #expect(tree.aggregates.bytes == UInt64(names.count * 5))
    }

    /// Builds a directory the plain way: cuts all names of a level, then the level above, until one node is left.
    static func naiveRoot(of entries: [Entry]) -> Subtree {
        var nodes = entries.sorted { $0.name.sortsBefore($1.name) }.split(after: { TreeNode.cutLevel(of: $0.name) > 0 }).map { run in
            let items = run.map { LeafItem($0) }
            var sums = Aggregates.zero
            for item in items { sums += item.aggregates }
            return TreeNode.Child(lastName: run[run.count - 1].name, hash: TreeNode(entries: items).hash, aggregates: sums)
        }
        var level = 1
        while nodes.count > 1 {
            nodes = nodes.split(after: { TreeNode.cutLevel(of: $0.lastName) > level }).map { run in
                var sums = Aggregates.zero
                for child in run { sums += child.aggregates }
                let node = TreeNode(level: level, children: run)
                return TreeNode.Child(lastName: run[run.count - 1].lastName, hash: node.hash, aggregates: sums)
            }
            level += 1
        }
        return nodes.first.map { Subtree(root: $0.hash, aggregates: $0.aggregates) } ?? .empty
    }

    @Test("The names alone decide, whatever the order and the batches of the edits", arguments: Seed.several(40))
    func independence(seed: Seed) throws {
        var random = seed.generator
        let count = random.pick([0, 1, 2, 10, 100, 300])
        let final = Set((0..<count).map { _ in randomName(&random) })
        let expected = Self.naiveRoot(of: final.map { Entry(name: $0, register: Self.hello) })

        for _ in 0..<3 {
            var store = MemoryNodes()
            var tree = Subtree.empty
            var present: Set<String> = []
            // Any edits first, then those that are left to do.
            for round in 0..<6 {
                var edits: [TreeEdit] = []
                let names = round == 5 ? Array(final.symmetricDifference(present)) : Array(Set((0..<random.below(60)).map { _ in randomName(&random) }))
                for name in names.shuffled(using: &random) {
                    let removes = present.remove(name) != nil
                    if !removes { present.insert(name) }
                    edits.append(TreeEdit(TreePath.root.appending(name), removes ? .forget : .set(Self.hello)))
                }
                while !edits.isEmpty {
                    let batch = Array(edits.prefix(1 + random.below(20)))
                    edits.removeFirst(batch.count)
                    tree = try tree.applying(batch, in: &store)
                }
            }
            #expect(present == final)
            #expect(tree == expected)
        }
    }

    @Test("An edit among 20,000 entries makes one node a level")
    func pathCopying() throws {
        var store = MemoryNodes()
        let edits = (0..<20_000).map { TreeEdit(TreePath.root.appending("file-\($0)"), .set(Self.hello)) }
        let tree = try Subtree.empty.applying(edits, in: &store)
        let before = store.nodes.count
        _ = try tree.applying([TreeEdit(TreePath("/file-7777"), .set(.written(.tombstone)))], in: &store)
        #expect(store.nodes.count == before + 3)
    }

    @Test("A run of names too long for a node is refused, at every level, rather than written", arguments: [0, 1, 2])
    func oversizedDirectory(cuts: Int) throws {
        var store = MemoryNodes()
        var builder = TreeBuilder()
        let item = LeafItem(Entry(name: "x", register: Self.hello))
        for _ in 0..<TreeNode.maximumItems { try builder.append(item, cuts: cuts, to: &store) }
        #expect(throws: OversizedDirectory.self) {
            try builder.append(item, cuts: cuts, to: &store)
            _ = try builder.finish(in: &store)
        }
    }

    @Test("A name with more versions than can be read again is refused")
    func oversizedEntry() throws {
        func register(_ count: Int) -> Register {
            let target = String(repeating: "x", count: 4000)
            let registers = (0..<count).map { Register.written(.symlink(target: "\($0)\(target)"), by: $0, microseconds: 1) }
            return registers.dropFirst().reduce(registers[0]) { $0.joined(with: $1) }
        }
        var store = MemoryNodes()
        let largest = try Subtree.holding([TreePath("/x"): register(250)], in: &store)
        #expect(try TreeNode(store.node(largest.root).bytes, hash: largest.root).entry(at: 0).register?.versions.count == 250)
        #expect(throws: OversizedEntry(name: "x")) {
            _ = try Subtree.holding([TreePath("/x"): register(270)], in: &store)
        }
    }
}

extension Array {
    /// Runs that each end behind an element that ends one.
    func split(after ends: (Element) -> Bool) -> [[Element]] {
        var runs: [[Element]] = []
        var open: [Element] = []
        for element in self {
            open.append(element)
            if ends(element) {
                runs.append(open)
                open = []
            }
        }
        return open.isEmpty ? runs : runs + [open]
    }
}
