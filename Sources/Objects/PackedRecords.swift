import Content

/// Messages of records on their way between nodes, compressed: names, nodes and times repeat in them. Blocks of a codec (0 as it is,
/// 1 zstd, 2 zstd after a prefix), the length before and after compression (four big-endian bytes each) and the stored bytes;
/// `docs/protocol.md`, "Packed records".
public enum PackedRecords {
    /// The most bytes of one block before compression: enough for repetitions to be found, and what a reader has to hold, whoever sends.
    public static let maximumBlock = 1 << 20
    /// The most bytes that a block is compressed after.
    public static let maximumPrefix = 1 << 20
    /// The most bytes that tell what those are.
    public static let maximumRecipe = (1 << 16) - 1
    fileprivate static let headerLength = 9
    /// Above the log's level: records are few, and lines are slower than disks.
    private static let level: Int32 = 3
    /// After a prefix a record is little but matches. To look longer for them takes a tenth off, and some milliseconds for a block.
    private static let prefixLevel: Int32 = 6
    /// From the end of a block to the beginning of its prefix.
    private static let windowLog: Int32 = 21

    /// The message in blocks.
    public static func pack(_ bytes: [UInt8]) -> [UInt8] {
        var packed: [UInt8] = []
        for start in stride(from: 0, to: bytes.count, by: maximumBlock) {
            let raw = Array(bytes[start..<min(start + maximumBlock, bytes.count)])
            let compressed = Compression.compress(raw, level: level, room: raw.count - 1)
            packed += block(compressed == nil ? 0 : 1, raw.count, compressed ?? raw)
        }
        return packed
    }

    /// The message in blocks; if it fits into one, that is compressed after what the receiver has.
    public static func pack(_ bytes: [UInt8], after prefix: PackedPrefix) -> [UInt8] {
        let (recipe, room) = (prefix.recipe, bytes.count - prefix.recipe.count - 3)
        guard bytes.count <= maximumBlock, prefix.bytes.count <= maximumPrefix, recipe.count <= maximumRecipe, room > 0,
            let compressed = Compression.compress(bytes, after: prefix.bytes, level: prefixLevel, windowLog: windowLog, room: room)
        else { return pack(bytes) }
        return block(2, bytes.count, [UInt8(recipe.count >> 8), UInt8(recipe.count & 0xff)] + recipe + compressed)
    }

    private static func block(_ codec: UInt8, _ rawLength: Int, _ stored: [UInt8]) -> [UInt8] {
        var block = [codec]
        for length in [rawLength, stored.count] { withUnsafeBytes(of: UInt32(length).bigEndian) { block.append(contentsOf: $0) } }
        return block + stored
    }

    /// The message of some blocks that are all here.
    ///
    /// - Parameters:
    ///   - limit: the most bytes that it may have. No more are made of whatever comes.
    ///   - prefix: makes of a recipe what it tells of. Without, no block may have one.
    /// - Throws: `PrefixMismatch`, `MalformedBytes` and what `prefix` throws.
    public static func unpack(_ packed: [UInt8], limit: Int, prefix: (([UInt8]) throws -> [UInt8])? = nil) throws -> [UInt8] {
        var reader = PackedRecordsReader()
        reader.add(packed)
        var bytes: [UInt8] = []
        while let block = try reader.next(limit: limit - bytes.count) {
            guard let recipe = block.recipe else {
                bytes += try block.bytes()
                continue
            }
            guard let prefix else { throw MalformedBytes("packed records after a prefix, which nobody asked for") }
            bytes += try block.bytes(after: prefix(recipe))
        }
        guard reader.isAtBlockEnd else { throw MalformedBytes("packed records were cut off", offset: packed.count) }
        return bytes
    }
}

/// What a block is compressed after: bytes that the receiver has as well.
public struct PackedPrefix: Sendable {
    /// From this the receiver finds out which bytes they are.
    public var recipe: [UInt8]
    public var bytes: [UInt8]

    public init(recipe: [UInt8], bytes: [UInt8]) {
        self.recipe = recipe
        self.bytes = bytes
    }
}

/// A block was compressed after other bytes than those here, or is damaged. Without a prefix it can be sent again.
public struct PrefixMismatch: Error {
    public init() {}
}

/// One block as it came.
public struct PackedBlock: Sendable {
    fileprivate var codec: UInt8
    fileprivate var rawLength: Int
    fileprivate var stored: ArraySlice<UInt8>
    /// What it was compressed after; nil if nothing.
    public fileprivate(set) var recipe: [UInt8]?

    /// The bytes before compression.
    ///
    /// - Parameter prefix: what the recipe tells of.
    /// - Throws: `MalformedBytes` or, if there is a recipe, `PrefixMismatch`.
    public func bytes(after prefix: [UInt8] = []) throws -> [UInt8] {
        if codec == 0 { return Array(stored) }
        if recipe != nil {
            // Without a checksum, what was compressed after other bytes could pass for records (RFC 8878, 3.1.1: the flag is in the fifth byte).
            let header = stored.prefix(5)
            guard header.count == 5, header.starts(with: [0x28, 0xb5, 0x2f, 0xfd]), header.last! & 4 != 0 else {
                throw MalformedBytes("packed records after a prefix in a frame without a checksum")
            }
            guard let raw = stored.withUnsafeBytes({ Compression.decompress($0, after: prefix, rawLength: rawLength) }) else { throw PrefixMismatch() }
            return raw
        }
        guard let raw = stored.withUnsafeBytes({ Compression.decompress($0, rawLength: rawLength) }) else {
            throw MalformedBytes("packed records that do not decompress to what they promise")
        }
        return raw
    }
}

/// Reads packed records from a stream that arrives in pieces of any size. Holds one unfinished block and the last piece.
public struct PackedRecordsReader: Sendable {
    private var buffer: [UInt8] = []
    /// Where in the buffer the next block begins.
    private var start = 0

    public init() {}

    /// Whether all that came has been read, to the end of a block.
    public var isAtBlockEnd: Bool { start == buffer.count }

    public mutating func add(_ piece: [UInt8]) {
        buffer.removeFirst(start)
        start = 0
        buffer += piece
    }

    /// The next block; nil if not all of it is here.
    ///
    /// - Parameter limit: the most bytes that it may have before compression.
    public mutating func next(limit: Int = PackedRecords.maximumBlock) throws(MalformedBytes) -> PackedBlock? {
        guard buffer.count - start >= PackedRecords.headerLength else { return nil }
        let (codec, rawLength, storedLength) = (buffer[start], length(at: start + 1), length(at: start + 5))
        guard rawLength > 0, rawLength <= min(limit, PackedRecords.maximumBlock) else {
            throw MalformedBytes("packed records of \(rawLength) bytes, more than are taken", offset: start + 1)
        }
        guard codec == 0 ? storedLength == rawLength : codec <= 2 && storedLength > 0 && storedLength < rawLength else {
            throw MalformedBytes("packed records of codec \(codec) with \(storedLength) stored and \(rawLength) raw bytes", offset: start)
        }
        let first = start + PackedRecords.headerLength
        guard buffer.count - first >= storedLength else { return nil }
        var block = PackedBlock(codec: codec, rawLength: rawLength, stored: buffer[first..<first + storedLength])
        if codec == 2 {
            let recipe = block.stored.prefix(2).reduce(0) { $0 << 8 | Int($1) }
            guard storedLength > 2 + recipe else { throw MalformedBytes("packed records after a prefix that is cut off", offset: first) }
            block.recipe = Array(block.stored[first + 2..<first + 2 + recipe])
            block.stored = block.stored[(first + 2 + recipe)...]
        }
        start = first + storedLength
        return block
    }

    private func length(at index: Int) -> Int {
        buffer[index..<index + 4].reduce(0) { $0 << 8 | Int($1) }
    }
}
