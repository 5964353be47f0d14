import Causality
import Content
@testable import Merkle
import Replication
import TestSupport
import Testing

/// Whatever a peer answers, a pull ends with an error that says what was wrong, or with a tree that is whole.
@Suite("Hostile peers")
struct HostilePeerTests {
    static let dot = Dot(timestamp: Timestamp(microseconds: 1_700_000_000_000_000), actor: .numbered(9))

    /// Pulls from a peer that tampers with its answers.
    static func pull(
        _ peer: Replica, root: ContentHash? = nil, into local: Replica = Replica(1), seed: UInt64 = 1,
        limits: PullLimits = PullLimits(), tampering: (Pull.Request, inout [Pull.Object], inout [ContentHash]) -> Void = { _, _, _ in }
    ) throws {
        var random = SplitMix64(seed: seed)
        var local = local
        var pull = Pull(local: local.tree.root, remote: root ?? peer.tree.root, horizon: Replica.horizon, limits: limits)
        var asked: [Pull.Request] = []
        try local.run(&pull, &random, limits: limits, asked: &asked) { request in
            var (objects, absent) = peer.answer(request)
            tampering(request, &objects, &absent)
            return (objects, absent)
        }
    }

    static let made = Result {
        var random = SplitMix64(seed: 3)
        var replica = Replica(2)
        try replica.edit(60, &random)
        return replica
    }

    static func honest() throws -> Replica { try made.get() }

    static let limits: PullLimits = {
        var limits = PullLimits()
        limits.nodesPerRequest = 4
        limits.chunksPerRequest = 20
        return limits
    }()

    enum Tampering: CaseIterable {
        case wrongKind, wrongSize, absent, missing, extra, twice, reordered, others
    }

    @Test("An answer that is not what was asked for is malformed", arguments: Tampering.allCases, Seed.several(6))
    func answers(_ tampering: Tampering, seed: Seed) throws {
        let peer = try Self.honest()
        var random = seed.generator
        // Some answers are let through first. Only chunks have sizes that are known beforehand.
        var honestAnswers = random.below(4)
        let error = #expect(throws: PullError.self) {
            try Self.pull(peer, seed: seed.value, limits: Self.limits) { request, objects, absent in
                let isChunks = if case .chunks = request { true } else { false }
                if tampering == .wrongSize ? !isChunks : honestAnswers > 0 || (tampering == .reordered && objects.count < 2) {
                    honestAnswers -= 1
                    return
                }
                let index = random.below(objects.count)
                switch tampering {
                case .wrongKind: objects[index].kind = objects[index].kind == .attributes ? .chunk : .attributes
                case .wrongSize: objects[index].size += 1
                case .absent: absent.append(objects.remove(at: index).hash)
                case .missing: objects.remove(at: index)
                case .extra: objects.append(Pull.Object(hash: ContentHash(of: .chunk, [1]), kind: .chunk, bytes: [], size: 1))
                case .twice: objects.append(objects[index])
                case .reordered: objects.swapAt(index, (index + 1) % objects.count)
                case .others: objects[index].hash = ContentHash(of: .chunk, [2])
                }
            }
        }
        #expect(error?.code == (tampering == .absent ? .absent : .malformed))
    }

    // MARK: - Trees

    static func leaf(_ names: [String]) -> TreeNode {
        TreeNode(entries: names.map { LeafItem(Entry(name: $0, register: .written(.symlink(target: $0)))) })
    }

    static func reference(_ node: TreeNode, as lastName: String? = nil) throws -> TreeNode.Child {
        TreeNode.Child(lastName: lastName ?? node.name(at: node.count - 1), hash: node.hash, aggregates: try node.aggregates())
    }

    /// A leaf that holds one directory.
    static func parent(_ name: String, of root: TreeNode, files: UInt64? = nil) throws -> TreeNode {
        var sums = try root.aggregates()
        if let files { sums.files = files }
        return TreeNode(entries: [LeafItem(Entry(name: name, subtree: Subtree(root: root.hash, aggregates: sums)))])
    }

    static func refuses(_ nodes: [TreeNode], _ comment: Comment) {
        var peer = Replica(2)
        for node in nodes { peer.nodes.insert(node) }
        var local = Replica(1)
        local.tree = .empty
        do {
            try pull(peer, root: nodes[0].hash)
            Issue.record("was taken: \(comment)")
        } catch let error as PullError {
            #expect(error.code == .malformed, comment)
        } catch {
            #expect(error is MalformedBytes, comment)
        }
    }

    @Test("Nodes that no honest tree has")
    func trees() throws {
        let cut = CuttingNames.oneLevel.sorted { $0.sortsBefore($1) }
        let twice = CuttingNames.twoLevels.sorted { $0.sortsBefore($1) }
        Self.refuses([Self.leaf(["b", "a"])], "out of order")
        Self.refuses([Self.leaf(["a", "a"])], "a name twice")
        Self.refuses([Self.leaf([cut[0], "~"])], "not cut behind a name that cuts")
        for name in ["..", ".", "a/b", "e\u{301}", String(repeating: "x", count: 256)] {
            Self.refuses([Self.leaf([name])], "the name \(name)")
        }
        let (first, second) = (Self.leaf([cut[0]]), Self.leaf([cut[1]]))
        let good = TreeNode(level: 1, children: [try Self.reference(first), try Self.reference(second)])
        var peer = Replica(2)
        for node in [good, first, second] { peer.nodes.insert(node) }
        try Self.pull(peer, root: good.hash)
        Self.refuses([TreeNode(level: 1, children: [try Self.reference(first)]), first], "a root with one child")
        Self.refuses([TreeNode(level: 2, children: good.children), first, second], "a level left out")
        Self.refuses([TreeNode(level: 1, children: good.children.reversed()), first, second], "children out of order")
        Self.refuses([TreeNode(level: 1, children: [try Self.reference(first, as: cut[1] + "x"), try Self.reference(second, as: "~")]), first, second], "last names")
        var wrong = try Self.reference(first)
        wrong.aggregates.bytes += 1
        Self.refuses([TreeNode(level: 1, children: [wrong, try Self.reference(second)]), first, second], "sums of a node")
        let uncut = Self.leaf(["~"])
        Self.refuses([TreeNode(level: 1, children: [try Self.reference(Self.leaf(["A"])), try Self.reference(uncut)]), Self.leaf(["A"]), uncut], "a leaf that ends without a cut")
        let tall = TreeNode(level: 1, children: [try Self.reference(Self.leaf([twice[0]])), try Self.reference(Self.leaf([twice[1]]))])
        Self.refuses([tall, Self.leaf([twice[0]]), Self.leaf([twice[1]])], "a node above the leaves that a name should have cut")
        Self.refuses([try Self.parent("d", of: first, files: 7), first], "sums of a directory")
    }

    @Test("Paths that are too long are refused, and so are directories without end")
    func deepTrees() throws {
        for (name, count) in [(String(repeating: "x", count: 255), 17), ("x", 2049)] {
            var nodes = [Self.leaf(["f"])]
            for _ in 0..<count { nodes.append(try Self.parent(name, of: nodes[nodes.count - 1])) }
            Self.refuses(nodes.reversed(), "\(count) directories")
        }
        // Two names for the same directory, again and again: 2^1000 paths in 1,000 nodes.
        var nodes = [Self.leaf(["f"])]
        for _ in 0..<1000 {
            let below = nodes[nodes.count - 1]
            let subtree = Subtree(root: below.hash, aggregates: try below.aggregates())
            nodes.append(TreeNode(entries: ["a", "b"].map { LeafItem(Entry(name: $0, subtree: subtree)) }))
        }
        Self.refuses(nodes.reversed(), "a tree that doubles at each level")
    }

    @Test("A version from the future is refused, wherever its timestamp stands")
    func future() throws {
        let future = Dot(timestamp: Timestamp(microseconds: Replica.horizon.microseconds + 1), actor: .numbered(3))
        let value = Value.symlink(target: "x")
        var past = VersionVector()
        past.insert(future)
        let registers = [
            Register(Version(dot: future, past: VersionVector(), value: value)),
            Register(Version(dot: Self.dot, past: past, value: value)),
            Register(Version(dot: Self.dot, past: VersionVector(), value: value)).joined(with:
                Register(Version(dot: Self.dot, past: VersionVector(), value: value)).resolving(to: value, at: future)),
        ]
        for register in registers {
            var peer = Replica(2)
            peer.tree = try peer.tree.applying([TreeEdit(TreePath("/a/b"), .set(register))], in: &peer.nodes)
            let error = #expect(throws: PullError.self) { try Self.pull(peer) }
            #expect(error?.code == .fromTheFuture)
            #expect(error?.reason.contains("/a/b") == true)
            var pull = Pull(horizon: Replica.horizon)
            #expect(throws: PullError.self) { try pull.add(register, at: TreePath("/a/b"), local: nil) }
        }
        var peer = Replica(2)
        let latest = Dot(timestamp: Replica.horizon, actor: .numbered(3))
        peer.tree = try peer.tree.applying(
            [TreeEdit(TreePath("/a"), .set(Register(Version(dot: latest, past: VersionVector(), value: value))))], in: &peer.nodes)
        try Self.pull(peer)
    }

    // MARK: - Manifests

    @Test("Manifests that the format does not make")
    func manifests() throws {
        func pull(_ content: FileContent, _ nodes: [[UInt8]], chunks: [UInt64] = [10]) throws {
            var peer = Replica(2)
            for bytes in nodes { peer.manifests[ContentHash(of: .manifest, bytes)] = bytes }
            for size in chunks { peer.chunks[ContentHash(of: .chunk, Array("part".utf8))] = size }
            try peer.write(.file(FileValue(content: content, mediaType: "", modifiedAt: 0)), at: TreePath("/f"))
            try Self.pull(peer)
        }
        let chunk = ContentHash(of: .chunk, Array("part".utf8))
        func node(_ height: Int, _ sizes: [UInt64]) -> [UInt8] {
            ManifestNode(height: height, children: sizes.map { ManifestNode.Child(hash: chunk, size: $0) }).encoded()
        }
        func content(_ bytes: [UInt8], height: Int = 1, size: UInt64) -> FileContent {
            FileContent(root: ContentHash(of: .manifest, bytes), height: height, size: size)
        }
        let good = node(1, [10, 10])
        try pull(content(good, size: 20), [good])
        #expect(throws: PullError.self) { try pull(content(good, size: 20), [good], chunks: [11]) }
        #expect(throws: MalformedBytes.self) { try pull(content(good, size: 21), [good]) }
        #expect(throws: MalformedBytes.self) { try pull(content(good, height: 2, size: 20), [good]) }
        for bytes in [node(1, [20]), node(1, []), node(1, [0, 20]), Array(good.dropLast()), good + [0], []] {
            #expect(throws: MalformedBytes.self) { try pull(content(bytes, size: 20), [bytes]) }
        }
        let large = node(1, [1 << 20, (1 << 20) + 1])
        #expect(throws: MalformedBytes.self) { try pull(content(large, size: (2 << 20) + 1), [large]) }
        let sums = node(2, [.max, 21])
        #expect(throws: MalformedBytes.self) { try pull(content(sums, height: 2, size: 20), [sums]) }
        // One chunk of two sizes in one file.
        let sizes = node(1, [10, 11])
        #expect(throws: PullError.self) { try pull(content(sizes, size: 21), [sizes]) }
        // A chunk where a node should be, and the other way round.
        #expect(throws: PullError.self) { try pull(FileContent(root: chunk, height: 1, size: 10), []) }
        #expect(throws: PullError.self) { try pull(content(good, height: 0, size: 20), [good]) }
    }

    @Test("Nodes of any bytes end in an error or in nothing at all", arguments: Seed.several(150))
    func garbage(seed: Seed) throws {
        var random = seed.generator
        let honest = try Self.honest()
        let hashes = honest.nodes.nodes.values.filter { $0.count > 0 }.map(\.bytes).sorted { $0.count < $1.count }
        var bytes = random.pick(Array(hashes.prefix(200)))
        for _ in 0..<1 + random.below(3) {
            switch random.below(4) {
            case 0: bytes[random.below(bytes.count)] ^= 1 << UInt8(random.below(8))
            case 1: bytes[random.below(bytes.count)] = 0xff
            case 2: bytes.removeLast(random.below(bytes.count))
            default: bytes.insert(contentsOf: random.bytes(1 + random.below(9)), at: random.below(bytes.count))
            }
        }
        let root = ContentHash(of: .tree, bytes)
        var local = Replica(1)
        var pull = Pull(local: local.tree.root, remote: root, horizon: Replica.horizon)
        var asked: [Pull.Request] = []
        do {
            try local.run(&pull, &random, asked: &asked) { request in
                if request.hashes == [root] {
                    return ([Pull.Object(hash: root, kind: .tree, bytes: bytes, size: UInt64(bytes.count))], [])
                }
                return honest.answer(request)
            }
            // It was a good node after all; then it can be joined.
            try local.join(root, latest: pull.latest)
            #expect(try local.needed().isSubset(of: local.objects))
        } catch {
            #expect(error is PullError || error is MalformedBytes, "\(error)")
        }
    }
}
