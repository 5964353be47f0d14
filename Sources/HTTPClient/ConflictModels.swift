/// A path with several versions that nobody has decided between.
public struct Conflict: Codable, Sendable {
    public var path: String
    public var kind: String
    public var winner: ConflictVersion?
    public var losers: [ConflictVersion]
}

/// One of the versions.
public struct ConflictVersion: Codable, Sendable {
    public var version: String
    public var node: String?
    public var timestamp: String?
    public var size: UInt64?
    public var contentType: String?
    public var contentHash: String?
    public var deleted: Bool?
    /// Where it can be read.
    public var path: String?

    enum CodingKeys: String, CodingKey {
        case version, node, timestamp, size, deleted, path
        case contentType = "content_type"
        case contentHash = "content_hash"
    }
}
