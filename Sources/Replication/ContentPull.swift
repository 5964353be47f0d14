import Causality
import Content
import Merkle

/// Brings the content of changed registers to this node, asking for each object by its place in a file.
///
/// The scoped twin of `Pull`: a state machine without I/O that walks manifests and never trees. `requests` says what to ask for,
/// `received` takes the answers.
public struct ContentPull: Sendable {
    public struct Request: Hashable, Sendable {
        public var files: [ContentRequest.File]
        /// What is to come, in order.
        public var hashes: [ContentHash]
        fileprivate var wanted: [Wanted]
    }

    /// An object and where it stands.
    fileprivate struct Wanted: Hashable, Sendable {
        var path: TreePath
        var root: ContentHash
        var place: ContentPlace
        var hash: ContentHash
        var size: UInt64
        var isLast: Bool

        var isChunk: Bool { place.height == 0 }
        /// Whether the node is its file's root.
        var isRoot: Bool { hash == root && place.offset == 0 && isLast }
    }

    /// A manifest node where a certain one is expected; looked into once.
    private struct Expected: Hashable {
        var hash: ContentHash
        var height: Int
        var size: UInt64
        var isRoot: Bool
        var isLast: Bool
    }

    private let limits: PullLimits
    /// Timestamps beyond this one are refused.
    private let horizon: Timestamp
    /// Manifest nodes and attributes; last in, first out, so that little waits at any time.
    private var stack: [Wanted] = []
    private var candidates: [Wanted] = []
    private var chunks: [Wanted] = []
    private var chunkBytes: UInt64 = 0
    private var awaitedChunks: [ContentHash: UInt64] = [:]
    private var seen: Set<Expected> = []
    private var inFlight = 0

    /// The latest timestamp that was seen.
    public private(set) var latest: Timestamp = .zero
    public private(set) var changedEntries = 0
    public private(set) var chunksReceived = 0
    public private(set) var bytesReceived: UInt64 = 0

    public init(horizon: Timestamp, limits: PullLimits = PullLimits()) {
        self.horizon = horizon
        self.limits = limits
    }

    public var isComplete: Bool { stack.isEmpty && candidates.isEmpty && chunks.isEmpty && inFlight == 0 }

    // MARK: What is needed

    /// Takes note of one changed register of the peer's.
    public mutating func add(_ register: Register, at path: TreePath, local: Register?) throws {
        guard register != local else { return }
        changedEntries += 1
        let latest = register.latest
        guard latest <= horizon else {
            throw PullError(.fromTheFuture, "'\(path)' has a version from \(latest.microseconds) µs, ahead of this node's clock; set the peer's clock")
        }
        self.latest = max(self.latest, latest)
        for version in register.versions {
            guard case .file(let file) = version.value else { continue }
            // What a local version has is here, and what this node has seen replaced is not wanted.
            if let local, local.context.covers(version.dot) { continue }
            let root = file.content.root
            if let attributes = file.attributes {
                let place = ContentPlace(attributes: attributes)
                stack.append(Wanted(path: path, root: root, place: place, hash: attributes, size: 0, isLast: true))
            }
            need(Wanted(
                path: path, root: root, place: ContentPlace(height: file.content.height, offset: 0), hash: root, size: file.content.size, isLast: true))
        }
    }

    private mutating func need(_ wanted: Wanted) {
        if wanted.isChunk { candidates.append(wanted) } else { stack.append(wanted) }
    }

    // MARK: Asking

    /// The requests to send now. Call it again after each `received`.
    public mutating func requests(_ objects: some LocalObjects) throws -> [Request] {
        var requests: [Request] = []
        var nodes: [Wanted] = []
        while inFlight < limits.requestsInFlight {
            if candidates.count >= limits.chunksPerRequest { try sift(objects) }
            if chunkBytes >= limits.bytesPerRequest || chunks.count >= limits.chunksPerRequest {
                requests.append(takeChunks())
            } else if let wanted = stack.last, chunks.count < limits.waitingChunks {
                stack.removeLast()
                if try !expandLocally(wanted, objects) { nodes.append(wanted) }
                if nodes.count == limits.nodesPerRequest { requests.append(request(&nodes)) }
            } else if !candidates.isEmpty {
                try sift(objects)
            } else if !nodes.isEmpty {
                requests.append(request(&nodes))
            } else if !chunks.isEmpty {
                requests.append(takeChunks())
            } else {
                break
            }
        }
        // Nodes that were taken off the stack, and found no request of their own.
        stack.append(contentsOf: nodes.reversed())
        return requests
    }

    private mutating func takeChunks() -> Request {
        var wanted: [Wanted] = []
        var bytes: UInt64 = 0
        while let chunk = chunks.last, bytes < limits.bytesPerRequest, wanted.count < limits.chunksPerRequest {
            chunks.removeLast()
            bytes += chunk.size
            wanted.append(chunk)
        }
        chunkBytes -= bytes
        return request(&wanted)
    }

    private mutating func request(_ wanted: inout [Wanted]) -> Request {
        inFlight += 1
        var files: [ContentRequest.File] = []
        for item in wanted {
            if let last = files.last, last.root == item.root, last.path == item.path {
                files[files.count - 1].places.append(item.place)
            } else {
                files.append(ContentRequest.File(path: item.path, root: item.root, places: [item.place]))
            }
        }
        defer { wanted = [] }
        return Request(files: files, hashes: wanted.map(\.hash), wanted: wanted)
    }

    /// Keeps those of the candidates that are neither here nor asked for.
    private mutating func sift(_ objects: some LocalObjects) throws {
        var places: [ContentHash: Wanted] = [:]
        for candidate in candidates where places[candidate.hash] == nil { places[candidate.hash] = candidate }
        for chunk in try objects.lacking(candidates.map { Pull.Chunk(hash: $0.hash, size: $0.size) }) {
            if let size = awaitedChunks[chunk.hash] {
                guard size == chunk.size else { throw PullError(.malformed, "manifests give chunk \(chunk.hash) two sizes") }
                continue
            }
            guard let wanted = places[chunk.hash] else { continue }
            awaitedChunks[chunk.hash] = chunk.size
            chunks.append(wanted)
            chunkBytes += chunk.size
        }
        candidates.removeAll(keepingCapacity: true)
    }

    // MARK: Taking answers

    /// Takes the answer to one request: an object for each place, whose bytes have been checked against its hash.
    ///
    /// - Throws: `PullError` or `MalformedBytes`; the pull is over then.
    public mutating func received(_ objects: [Pull.Object], for request: Request, _ local: some LocalObjects) throws {
        inFlight -= 1
        guard request.hashes == objects.map(\.hash) else {
            throw PullError(.malformed, "the peer answered with other objects than it was asked for")
        }
        for (wanted, object) in zip(request.wanted, objects) {
            bytesReceived += object.size
            switch (wanted.place.height, object.kind) {
            case (0, .chunk):
                guard awaitedChunks.removeValue(forKey: object.hash) == object.size else {
                    throw PullError(.malformed, "chunk \(object.hash) is not what its manifest says")
                }
                chunksReceived += 1
            case (ContentPlace.attributes, .attributes): break
            case (1..<ContentPlace.attributes, .manifest): try expand(wanted, object.bytes)
            default: throw PullError(.malformed, "object \(object.hash) is a \(object.kind), which is not what its reference says")
            }
        }
    }

    /// Goes on with what is here already; false if it is not here.
    private mutating func expandLocally(_ wanted: Wanted, _ local: some LocalObjects) throws -> Bool {
        if wanted.place.height == ContentPlace.attributes { return try local.contains(wanted.hash) }
        guard let bytes = try local.manifestNode(wanted.hash) else { return false }
        try expand(wanted, bytes)
        return true
    }

    private mutating func expand(_ wanted: Wanted, _ bytes: [UInt8]) throws {
        let height = wanted.place.height
        guard seen.insert(Expected(hash: wanted.hash, height: height, size: wanted.size, isRoot: wanted.isRoot, isLast: wanted.isLast)).inserted
        else { return }
        let node = try ManifestNode(decoding: bytes, height: height, size: wanted.size, isRoot: wanted.isRoot, isLast: wanted.isLast)
        var offset = wanted.place.offset
        for (index, child) in node.children.enumerated() {
            need(Wanted(
                path: wanted.path, root: wanted.root, place: ContentPlace(height: height - 1, offset: offset), hash: child.hash, size: child.size,
                isLast: wanted.isLast && index == node.children.count - 1))
            offset += child.size
        }
    }
}
