import Content

/// Messages of records on their way between nodes, compressed: names, nodes and times repeat in them. Blocks of a codec (0 as it is,
/// 1 zstd), the length before and after compression (four big-endian bytes each) and the stored bytes; `docs/protocol.md`, "Packed records".
public enum PackedRecords {
    /// The most bytes of one block before compression: enough for repetitions to be found, and what a reader has to hold, whoever sends.
    public static let maximumBlock = 1 << 20
    fileprivate static let headerLength = 9
    /// Above the log's level: records are few, and lines are slower than disks.
    private static let level: Int32 = 3

    /// The message in blocks.
    public static func pack(_ bytes: [UInt8]) -> [UInt8] {
        var packed: [UInt8] = []
        for start in stride(from: 0, to: bytes.count, by: maximumBlock) {
            let raw = Array(bytes[start..<min(start + maximumBlock, bytes.count)])
            let compressed = Compression.compress(raw, level: level, room: raw.count - 1)
            packed.append(compressed == nil ? 0 : 1)
            let stored = compressed ?? raw
            for length in [raw.count, stored.count] { withUnsafeBytes(of: UInt32(length).bigEndian) { packed.append(contentsOf: $0) } }
            packed += stored
        }
        return packed
    }

    /// The message of some blocks that are all here.
    ///
    /// - Parameter limit: the most bytes that it may have. No more are made of whatever comes.
    public static func unpack(_ packed: [UInt8], limit: Int) throws(MalformedBytes) -> [UInt8] {
        var reader = PackedRecordsReader()
        reader.add(packed)
        var bytes: [UInt8] = []
        while let block = try reader.next(limit: limit - bytes.count) { bytes += block }
        guard reader.isAtBlockEnd else { throw MalformedBytes("packed records were cut off", offset: packed.count) }
        return bytes
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

    /// The next block, as it was before compression; nil if not all of it is here.
    ///
    /// - Parameter limit: the most bytes that it may have.
    public mutating func next(limit: Int = PackedRecords.maximumBlock) throws(MalformedBytes) -> [UInt8]? {
        guard buffer.count - start >= PackedRecords.headerLength else { return nil }
        let (codec, rawLength, storedLength) = (buffer[start], length(at: start + 1), length(at: start + 5))
        guard rawLength > 0, rawLength <= min(limit, PackedRecords.maximumBlock) else {
            throw MalformedBytes("packed records of \(rawLength) bytes, more than are taken", offset: start + 1)
        }
        guard codec == 0 ? storedLength == rawLength : codec == 1 && storedLength > 0 && storedLength < rawLength else {
            throw MalformedBytes("packed records of codec \(codec) with \(storedLength) stored and \(rawLength) raw bytes", offset: start)
        }
        let first = start + PackedRecords.headerLength
        guard buffer.count - first >= storedLength else { return nil }
        let stored = buffer[first..<first + storedLength]
        guard let raw = codec == 0 ? Array(stored) : stored.withUnsafeBytes({ Compression.decompress($0, rawLength: rawLength) }) else {
            throw MalformedBytes("packed records that do not decompress to what they promise", offset: first)
        }
        start = first + storedLength
        return raw
    }

    private func length(at index: Int) -> Int {
        buffer[index..<index + 4].reduce(0) { $0 << 8 | Int($1) }
    }
}
