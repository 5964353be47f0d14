import Content

/// A node of a directory's tree: a leaf holds entries, a node above holds references to nodes one level below.
///
/// The entries of a directory are sorted by name and cut into leaves after every name whose hash ends in 7 zero bits;
/// a level's nodes are cut where it ends in 7 more. The names alone decide, so equal directories have equal trees
/// whatever the order of the edits (a Merkle search tree; Auvolat and Taïani, SRDS 2019, with the cuts of
/// content-defined chunking).
public struct TreeNode: Sendable {
    /// A reference to a node.
    public struct Child: Hashable, Sendable {
        /// The last name below.
        public var lastName: String
        public var hash: ContentHash
        public var aggregates: Aggregates

        public init(lastName: String, hash: ContentHash, aggregates: Aggregates) {
            self.lastName = lastName
            self.hash = hash
            self.aggregates = aggregates
        }
    }

    enum Items: Sendable {
        /// Where each entry's bytes are.
        case entries([Range<Int>])
        case children([Child])
    }

    /// Zero bits a level: 128 items a node on average.
    static let cutBits = 7
    /// A chance of one in 10^55 for names that nobody chose on purpose; a writer who does is refused.
    public static let maximumItems = 16_384
    /// 128^8 entries.
    public static let maximumLevel = 8
    /// The most bytes of one node; a run of entries without a cut never gets near it unless it is made to.
    public static let maximumSize = 8 << 20
    /// The most bytes of one entry: some thousands of versions.
    static let maximumEntrySize = 1 << 20

    public let hash: ContentHash
    public let bytes: [UInt8]
    /// 0 for a leaf.
    public let level: Int
    let items: Items

    /// The only node of a directory without entries.
    public static let empty = TreeNode(entries: [])

    public var count: Int {
        switch items {
        case .entries(let ranges): ranges.count
        case .children(let children): children.count
        }
    }

    public var children: [Child] {
        guard case .children(let children) = items else { return [] }
        return children
    }

    /// How many levels a name cuts: 0 for most names.
    static func cutLevel(of name: String) -> Int {
        var name = name
        let hash = name.withUTF8 { ContentHash(sha256: UnsafeRawBufferPointer($0)) }
        return min(hash.lowBits.trailingZeroBitCount / cutBits, maximumLevel)
    }
}

// MARK: - Entries of a leaf

extension TreeNode {
    /// The bytes of an entry, as they stand in `bytes`.
    func entryRange(at index: Int) -> Range<Int> {
        guard case .entries(let ranges) = items else { preconditionFailure("a leaf has entries") }
        return ranges[index]
    }

    public func entry(at index: Int) throws(MalformedBytes) -> Entry {
        var decoder = CanonicalDecoder(bytes, entryRange(at: index))
        return try Entry(from: &decoder)
    }

    func name(at index: Int) -> String {
        switch items {
        case .children(let children): return children[index].lastName
        case .entries(let ranges):
            // The name is first in an entry, under two length bytes at most.
            let start = ranges[index].lowerBound
            let long = bytes[start] >= 0x80
            let length = long ? Int(bytes[start] & 0x7f) | Int(bytes[start + 1]) << 7 : Int(bytes[start])
            let first = start + (long ? 2 : 1)
            return String(decoding: bytes[first..<first + length], as: UTF8.self)
        }
    }

    /// The first item whose (last) name is not below `name`; `count` if there is none. O(log count).
    func lowerBound(of name: String) -> Int {
        var low = 0
        var high = count
        while low < high {
            let middle = (low + high) / 2
            if self.name(at: middle).sortsBefore(name) { low = middle + 1 } else { high = middle }
        }
        return low
    }
}

// MARK: - Encoding

extension TreeNode {
    /// A leaf of these entries, in their order.
    init(entries: [LeafItem]) {
        var encoder = CanonicalEncoder(reserving: 16 + entries.reduce(0) { $0 + $1.byteCount + 3 })
        encoder.write(0)
        encoder.write(entries.count)
        var ranges: [Range<Int>] = []
        ranges.reserveCapacity(entries.count)
        for entry in entries {
            encoder.write(entry.byteCount)
            let start = encoder.bytes.count
            encoder.write(raw: entry.bytes[entry.range])
            ranges.append(start..<encoder.bytes.count)
        }
        level = 0
        items = .entries(ranges)
        bytes = encoder.bytes
        hash = ContentHash(of: .tree, encoder.bytes)
    }

    init(level: Int, children: [Child]) {
        var encoder = CanonicalEncoder(reserving: 16 + children.count * 80)
        encoder.write(level)
        encoder.write(children.count)
        for child in children {
            encoder.write(child.lastName)
            encoder.write(child.hash)
            child.aggregates.encode(to: &encoder)
        }
        self.level = level
        items = .children(children)
        bytes = encoder.bytes
        hash = ContentHash(of: .tree, encoder.bytes)
    }

    /// Reads a node whose hash is known to be right. Entries are decoded when they are asked for.
    public init(_ bytes: [UInt8], hash: ContentHash) throws(MalformedBytes) {
        guard bytes.count <= TreeNode.maximumSize else { throw MalformedBytes("tree node of \(bytes.count) bytes") }
        var decoder = CanonicalDecoder(bytes)
        level = try decoder.readCount(limit: TreeNode.maximumLevel)
        let count = try decoder.readCount(limit: TreeNode.maximumItems)
        if level == 0 {
            var ranges: [Range<Int>] = []
            ranges.reserveCapacity(count)
            for _ in 0..<count {
                let range = try decoder.readByteString(limit: TreeNode.maximumEntrySize)
                // The least entry has a name of one byte; `name(at:)` relies on there being one.
                var entry = CanonicalDecoder(bytes, range)
                let name = try entry.readByteString(limit: TreePath.maximumNameLength)
                guard !name.isEmpty else { throw decoder.malformed("entry without a name") }
                ranges.append(range)
            }
            items = .entries(ranges)
        } else {
            guard count > 0 else { throw decoder.malformed("tree node without children") }
            var children: [Child] = []
            children.reserveCapacity(count)
            for _ in 0..<count {
                let lastName = try decoder.readText(limit: TreePath.maximumNameLength)
                let hash = try decoder.readHash()
                children.append(Child(lastName: lastName, hash: hash, aggregates: try Aggregates(from: &decoder)))
            }
            items = .children(children)
        }
        try decoder.finish()
        self.bytes = bytes
        self.hash = hash
    }
}

/// An entry on its way into a leaf: its encoded bytes, within a larger array where they come from an older leaf.
struct LeafItem {
    var name: String
    var bytes: [UInt8]
    var range: Range<Int>
    var aggregates: Aggregates

    var byteCount: Int { range.count }

    init(_ entry: Entry) {
        name = entry.name
        bytes = entry.encoded()
        range = 0..<bytes.count
        aggregates = entry.aggregates
    }

    /// An entry of an existing leaf.
    init(_ node: TreeNode, at index: Int) throws(MalformedBytes) {
        name = node.name(at: index)
        bytes = node.bytes
        range = node.entryRange(at: index)
        aggregates = try node.aggregates(at: index)
    }
}
