import Content
import FileDatabase
import Merkle
import Objects
import Platform
import Replication
import Synchronization

/// A chunk that this node wants to have, and where in a peer's tree it is.
public struct WantedChunk: Hashable, Sendable {
    public var hash: ContentHash
    /// Bytes.
    public var size: UInt32
    /// A path whose version has it,
    public var path: TreePath
    /// the root of that version's content,
    public var root: ContentHash
    /// and where in the file it begins.
    public var offset: UInt64

    public init(hash: ContentHash, size: UInt32, path: TreePath, root: ContentHash, offset: UInt64) {
        self.hash = hash
        self.size = size
        self.path = path
        self.root = root
        self.offset = offset
    }
}

/// A chunk that has come, with the bytes that its hash says.
public struct ArrivedChunk: Sendable {
    public let chunk: WantedChunk
    public let bytes: [UInt8]

    /// - Parameter bytes: checked by the caller.
    public init(chunk: WantedChunk, bytes: [UInt8]) {
        self.chunk = chunk
        self.bytes = bytes
    }

    /// - Throws: `MalformedBytes` where one has other bytes than its hash says.
    fileprivate static func checked(_ arrived: [(chunk: WantedChunk, object: UncheckedObject)]) throws -> [ArrivedChunk] {
        try zip(arrived, UncheckedObject.checked(arrived.map(\.object))).map { arrived, found in
            guard let found else { throw MalformedBytes("object \(arrived.chunk.hash) has other bytes than its hash says") }
            return ArrivedChunk(chunk: arrived.chunk, bytes: found.bytes)
        }
    }
}

/// Content for a node that keeps its files somewhere else than in its log, and asks for it when it has a place for it.
extension Node {
    /// Bytes that one request asks for: long enough that a slow link is never idle between requests.
    private static let fetchSize: UInt64 = 4 << 20
    /// Requests under way at once.
    private static let fetchesInFlight = 4
    /// Bytes of chunks that are checked and handed out together.
    private static let deliverySize = 1 << 20

    /// Brings chunks from the node that this one is a client of, and hands them out as they come, checked, some at a time, in any order. One that
    /// is not there any more is left out.
    ///
    /// - Parameter deliver: called on a thread that may block, several at once.
    public func fetch(_ wanted: [WantedChunk], _ deliver: @escaping @Sendable ([ArrivedChunk]) throws -> Void) async throws {
        if wanted.isEmpty { return }
        guard let link = allLinks().first(where: { $0.apiKey != nil }) else {
            throw NodeError(.unavailable, "this node is connected to no other")
        }
        try await meet(link)
        let cursor = try await database.threads.run { [self] in scopedState(of: link, .files).cursor }
        var requests = Node.requests(for: wanted)[...]
        try await keepingTime(with: link) {
            try await withThrowingTaskGroup(of: Void.self) { group in
                func start() {
                    guard let request = requests.popFirst() else { return }
                    group.addTask { try await self.fetch(request, cursor, from: link, deliver) }
                }
                for _ in 0..<Node.fetchesInFlight { start() }
                while try await group.next() != nil { start() }
            }
        }
    }

    /// Makes sure that the node that this one is a client of answers, and has the same time.
    public func meetServer() async throws {
        guard let link = allLinks().first(where: { $0.apiKey != nil }) else {
            throw NodeError(.unavailable, "this node is connected to no other")
        }
        try await meet(link)
    }

    /// Brings what changed at the node that this one is a client of, and sends nothing.
    public func pullFromServer() async throws {
        guard let link = allLinks().first(where: { $0.apiKey != nil }) else {
            throw NodeError(.unavailable, "this node is connected to no other")
        }
        try await meet(link)
        var report = SyncReport(nodeID: link.nodeID?.description, address: link.address, ok: false)
        _ = try await keepingTime(with: link) { try await link.pulls.run { try await pullAll(from: link, &report) } }
    }

    private static func requests(for wanted: [WantedChunk]) -> [[WantedChunk]] {
        var requests: [[WantedChunk]] = []
        var request: [WantedChunk] = []
        var size: UInt64 = 0
        for chunk in wanted {
            request.append(chunk)
            size += UInt64(chunk.size)
            if size >= fetchSize || request.count == ContentRequest.maximumPlaces {
                requests.append(request)
                request = []
                size = 0
            }
        }
        return request.isEmpty ? requests : requests + [request]
    }

    private func fetch(
        _ wanted: [WantedChunk], _ cursor: [UInt8], from link: PeerLink, _ deliver: @escaping @Sendable ([ArrivedChunk]) throws -> Void
    ) async throws {
        var files: [ContentRequest.File] = []
        for chunk in wanted {
            let place = ContentPlace(height: 0, offset: chunk.offset)
            if let last = files.last, last.path == chunk.path, last.root == chunk.root {
                files[files.count - 1].places.append(place)
            } else {
                files.append(ContentRequest.File(path: chunk.path, root: chunk.root, places: [place]))
            }
        }
        let response = try await send(
            .post, "/sync/scoped/objects?tree=files", to: link, body: ContentRequest(cursor: cursor, files: files).encoded())
        var reader = ObjectFrameReader()
        var count = 0
        var arrived: [(chunk: WantedChunk, object: UncheckedObject)] = []
        var bytes = 0
        func handOut() async throws {
            let objects = arrived
            arrived = []
            bytes = 0
            try await database.threads.run { try deliver(try ArrivedChunk.checked(objects)) }
        }
        var received: UInt64 = 0
        defer { link.state.withLock { $0.bytesReceived += received } }
        while let frames = try await response.body.next({ piece in
            received += UInt64(piece.count)
            return try reader.read(piece)
        }) {
            for frame in frames {
                guard count < wanted.count else { throw PullError(.malformed, "the peer answered with more than it was asked for") }
                let chunk = wanted[count]
                count += 1
                guard let object = frame.object else { continue }
                guard object.kind == .chunk, object.hash == chunk.hash, object.rawLength == Int(chunk.size) else {
                    throw PullError(.malformed, "the peer answered with other objects than it was asked for")
                }
                arrived.append((chunk, object))
                bytes += frame.header.rawLength
                if bytes >= Node.deliverySize { try await handOut() }
            }
        }
        if !arrived.isEmpty { try await handOut() }
        guard reader.isAtEnd else {
            throw NodeError(.unavailable, "the peer at \(link.address) broke off in the middle of an answer; sync again")
        }
    }
}
