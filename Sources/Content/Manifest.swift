/// Where the bytes of a file are: the root of its manifest.
///
/// A file of one chunk has no manifest; its root is the chunk itself and its height 0. So equal bytes have equal
/// roots, and the root's hash serves as the content's hash.
public struct FileContent: Hashable, Sendable {
    public var root: ContentHash
    /// Levels of manifest nodes above the chunks.
    public var height: Int
    /// Bytes in the file.
    public var size: UInt64

    public init(root: ContentHash, height: Int, size: UInt64) {
        self.root = root
        self.height = height
        self.size = size
    }

    /// The content of a file of no bytes: one empty chunk.
    public static let empty = FileContent(root: ContentHash(of: .chunk, []), height: 0, size: 0)
}

/// A node of a manifest: the children one level below, in the order of the file's bytes.
///
/// A level is cut into nodes after a child whose hash ends in seven zero bits, once the node has `minimumFanout`
/// children, or at `maximumFanout`. So an edit rewrites one node a level, whatever the size of the file.
public struct ManifestNode: Sendable, Equatable {
    public struct Child: Hashable, Sendable {
        public var hash: ContentHash
        /// Bytes of the file below this child.
        public var size: UInt64

        public init(hash: ContentHash, size: UInt64) {
            self.hash = hash
            self.size = size
        }
    }

    /// Repeated content has equal hashes, so without a least number of children a level might not get shorter.
    public static let minimumFanout = 32
    public static let maximumFanout = 1024
    /// More levels than a file of 2^64 bytes can have.
    public static let maximumHeight = 16
    static let cutMask: UInt64 = 0x7f

    /// 1 for a node whose children are chunks.
    public var height: Int
    public var children: [Child]

    public init(height: Int, children: [Child]) {
        self.height = height
        self.children = children
    }

    public var size: UInt64 { children.reduce(0) { $0 &+ $1.size } }

    static func isCut(after child: Child, count: Int) -> Bool {
        count == maximumFanout || count >= minimumFanout && child.hash.lowBits & cutMask == 0
    }

    public func encoded() -> [UInt8] {
        var encoder = CanonicalEncoder(reserving: 8 + children.count * 36)
        encoder.write(height)
        encoder.write(children.count)
        for child in children {
            encoder.write(child.hash)
            encoder.write(child.size)
        }
        return encoder.bytes
    }

    /// Reads a node that stands where one of this height and size is expected.
    ///
    /// - Parameters:
    ///   - isRoot: Whether it is the whole of its level. A root has two children at least, since a lone one would itself be
    ///     the root.
    ///   - isLast: Whether no node of the level follows it; only then may it end without a cut.
    public init(
        decoding bytes: [UInt8], height: Int, size: UInt64, isRoot: Bool = false, isLast: Bool
    ) throws(MalformedBytes) {
        var decoder = CanonicalDecoder(bytes)
        guard try decoder.readCount(limit: ManifestNode.maximumHeight) == height else {
            throw decoder.malformed("manifest node of another height than \(height)")
        }
        let count = try decoder.readCount(limit: ManifestNode.maximumFanout)
        guard count > 0 else { throw decoder.malformed("manifest node without children") }
        guard count > 1 || !isRoot else { throw decoder.malformed("manifest root with a single child") }
        self.height = height
        children = []
        children.reserveCapacity(count)
        var sum: UInt64 = 0
        for index in 1...count {
            let child = Child(hash: try decoder.readHash(), size: try decoder.readInteger())
            guard child.size > 0, height > 1 || child.size <= UInt64(Chunker.maximumSize) else {
                throw decoder.malformed("manifest child of \(child.size) bytes")
            }
            let (next, overflow) = sum.addingReportingOverflow(child.size)
            guard !overflow else { throw decoder.malformed("manifest sizes over 64 bits") }
            sum = next
            let cut = ManifestNode.isCut(after: child, count: index)
            guard cut == (index == count) || (index == count && isLast) else {
                throw decoder.malformed("manifest node cut in the wrong place")
            }
            children.append(child)
        }
        guard sum == size else { throw decoder.malformed("manifest node of \(sum) bytes where \(size) are expected") }
        try decoder.finish()
    }
}

extension ManifestNode {
    /// Calls `body` with the children of a stored node, which was checked when it came in.
    public static func scanChildren(of bytes: [UInt8], _ body: (ContentHash) throws -> Void) throws {
        var decoder = CanonicalDecoder(bytes)
        _ = try decoder.readCount(limit: maximumHeight)
        for _ in 0..<(try decoder.readCount(limit: maximumFanout)) {
            try body(try decoder.readHash())
            _ = try decoder.readInteger()
        }
    }
}

/// Builds a manifest from the chunks of a file in their order. Holds one open node a level.
public struct ManifestBuilder: Sendable {
    /// Takes each finished node: its hash and its bytes.
    public typealias Sink = (ContentHash, [UInt8]) throws -> Void

    // levels[0] holds chunks on their way into a node of height 1.
    private var levels: [[ManifestNode.Child]] = [[]]
    private var total: UInt64 = 0

    public init() {}

    /// Adds the next chunk.
    public mutating func append(chunk: ContentHash, size: Int, to sink: Sink) throws {
        total += UInt64(size)
        try append(ManifestNode.Child(hash: chunk, size: UInt64(size)), level: 0, sink)
    }

    /// Closes the open nodes. The file has at least one chunk; an empty file has the empty chunk.
    public consuming func finish(to sink: Sink) throws -> FileContent {
        var level = 0
        while true {
            // The top level: nothing above it was ever begun, so a lone child is the root.
            if level == levels.count - 1, levels[level].count == 1 {
                return FileContent(root: levels[level][0].hash, height: level, size: total)
            }
            if !levels[level].isEmpty { try close(level: level, sink) }
            level += 1
        }
    }

    private mutating func append(_ child: ManifestNode.Child, level: Int, _ sink: Sink) throws {
        if level == levels.count { levels.append([]) }
        levels[level].append(child)
        if ManifestNode.isCut(after: child, count: levels[level].count) { try close(level: level, sink) }
    }

    private mutating func close(level: Int, _ sink: Sink) throws {
        let node = ManifestNode(height: level + 1, children: levels[level])
        levels[level] = []
        let bytes = node.encoded()
        let hash = ContentHash(of: .manifest, bytes)
        try sink(hash, bytes)
        try append(ManifestNode.Child(hash: hash, size: node.size), level: level + 1, sink)
    }
}
