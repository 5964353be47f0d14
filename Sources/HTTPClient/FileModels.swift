/// What stands at a path.
public enum FileKind: String, Codable, Sendable {
    case file
    case directory
    case symlink
}

/// One line of a listing.
public struct ListItem: Codable, Sendable {
    public var name: String
    public var path: String
    public var kind: FileKind
    /// Bytes; of a directory, of everything below it.
    public var size: UInt64?
    /// Files below a directory.
    public var files: UInt64?
    public var contentType: String?
    public var contentHash: String?
    public var modifiedAt: String?
    /// The node that wrote it.
    public var node: String?
    /// Versions beside the current one; of a directory, conflicted paths below it.
    public var conflicts: UInt64?
    public var executable: Bool?
    /// Where a symbolic link leads.
    public var target: String?

    enum CodingKeys: String, CodingKey {
        case name, path, kind, size, files, node, conflicts, executable, target
        case contentType = "content_type"
        case contentHash = "content_hash"
        case modifiedAt = "modified_at"
    }
}

/// One page of a listing.
public struct Page<Item: Decodable & Sendable>: Decodable, Sendable {
    public var items: [Item]
    /// The cursor of the next page, if there is one.
    public var next: String?
}

/// What the headers of a path say.
public struct FileHead: Codable, Sendable {
    public var path: String
    public var kind: FileKind
    public var size: UInt64?
    public var contentType: String?
    public var contentHash: String?
    public var modifiedAt: String?
    public var version: String?
    public var conflicts: UInt64
    public var executable: Bool
    public var target: String?

    public init(path: String, kind: FileKind, conflicts: UInt64 = 0, executable: Bool = false) {
        self.path = path
        self.kind = kind
        self.conflicts = conflicts
        self.executable = executable
    }

    enum CodingKeys: String, CodingKey {
        case path, kind, size, version, conflicts, executable, target
        case contentType = "content_type"
        case contentHash = "content_hash"
        case modifiedAt = "modified_at"
    }
}

/// The answer to a write.
public struct WrittenFile: Codable, Sendable {
    public var path: String
    public var size: UInt64?
    public var contentType: String?
    public var contentHash: String?
    public var version: String?
    public var modifiedAt: String?

    enum CodingKeys: String, CodingKey {
        case path, size, version
        case contentType = "content_type"
        case contentHash = "content_hash"
        case modifiedAt = "modified_at"
    }
}

/// The chunks of a file in their order.
public struct ChunkList: Codable, Sendable {
    public struct Chunk: Codable, Sendable {
        public var hash: String
        public var size: Int
    }

    public var contentHash: String
    public var height: Int
    public var size: UInt64
    public var chunks: [Chunk]

    enum CodingKeys: String, CodingKey {
        case height, size, chunks
        case contentHash = "content_hash"
    }
}

extension ListItem {
    /// A file as a listing would show it.
    public init(_ head: FileHead, name: String) {
        self.init(
            name: name, path: head.path, kind: head.kind, size: head.size, files: nil, contentType: head.contentType,
            contentHash: head.contentHash, modifiedAt: head.modifiedAt, node: nil, conflicts: head.conflicts,
            executable: head.executable, target: head.target)
    }
}
