import Content

/// Sums over a subtree, kept in every reference to it, so that counts never scan.
public struct Aggregates: Hashable, Sendable {
    /// Files and symbolic links that are current.
    public var files: UInt64 = 0
    /// Bytes of the current files.
    public var bytes: UInt64 = 0
    /// Paths with losers.
    public var conflicts: UInt64 = 0
    /// Versions that are tombstones.
    public var tombstones: UInt64 = 0
    /// Directories that were made as such and stand even when empty.
    public var directories: UInt64 = 0

    public init() {}

    public static let zero = Aggregates()

    /// Whether there is anything for a user to see.
    public var isVisible: Bool { files > 0 || directories > 0 }

    // Wrapping, because a hostile node may name any numbers; they are compared with the true sums afterwards.
    public static func += (left: inout Aggregates, right: Aggregates) {
        left.files &+= right.files
        left.bytes &+= right.bytes
        left.conflicts &+= right.conflicts
        left.tombstones &+= right.tombstones
        left.directories &+= right.directories
    }

    public func encode(to encoder: inout CanonicalEncoder) {
        encoder.write(files)
        encoder.write(bytes)
        encoder.write(conflicts)
        encoder.write(tombstones)
        encoder.write(directories)
    }

    public init(from decoder: inout CanonicalDecoder) throws(MalformedBytes) {
        files = try decoder.readInteger()
        bytes = try decoder.readInteger()
        conflicts = try decoder.readInteger()
        tombstones = try decoder.readInteger()
        directories = try decoder.readInteger()
    }
}

/// A directory: the root node of its tree, and what is below it.
public struct Subtree: Hashable, Sendable {
    public var root: ContentHash
    public var aggregates: Aggregates

    public init(root: ContentHash, aggregates: Aggregates) {
        self.root = root
        self.aggregates = aggregates
    }

    /// The directory with no entries.
    public static let empty = Subtree(root: TreeNode.empty.hash, aggregates: .zero)

    public func encode(to encoder: inout CanonicalEncoder) {
        encoder.write(root)
        aggregates.encode(to: &encoder)
    }

    public init(from decoder: inout CanonicalDecoder) throws(MalformedBytes) {
        root = try decoder.readHash()
        aggregates = try Aggregates(from: &decoder)
    }
}
