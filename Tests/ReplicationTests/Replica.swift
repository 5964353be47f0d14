import Causality
import Content
@testable import Merkle
import Replication
import TestSupport

/// A node's files and objects in memory.
struct Replica: LocalObjects {
    var nodes = MemoryNodes()
    var manifests: [ContentHash: [UInt8]] = [:]
    /// Their sizes; the bytes do not matter to a pull.
    var chunks: [ContentHash: UInt64] = [:]
    var attributes: [ContentHash: [UInt8]] = [:]
    var tree = Subtree.empty
    var clock = HybridClock()
    let actor: Actor

    init(_ number: Int) {
        actor = .numbered(number)
    }

    // MARK: LocalObjects

    func treeNode(_ hash: ContentHash) -> TreeNode? { nodes.nodes[hash] }
    func manifestNode(_ hash: ContentHash) -> [UInt8]? { manifests[hash] }

    func lacking(_ wanted: [Pull.Chunk]) throws -> [Pull.Chunk] {
        try wanted.filter { chunk in
            guard let size = chunks[chunk.hash] else { return true }
            guard size == chunk.size else { throw MalformedBytes("chunk of another size") }
            return false
        }
    }

    func contains(_ hash: ContentHash) -> Bool { objects.contains(hash) }

    /// All objects that are here, but for the empty tree, which everybody has.
    var objects: Set<ContentHash> {
        Set(nodes.nodes.keys).union(manifests.keys).union(chunks.keys).union(attributes.keys)
    }

    mutating func store(_ object: Pull.Object) throws {
        switch object.kind {
        case .tree: nodes.insert(try TreeNode(object.bytes, hash: object.hash))
        case .manifest: manifests[object.hash] = object.bytes
        case .attributes: attributes[object.hash] = object.bytes
        default: chunks[object.hash] = object.size
        }
    }

    // MARK: Writing

    mutating func tick() -> Dot {
        Dot(timestamp: clock.tick(microseconds: 1_700_000_000_000_000), actor: actor)
    }

    mutating func write(_ value: Value, at path: TreePath) throws {
        let dot = tick()
        let register = try tree.entry(at: path, in: nodes)?.register?.writing(value, at: dot)
            ?? Register(Version(dot: dot, past: VersionVector(), value: value))
        tree = try tree.applying([TreeEdit(path, .set(register))], in: &nodes)
    }

    mutating func join(_ root: ContentHash, latest: Timestamp) throws {
        tree = try tree.joined(with: Subtree(root: root, aggregates: .zero), in: &nodes)
        clock.observe(latest)
    }

    /// A file of these chunks.
    mutating func file(of parts: [Int], attributes list: [UInt8]? = nil) throws -> Value {
        var builder = ManifestBuilder()
        for part in parts {
            let bytes = Array("part \(part)".utf8)
            let hash = ContentHash(of: .chunk, bytes)
            chunks[hash] = UInt64(bytes.count)
            try builder.append(chunk: hash, size: bytes.count) { manifests[$0] = $1 }
        }
        let content = try builder.finish { manifests[$0] = $1 }
        let name = list.map { ContentHash(of: .attributes, $0) }
        if let name { attributes[name] = list }
        return .file(FileValue(content: content, mediaType: "text/plain", modifiedAt: 0, attributes: name))
    }

    /// Some edits of all kinds, with files that share chunks.
    mutating func edit(_ count: Int, _ random: inout SplitMix64) throws {
        for _ in 0..<count {
            let path = TreePath.random(&random)
            let start = random.below(3000)
            let value: Value =
                switch random.below(12) {
                case 0, 1: .tombstone
                case 2: .directory
                case 3: .symlink(target: random.pick(["../a", "b"]))
                case 4: try file(of: Array(start..<start + 30 + random.below(300)))
                case 5: try file(of: [start, start + 1], attributes: [UInt8(random.below(20))])
                default: try file(of: [start])
                }
            try write(value, at: path)
        }
    }

    /// Everything that the tree needs.
    func needed() throws -> Set<ContentHash> {
        var result: Set<ContentHash> = []
        func add(_ content: FileContent, _ result: inout Set<ContentHash>) throws {
            guard result.insert(content.root).inserted, content.height > 0, let bytes = manifests[content.root] else { return }
            let node = try CanonicalDecoder(bytes).children()
            for child in node { try add(FileContent(root: child.hash, height: content.height - 1, size: child.size), &result) }
        }
        func add(_ hash: ContentHash, _ result: inout Set<ContentHash>) throws {
            guard result.insert(hash).inserted else { return }
            let node = try nodes.node(hash)
            for child in node.children { try add(child.hash, &result) }
            for index in 0..<(node.level == 0 ? node.count : 0) {
                let entry = try node.entry(at: index)
                if let subtree = entry.subtree { try add(subtree.root, &result) }
                for version in entry.register?.versions ?? [] {
                    guard case .file(let file) = version.value else { continue }
                    try add(file.content, &result)
                    if let attributes = file.attributes { result.insert(attributes) }
                }
            }
        }
        try add(tree.root, &result)
        return result
    }
}

extension CanonicalDecoder {
    /// The children of a manifest node, unchecked.
    fileprivate func children() throws -> [ManifestNode.Child] {
        var decoder = self
        _ = try decoder.readInteger()
        return try (0..<decoder.readInteger()).map { _ in
            ManifestNode.Child(hash: try decoder.readHash(), size: try decoder.readInteger())
        }
    }
}

// MARK: - A peer

extension Pull.Request {
    var hashes: [ContentHash] {
        switch self {
        case .nodes(let hashes), .chunks(let hashes): hashes
        }
    }
}

extension Replica {
    /// What an honest peer answers.
    func answer(_ request: Pull.Request) -> (objects: [Pull.Object], absent: [ContentHash]) {
        var (objects, absent): ([Pull.Object], [ContentHash]) = ([], [])
        for hash in request.hashes {
            if let size = chunks[hash] {
                objects.append(Pull.Object(hash: hash, kind: .chunk, bytes: [], size: size))
            } else if let bytes = nodes.nodes[hash]?.bytes {
                objects.append(Pull.Object(hash: hash, kind: .tree, bytes: bytes, size: UInt64(bytes.count)))
            } else if let bytes = manifests[hash] {
                objects.append(Pull.Object(hash: hash, kind: .manifest, bytes: bytes, size: UInt64(bytes.count)))
            } else if let bytes = attributes[hash] {
                objects.append(Pull.Object(hash: hash, kind: .attributes, bytes: bytes, size: UInt64(bytes.count)))
            } else {
                absent.append(hash)
            }
        }
        return (objects, absent)
    }

    struct Cut: Error {}

    static let horizon = Timestamp(microseconds: 1_800_000_000_000_000)

    /// Runs a pull to its end, with answers in any order; objects are stored as they come.
    ///
    /// - Parameters:
    ///   - cutAfter: how many answers come before the connection breaks.
    ///   - answer: what the peer answers.
    /// - Returns: the requests that were sent.
    @discardableResult
    mutating func run(
        _ pull: inout Pull, _ random: inout SplitMix64, limits: PullLimits = PullLimits(), cutAfter: Int = .max,
        asked: inout [Pull.Request], answer: (Pull.Request) throws -> (objects: [Pull.Object], absent: [ContentHash])
    ) throws -> [Pull.Request] {
        var inFlight: [Pull.Request] = []
        var answers = 0
        while true {
            let new = try pull.requests(self)
            asked += new
            inFlight += new
            if inFlight.isEmpty { break }
            if inFlight.count > limits.requestsInFlight { throw MalformedBytes("\(inFlight.count) requests in flight") }
            if answers == cutAfter { throw Cut() }
            let request = inFlight.remove(at: random.below(inFlight.count))
            let (objects, absent) = try answer(request)
            for object in objects { try store(object) }
            try pull.received(objects, absent: absent, for: request, self)
            answers += 1
        }
        if !pull.isComplete { throw MalformedBytes("nothing to ask for, and not complete") }
        return asked
    }

    /// Pulls a peer's tree and joins it.
    /// - Returns: the requests.
    @discardableResult
    mutating func pull(
        from peer: Replica, _ random: inout SplitMix64, limits: PullLimits = PullLimits(), cutAfter: Int = .max,
        asked: inout [Pull.Request]
    ) throws -> Pull {
        var pull = Pull(local: tree.root, remote: peer.tree.root, horizon: Replica.horizon, limits: limits)
        try run(&pull, &random, limits: limits, cutAfter: cutAfter, asked: &asked) { peer.answer($0) }
        try join(peer.tree.root, latest: pull.latest)
        return pull
    }
}
