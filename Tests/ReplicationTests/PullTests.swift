import Causality
import Content
import Merkle
import Replication
import TestSupport
import Testing

@Suite("Pulls")
struct PullTests {
    /// Two replicas with a past in common, each with edits that the other has not seen.
    static func diverged(_ random: inout SplitMix64, common: Int = 60, edits: Int = 40) throws -> (Replica, Replica) {
        var (left, right) = (Replica(1), Replica(2))
        try left.edit(random.below(common), &random)
        var asked: [Pull.Request] = []
        if random.once(in: 2) { try right.pull(from: left, &random, asked: &asked) }
        try left.edit(random.below(edits), &random)
        try right.edit(random.below(edits), &random)
        return (left, right)
    }

    /// Of two writes over one that was forgotten, the second has the first in its past, which covers what was forgotten, too.
    @Test func refusesWritesOverForgottenOnes() throws {
        let author = Actor(node: NodeID(publicKey: [1]))
        func dot(_ time: UInt64) -> Dot { Dot(timestamp: Timestamp(microseconds: time), actor: author) }
        let copy = Register(Version(dot: dot(1), past: VersionVector(), value: .directory))
        let here = copy.writing(.tombstone, at: dot(2))
        let path = TreePath.root.appending("a")
        // It may have taken up a fresh incarnation since it showed the state that is pulled.
        let fresh = KnownWrites(
            actor: Actor(node: author.node, incarnation: 7), gaps: [WriteGap(start: Timestamp(microseconds: 5), first: Timestamp(microseconds: 6))])
        func pull(_ register: Register, knows: KnownWrites?) throws {
            var pull = Pull(horizon: Timestamp(microseconds: 100))
            (pull.peer, pull.peerKnows) = (author.node, knows.map { [$0, fresh] } ?? [])
            try pull.add(register, at: path, local: here)
        }
        func gaps(_ times: (UInt64, UInt64)...) -> KnownWrites {
            KnownWrites(actor: author, gaps: times.map { WriteGap(start: dot($0.0).timestamp, first: dot($0.1).timestamp) })
        }
        let once = copy.writing(.tombstone, at: dot(3))
        let twice = once.writing(.directory, at: dot(4))
        #expect(throws: PullError.self) { try pull(once, knows: nil) }
        #expect(throws: PullError.self) { try pull(twice, knows: gaps((1, 3))) }
        // Nor is what it made over that after a restart.
        #expect(throws: PullError.self) { try pull(twice, knows: gaps((1, 3), (4, 9))) }
        // What it has made over what it knows is taken.
        try pull(here.writing(.directory, at: dot(4)), knows: gaps((2, 4)))
        try pull(here.writing(.directory, at: dot(4)), knows: gaps((1, 2)))
    }

    /// With its data the author's clock may have been put back, so that it has written before and after what it forgot.
    @Test func tellsForgottenWritesByPath() {
        let author = Actor(node: NodeID(publicKey: [1]))
        func dot(_ time: UInt64) -> Dot { Dot(timestamp: Timestamp(microseconds: time), actor: author) }
        let copy = Register(Version(dot: dot(1), past: VersionVector(), value: .directory))
        let forgotten = copy.writing(.tombstone, at: dot(5))
        var own = OwnWrites(of: author, after: dot(1).timestamp)
        own.look(at: copy, over: nil, purgedUpTo: .zero)
        own.look(at: forgotten, over: forgotten, purgedUpTo: .zero)
        own.look(at: forgotten, over: copy, purgedUpTo: dot(5).timestamp)
        #expect(!own.areForgotten)
        own.look(at: forgotten, over: copy.writing(.tombstone, at: dot(2)), purgedUpTo: .zero)
        #expect(own.areForgotten)
        // Between the processes before this one, whatever has been written over it since.
        for (gap, isForgotten) in [((2, 5), false), ((4, 6), true), ((5, 6), false)] as [((UInt64, UInt64), Bool)] {
            let gaps = [WriteGap(start: dot(gap.0).timestamp, first: dot(gap.1).timestamp)]
            var own = OwnWrites(of: author, after: dot(8).timestamp, gaps: gaps)
            own.look(at: forgotten, over: copy.writing(.tombstone, at: dot(9)), purgedUpTo: .zero)
            #expect(own.areForgotten == isForgotten)
            #expect(own.earliest == nil)
        }
    }

    static func hashes(_ requests: [Pull.Request]) -> [ContentHash] { requests.flatMap(\.hashes) }

    @Test("After a pull each way both have one tree, and asked for exactly what they lacked", arguments: Seed.several(15))
    func convergence(seed: Seed) throws {
        var random = seed.generator
        var (left, right) = try Self.diverged(&random)
        var asked: [Pull.Request] = []
        let before = left.objects
        let pull = try left.pull(from: right, &random, asked: &asked)
        let wanted = try right.needed().subtracting(before)
        #expect(Set(Self.hashes(asked)) == wanted)
        #expect(Self.hashes(asked).count == wanted.count, "something was asked for twice")
        #expect(pull.chunksReceived == wanted.count { right.chunks[$0] != nil })
        #expect(try left.needed().isSubset(of: left.objects))
        try right.pull(from: left, &random, asked: &asked)
        #expect(left.tree == right.tree)
        #expect(try right.needed().isSubset(of: right.objects))
        // Once more, and there is nothing to ask.
        asked = []
        try left.pull(from: right, &random, asked: &asked)
        #expect(asked == [])
    }

    @Test("The order of pulls does not matter", arguments: Seed.several(10))
    func order(seed: Seed) throws {
        var random = seed.generator
        var replicas = (0..<3).map { Replica($0) }
        var asked: [Pull.Request] = []
        for _ in 0..<20 {
            let (from, to) = (random.below(3), random.below(3))
            try replicas[to].edit(5, &random)
            if from != to { try replicas[to].pull(from: replicas[from], &random, asked: &asked) }
        }
        var other = replicas
        for (from, to) in [(0, 1), (1, 2), (2, 0), (2, 1)] { try replicas[to].pull(from: replicas[from], &random, asked: &asked) }
        for (from, to) in [(2, 0), (1, 0), (0, 1), (0, 2)] { try other[to].pull(from: other[from], &random, asked: &asked) }
        #expect(Set((replicas + other).map(\.tree.root)).count == 1)
        #expect(Set((replicas + other).map(\.tree.aggregates)).count == 1)
    }

    @Test("A pull that breaks anywhere goes on where it stopped", arguments: Seed.several(8))
    func resumption(seed: Seed) throws {
        var random = seed.generator
        let (left, right) = try Self.diverged(&random)
        var limits = PullLimits()
        limits.nodesPerRequest = 5
        limits.chunksPerRequest = 50
        var whole = left
        var all: [Pull.Request] = []
        // The same order of answers each time, so that there are as many of them.
        var order = seed.generator
        try whole.pull(from: right, &order, limits: limits, asked: &all)
        for cut in stride(from: 0, to: all.count, by: max(1, all.count / 6)) {
            var replica = left
            var first: [Pull.Request] = []
            order = seed.generator
            #expect(throws: Replica.Cut.self) {
                try replica.pull(from: right, &order, limits: limits, cutAfter: cut, asked: &first)
            }
            #expect(replica.tree == left.tree)
            let missing = try right.needed().subtracting(replica.objects)
            var second: [Pull.Request] = []
            try replica.pull(from: right, &random, limits: limits, asked: &second)
            #expect(Set(Self.hashes(second)) == missing)
            #expect(Self.hashes(second).count == missing.count)
            #expect(replica.tree == whole.tree)
        }
    }

    @Test("No request is larger than the limits, and no more are under way", arguments: Seed.several(12))
    func limits(seed: Seed) throws {
        var random = seed.generator
        let (left, right) = try Self.diverged(&random)
        for _ in 0..<4 {
            var limits = PullLimits()
            limits.requestsInFlight = 1 + random.below(4)
            limits.nodesPerRequest = 1 + random.below(10)
            limits.chunksPerRequest = 1 + random.below(40)
            limits.bytesPerRequest = UInt64(1 + random.below(200))
            limits.waitingChunks = 1 + random.below(50)
            var replica = left
            var asked: [Pull.Request] = []
            // The driver counts those under way.
            try replica.pull(from: right, &random, limits: limits, asked: &asked)
            for request in asked {
                switch request {
                case .nodes(let hashes): #expect(!hashes.isEmpty && hashes.count <= limits.nodesPerRequest)
                case .chunks(let hashes):
                    #expect(!hashes.isEmpty && hashes.count <= limits.chunksPerRequest)
                    let bytes = hashes.dropLast().reduce(0) { $0 + right.chunks[$1]! }
                    #expect(bytes < limits.bytesPerRequest)
                }
            }
            #expect(try replica.needed().isSubset(of: replica.objects))
        }
    }

    @Test("One change in a large directory asks for one node a level and the chunk")
    func fewRequests() throws {
        var random = SplitMix64(seed: 1)
        var left = Replica(1)
        let value = try left.file(of: [1])
        let edits = (0..<8_000).map { number in
            TreeEdit(TreePath.root.appending("file-\(number)"), .set(Register(Version(dot: left.tick(), past: VersionVector(), value: value))))
        }
        left.tree = try left.tree.applying(edits, in: &left.nodes)
        var right = left
        try right.write(right.file(of: [2]), at: TreePath("/file-777"))
        var asked: [Pull.Request] = []
        let pull = try left.pull(from: right, &random, asked: &asked)
        #expect(Self.hashes(asked).count <= 5)
        #expect(pull.changedEntries == 1)
        #expect(left.tree == right.tree)
    }

    @Test("A huge sparse file is a few objects to a pull, not as many steps as it has chunks")
    func sparseFile() throws {
        var random = SplitMix64(seed: 1)
        var (left, right) = (Replica(1), Replica(2))
        let zeros = ContentHash(of: .chunk, [UInt8](repeating: 0, count: 100))
        right.chunks[zeros] = 1 << 20
        var child = ManifestNode.Child(hash: zeros, size: 1 << 20)
        for height in 1...4 {
            let node = ManifestNode(height: height, children: Array(repeating: child, count: 1024))
            let bytes = node.encoded()
            child = ManifestNode.Child(hash: ContentHash(of: .manifest, bytes), size: node.size)
            right.manifests[child.hash] = bytes
        }
        let content = FileContent(root: child.hash, height: 4, size: child.size)
        #expect(content.size == 1 << 60)
        // Nodes of 1,024 equal children may end there, whatever their hash, so that this is what the format makes of it.
        try right.write(.file(FileValue(content: content, mediaType: "", modifiedAt: 0)), at: TreePath("/sparse"))
        var asked: [Pull.Request] = []
        try left.pull(from: right, &random, asked: &asked)
        #expect(Self.hashes(asked).count == 6)
        #expect(left.tree == right.tree)
    }

    @Test("Told the changes one by one, a pull asks for their content only", arguments: Seed.several(10))
    func changes(seed: Seed) throws {
        var random = seed.generator
        var (left, right) = try Self.diverged(&random)
        var pull = Pull(horizon: Replica.horizon)
        var diff = try TreeDiff(from: left.tree, to: right.tree, in: CombinedNodes(left.nodes, right.nodes))
        var changes: [(TreePath, Register)] = []
        while let difference = try diff.next() {
            guard let register = difference.after else { continue }
            changes.append((difference.path, register))
            try pull.add(register, at: difference.path, local: difference.before)
        }
        let before = left.objects
        var asked: [Pull.Request] = []
        try left.run(&pull, &random, asked: &asked) { right.answer($0) }
        let wanted = try right.needed().subtracting(before).filter { right.nodes.nodes[$0] == nil }
        #expect(Set(Self.hashes(asked)) == wanted)
        #expect(pull.changedEntries == changes.count)
        #expect(pull.latest == changes.map(\.1.latest).max() ?? .zero)
    }
}

/// Reads from either of two.
struct CombinedNodes: NodeReader {
    var first: MemoryNodes
    var second: MemoryNodes

    init(_ first: MemoryNodes, _ second: MemoryNodes) {
        self.first = first
        self.second = second
    }

    func node(_ hash: ContentHash) throws -> TreeNode {
        if let node = first.nodes[hash] { return node }
        return try second.node(hash)
    }
}
