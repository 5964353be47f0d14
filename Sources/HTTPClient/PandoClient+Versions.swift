import AsyncHTTPClient
import NIOCore
import NIOHTTP1

/// A version of a path, as the history tells it.
public struct HistoryVersion: Codable, Sendable {
    public var version: String
    public var node: String
    public var timestamp: String
    public var kind: String?
    public var size: UInt64?
    public var contentHash: String?
    public var deleted: Bool
    /// Where it is read; a replaced one as of `commit`.
    public var path: String
    /// Nil for keys with rules, as `cause` is: other paths can be a part of it.
    public var commit: String?
    public var arrivedAt: String
    public var cause: String?
    public var status: String
    public var reason: String

    enum CodingKeys: String, CodingKey {
        case version, node, timestamp, kind, size, deleted, path, commit, cause, status, reason
        case contentHash = "content_hash"
        case arrivedAt = "arrived_at"
    }
}

/// A named state of the files.
public struct SnapshotItem: Codable, Sendable {
    public var name: String
    public var createdAt: String
    public var node: String?
    public var files: UInt64?
    public var size: UInt64?
    /// About what its deletion frees; nil where that is not known.
    public var ownBytes: UInt64?
    /// The rest of its size.
    public var sharedBytes: UInt64?
    public var isRival: Bool?

    enum CodingKeys: String, CodingKey {
        case name, node, files, size
        case createdAt = "created_at"
        case ownBytes = "own_bytes"
        case sharedBytes = "shared_bytes"
        case isRival = "is_rival"
    }
}

/// What a restore changed or would change.
public struct RestoreOutcome: Codable, Sendable {
    public struct Change: Codable, Sendable {
        public var path: String
        public var change: String
    }

    public var preview: Bool
    public var restored: Int
    public var reverted: Int
    public var deleted: Int
    public var bytes: UInt64
    public var before: String?
    public var commit: String?
    public var paths: [Change]
}

/// What differs between two moments.
public struct MomentDifference: Codable, Sendable {
    public var added: [ListItem]
    public var modified: [ListItem]
    public var deleted: [ListItem]
    public var next: String?
}

/// What to restore, and to what.
public struct RestoreOrder: Encodable, Sendable {
    public var path: String
    public var at: String?
    public var version: String?
    public var preview: Bool?

    public init(path: String, at: String? = nil, version: String? = nil, preview: Bool) {
        self.path = path
        self.at = at
        self.version = version
        self.preview = preview ? true : nil
    }
}

extension PandoClient {
    /// One page of the history of a path, the latest first.
    public func history<Item: Decodable & Sendable>(
        of path: String, after cursor: String? = nil, limit: Int = 1000, as type: Item.Type = HistoryVersion.self
    ) async throws -> Page<Item> {
        let query = PercentEncoding.query([("after", cursor), ("limit", String(limit))])
        return try await document(.GET, "/versions/history" + PercentEncoding.path(path) + query)
    }

    public func snapshots<Item: Decodable & Sendable>(as type: Item.Type = SnapshotItem.self) async throws -> [Item] {
        try await all("/versions/snapshots")
    }

    /// Names the present state.
    public func makeSnapshot(_ name: String, metadata: JSONValue? = nil) async throws -> JSONValue {
        var body: [String: JSONValue] = ["name": .string(name)]
        body["metadata"] = metadata
        return try await document(.POST, "/versions/snapshots", body: JSONValue.object(body), isRepeatable: false)
    }

    public func deleteSnapshot(_ name: String) async throws {
        try await discard(try await send(.DELETE, "/versions/snapshots/" + PercentEncoding.component(name)))
    }

    /// Puts a path back to what it was, or tells what that would change.
    public func restore(_ order: RestoreOrder) async throws -> JSONValue {
        try await document(.POST, "/versions/restore", body: order, isRepeatable: false)
    }

    /// One page of what differs between two moments.
    public func difference<Document: Decodable>(
        from: When, to: When?, path: String?, after cursor: String? = nil, as type: Document.Type = MomentDifference.self
    ) async throws -> Document {
        try await document(
            .GET, "/versions/diff" + PercentEncoding.query([("from", from), ("to", to), ("path", path), ("after", cursor), ("limit", "10000")]))
    }

    /// The lines that differ in a text file.
    public func textDifference(from: When, to: When?, path: String) async throws -> [UInt8] {
        let query = PercentEncoding.query([("from", from), ("to", to), ("path", path), ("format", "text")])
        return try await bytes(of: try await send(.GET, "/versions/diff" + query))
    }

    public func retention() async throws -> JSONValue {
        try await document(.GET, "/versions/retention")
    }

    /// Sets how long versions are kept, for the whole cluster.
    public func setRetention(_ policy: JSONValue) async throws -> JSONValue {
        try await document(.PUT, "/versions/retention", body: policy)
    }
}
