import Causality
import Content
import Merkle

/// Sizes, and why.
public struct PullLimits: Sendable {
    /// Nodes asked for at once: a level of a large directory, at most about a megabyte of answer.
    public var nodesPerRequest = 256
    /// Chunk bytes asked for at once: long enough that a slow link is never idle between requests.
    public var bytesPerRequest: UInt64 = 4 << 20
    public var chunksPerRequest = 1024
    /// Requests under way at once. With four megabytes each, what a link of 300 ms and half a gigabit holds.
    public var requestsInFlight = 6
    /// Chunks that may wait to be asked for before the walk pauses, so that a large tree is not held in memory.
    public var waitingChunks = 16_384

    public init() {}
}

/// Why a pull ended without a result.
public struct PullError: Error, Sendable, Equatable, CustomStringConvertible {
    public enum Code: Sendable {
        /// The peer does not have an object that its tree names.
        case absent
        /// A version from further in the future than clocks may differ.
        case fromTheFuture
        /// The peer's answer breaks the format.
        case malformed
        /// The peer runs on an old copy of its data and does not know it yet.
        case forgetful
    }

    public var code: Code
    public var reason: String
    /// At which path the peer has forgotten something.
    public var path: TreePath?

    public init(_ code: Code, _ reason: String, at path: TreePath? = nil) {
        self.code = code
        self.reason = reason
        self.path = path
    }

    public var description: String { reason }
}

/// Brings everything that a peer's tree needs to this node, asking only for what is not here.
///
/// A state machine without I/O: `requests` says what to ask the peer for, `received` takes its answers, and when
/// `isComplete` the peer's tree can be joined into this node's. Nodes are asked for only where their hash does not stand
/// at the same place of this node's own tree; each is checked against the reference that led to it.
public struct Pull: Sendable {
    public struct Chunk: Hashable, Sendable {
        public var hash: ContentHash
        public var size: UInt64

        public init(hash: ContentHash, size: UInt64) {
            self.hash = hash
            self.size = size
        }
    }

    public enum Request: Sendable, Equatable {
        /// Tree nodes, manifest nodes and attribute lists.
        case nodes([ContentHash])
        case chunks([ContentHash])
    }

    /// What an answer brings.
    public struct Object: Sendable {
        public var hash: ContentHash
        public var kind: ObjectKind
        /// Uncompressed, and checked against the hash. Chunks come without them: they are stored already.
        public var bytes: [UInt8]
        public var size: UInt64

        public init(hash: ContentHash, kind: ObjectKind, bytes: [UInt8], size: UInt64) {
            self.hash = hash
            self.kind = kind
            self.bytes = bytes
            self.size = size
        }
    }

    /// What is to be looked at next, or as soon as its bytes are here.
    enum Work {
        case tree(TreeWork)
        case manifest(ManifestWork)
        case attributes(ContentHash)

        var hash: ContentHash {
            switch self {
            case .tree(let work): work.hash
            case .manifest(let work): work.hash
            case .attributes(let hash): hash
            }
        }
    }

    struct TreeWork {
        var hash: ContentHash
        var expectation: TreeNode.Expectation
        /// The directory.
        var path: TreePath
        /// The nodes of this node's own tree that stand at the same place.
        var local: [LocalReference]
    }

    struct ManifestWork: Hashable {
        var hash: ContentHash
        var height: Int
        var size: UInt64
        var isRoot: Bool
        var isLast: Bool
    }

    struct LocalReference {
        var hash: ContentHash
        /// The names below are behind this one…
        var after: String?
        /// …and up to this one; nil for all.
        var lastName: String?

        func mayHold(_ name: String) -> Bool {
            (after.map { $0.sortsBefore(name) } ?? true) && (lastName.map { !$0.sortsBefore(name) } ?? true)
        }
    }

    private let limits: PullLimits
    /// Timestamps beyond this one are refused.
    private let horizon: Timestamp
    // Last in, first out: the walk goes down before it goes on, so little waits at any time.
    private var stack: [Work] = []
    private var candidates: [Chunk] = []
    private var chunks: [Chunk] = []
    private var chunkBytes: UInt64 = 0
    /// Asked for and not answered, by hash; several places may wait for one node.
    private var waiting: [ContentHash: [Work]] = [:]
    private var awaitedChunks: [ContentHash: UInt64] = [:]
    private var inFlight = 0
    // What was gone into. A file may repeat a manifest node without end, as sparse files do; once is enough. An honest tree
    // never repeats a node, since no two versions have one name; a liar's could double at each level.
    private var seenManifests: Set<ManifestWork> = []
    private var seenNodes: Set<ContentHash> = []

    /// The node that is pulled from.
    public var peer: NodeID?
    /// Which of its own writes that one knows, of its lives that are known.
    public var peerKnows: [KnownWrites] = []
    /// Deletions up to here have been dropped at this node.
    public var purgedUpTo = Timestamp.zero
    /// What the peer has in this node's name.
    public var ownWrites: OwnWrites?
    /// The latest timestamp that was seen.
    public private(set) var latest: Timestamp = .zero
    /// Paths whose registers differ from this node's.
    public private(set) var changedEntries = 0
    public private(set) var chunksReceived = 0
    public private(set) var bytesReceived: UInt64 = 0

    /// A pull that is told the changes one by one, with `add`.
    public init(horizon: Timestamp, limits: PullLimits = PullLimits()) {
        self.horizon = horizon
        self.limits = limits
    }

    /// A pull that walks the peer's tree.
    ///
    /// - Parameters:
    ///   - local: the root of this node's own tree.
    ///   - remote: the root of the peer's.
    public init(local: ContentHash, remote: ContentHash, horizon: Timestamp, limits: PullLimits = PullLimits()) {
        self.init(horizon: horizon, limits: limits)
        guard local != remote, remote != TreeNode.empty.hash else { return }
        stack.append(.tree(TreeWork(
            hash: remote, expectation: .root(nil), path: .root,
            local: [LocalReference(hash: local, after: nil, lastName: nil)])))
    }

    public var isComplete: Bool {
        stack.isEmpty && candidates.isEmpty && chunks.isEmpty && inFlight == 0
    }

    // MARK: Asking

    /// The requests to send now. Call it again after each `received`.
    public mutating func requests(_ objects: some LocalObjects) throws -> [Request] {
        var requests: [Request] = []
        var nodes: [ContentHash] = []
        while inFlight < limits.requestsInFlight {
            if candidates.count >= limits.chunksPerRequest { try sift(objects) }
            // The last request that may go out is for the nodes that wait already.
            let isLast = inFlight == limits.requestsInFlight - 1 && !nodes.isEmpty
            if isLast, chunkBytes >= limits.bytesPerRequest || chunks.count >= limits.chunksPerRequest {
                requests.append(take(&nodes))
            } else if chunkBytes >= limits.bytesPerRequest || chunks.count >= limits.chunksPerRequest {
                requests.append(takeChunks())
            } else if let work = stack.last, chunks.count < limits.waitingChunks {
                stack.removeLast()
                if try !expandLocally(work, objects) {
                    if waiting[work.hash]?.append(work) == nil {
                        waiting[work.hash] = [work]
                        nodes.append(work.hash)
                    }
                    if nodes.count == limits.nodesPerRequest { requests.append(take(&nodes)) }
                }
            } else if !candidates.isEmpty {
                try sift(objects)
            } else if !nodes.isEmpty {
                requests.append(take(&nodes))
            } else if !chunks.isEmpty {
                // Less than a full request: nothing more will come before an answer does.
                requests.append(takeChunks())
            } else {
                break
            }
        }
        if !nodes.isEmpty { requests.append(take(&nodes)) }
        return requests
    }

    private mutating func take(_ nodes: inout [ContentHash]) -> Request {
        defer { nodes = [] }
        inFlight += 1
        return .nodes(nodes)
    }

    private mutating func takeChunks() -> Request {
        var hashes: [ContentHash] = []
        var bytes: UInt64 = 0
        while let chunk = chunks.last, bytes < limits.bytesPerRequest, hashes.count < limits.chunksPerRequest {
            chunks.removeLast()
            bytes += chunk.size
            hashes.append(chunk.hash)
        }
        chunkBytes -= bytes
        inFlight += 1
        return .chunks(hashes)
    }

    /// Keeps those of the candidates that are neither here nor asked for.
    private mutating func sift(_ objects: some LocalObjects) throws {
        for chunk in try objects.lacking(candidates) {
            if let size = awaitedChunks[chunk.hash] {
                guard size == chunk.size else { throw PullError(.malformed, "manifests give chunk \(chunk.hash) two sizes") }
                continue
            }
            awaitedChunks[chunk.hash] = chunk.size
            chunks.append(chunk)
            chunkBytes += chunk.size
        }
        candidates.removeAll(keepingCapacity: true)
    }

    // MARK: Taking answers

    /// Takes the answer to one request: an object for each hash, whose bytes have been checked against it.
    ///
    /// - Parameter absent: hashes that the peer said it does not have.
    /// - Throws: `PullError` or `MalformedBytes`; the pull is over then.
    public mutating func received(
        _ objects: [Object], absent: [ContentHash], for request: Request, _ local: some LocalObjects
    ) throws {
        if let hash = absent.first {
            throw PullError(.absent, "the peer does not have \(hash), which its tree needs; it may have moved on: sync again")
        }
        inFlight -= 1
        let asked: [ContentHash] =
            switch request {
            case .nodes(let hashes), .chunks(let hashes): hashes
            }
        guard asked == objects.map(\.hash) else {
            throw PullError(.malformed, "the peer answered with other objects than it was asked for")
        }
        for object in objects {
            bytesReceived += object.size
            if case .chunks = request {
                guard object.kind == .chunk, awaitedChunks.removeValue(forKey: object.hash) == object.size else {
                    throw PullError(.malformed, "chunk \(object.hash) is not what its manifest says")
                }
                chunksReceived += 1
            } else {
                for work in waiting.removeValue(forKey: object.hash) ?? [] { try expand(work, object, local) }
            }
        }
    }

    private mutating func expand(_ work: Work, _ object: Object, _ local: some LocalObjects) throws {
        switch (work, object.kind) {
        case (.tree(let work), .tree): try expand(work, TreeNode(object.bytes, hash: object.hash), local)
        case (.manifest(let work), .manifest): try expand(work, object.bytes)
        case (.attributes, .attributes): break
        default: throw PullError(.malformed, "object \(object.hash) is a \(object.kind), which is not what its reference says")
        }
    }

    /// Goes on with what a sync that broke off left here; false if it is not here.
    private mutating func expandLocally(_ work: Work, _ local: some LocalObjects) throws -> Bool {
        switch work {
        case .tree(let work):
            guard let node = try local.treeNode(work.hash) else { return false }
            try expand(work, node, local)
        case .manifest(let work):
            guard let bytes = try local.manifestNode(work.hash) else { return false }
            try expand(work, bytes)
        case .attributes(let hash):
            return try local.contains(hash)
        }
        return true
    }

    private mutating func expand(_ work: ManifestWork, _ bytes: [UInt8]) throws {
        guard seenManifests.insert(work).inserted else { return }
        let node = try ManifestNode(decoding: bytes, height: work.height, size: work.size, isRoot: work.isRoot, isLast: work.isLast)
        for (index, child) in node.children.enumerated() {
            let isLast = work.isLast && index == node.children.count - 1
            need(FileContent(root: child.hash, height: work.height - 1, size: child.size), isRoot: false, isLast: isLast)
        }
    }

    private mutating func need(_ content: FileContent, isRoot: Bool = true, isLast: Bool = true) {
        if content.height == 0 {
            candidates.append(Chunk(hash: content.root, size: content.size))
        } else {
            stack.append(.manifest(ManifestWork(
                hash: content.root, height: content.height, size: content.size, isRoot: isRoot, isLast: isLast)))
        }
    }

    // MARK: Looking at entries

    /// Takes note of one changed register of the peer's.
    public mutating func add(_ register: Register, at path: TreePath, local: Register?) throws {
        guard register != local else { return }
        changedEntries += 1
        let latest = register.latest
        guard latest <= horizon else {
            throw PullError(.fromTheFuture, "'\(path)' has a version from \(latest.microseconds) µs, ahead of this node's clock; set the peer's clock")
        }
        self.latest = max(self.latest, latest)
        ownWrites?.look(at: register, over: local, purgedUpTo: purgedUpTo)
        try refuseForgetful(register, at: path, over: local)
        for version in register.versions {
            guard case .file(let file) = version.value else { continue }
            // What a local version has is here.
            let known = local?.versions.contains { version in
                if case .file(let mine) = version.value { mine.content == file.content && mine.attributes == file.attributes } else { false }
            }
            if known == true { continue }
            need(file.content)
            if let attributes = file.attributes { stack.append(.attributes(attributes)) }
        }
    }

    private mutating func expand(_ work: TreeWork, _ node: TreeNode, _ local: some LocalObjects) throws {
        try node.validate(as: work.expectation)
        guard seenNodes.insert(node.hash).inserted else {
            throw PullError(.malformed, "the peer's tree has node \(node.hash) in two places")
        }
        if node.level == 0 {
            try compareEntries(of: node, work, local)
            return
        }
        let references = try references(at: node.level - 1, work.local, local)
        var after = work.expectation.after
        // Pushed in reverse, so that they come off the stack in order.
        var found: [Work] = []
        for (index, child) in node.children.enumerated() {
            defer { after = child.lastName }
            if references.contains(where: { $0.hash == child.hash }) { continue }
            let isLast = work.expectation.isLast && index == node.children.count - 1
            let overlapping = references.filter { reference in
                (reference.lastName.map { name in after.map { $0.sortsBefore(name) } ?? true } ?? true)
                    && (reference.after.map { $0.sortsBefore(child.lastName) } ?? true)
            }
            found.append(.tree(TreeWork(
                hash: child.hash,
                expectation: TreeNode.Expectation(
                    level: node.level - 1, after: after, lastName: child.lastName, isLast: isLast, aggregates: child.aggregates),
                path: work.path, local: overlapping)))
        }
        stack.append(contentsOf: found.reversed())
    }

    /// The references of this node's own tree at a level or below it, under the given ones.
    private func references(
        at level: Int, _ from: [LocalReference], _ local: some LocalObjects
    ) throws -> [LocalReference] {
        var result: [LocalReference] = []
        var rest = Array(from.reversed())
        while let reference = rest.popLast() {
            guard let node = try local.treeNode(reference.hash) else { throw MissingNode(hash: reference.hash) }
            if node.level <= level {
                result.append(reference)
                continue
            }
            var after = reference.after
            var children: [LocalReference] = []
            for child in node.children {
                children.append(LocalReference(hash: child.hash, after: after, lastName: child.lastName))
                after = child.lastName
            }
            rest.append(contentsOf: children.reversed())
        }
        return result
    }

    /// This node's own entry of a name, looked up in the nodes that stand at the same place. O(log n).
    private func ownEntry(
        named name: String, _ references: [LocalReference], _ reader: LocalNodes<some LocalObjects>
    ) throws -> Entry? {
        for reference in references where reference.mayHold(name) {
            let subtree = Subtree(root: reference.hash, aggregates: .zero)
            if let entry = try subtree.entry(named: name, in: reader) { return entry }
        }
        return nil
    }

    private mutating func compareEntries(of node: TreeNode, _ work: TreeWork, _ local: some LocalObjects) throws {
        let reader = LocalNodes(local: local)
        for index in 0..<node.count {
            let entry = try node.entry(at: index)
            let path = work.path.appending(entry.name)
            guard path.length <= TreePath.maximumLength else {
                throw PullError(.malformed, "the peer's tree has a path longer than \(TreePath.maximumLength) bytes")
            }
            let own = try ownEntry(named: entry.name, work.local, reader)
            if own == entry { continue }
            if let register = entry.register {
                try add(register, at: path, local: own?.register)
            }
            if let subtree = entry.subtree, subtree != own?.subtree {
                guard subtree.root != own?.subtree?.root else {
                    throw PullError(.malformed, "the peer gives other sums than this node for the same directory")
                }
                let reference = LocalReference(hash: own?.subtree?.root ?? TreeNode.empty.hash, after: nil, lastName: nil)
                stack.append(.tree(TreeWork(
                    hash: subtree.root, expectation: .root(subtree.aggregates), path: path, local: [reference])))
            }
        }
    }
}
