import Content

/// How the stored bytes of an object are coded.
public enum Codec: UInt8, Sendable {
    case raw = 0
    case zstd = 1
}

/// A place in the log, in the order of writing.
public struct LogPosition: Hashable, Comparable, Sendable {
    public var segment: UInt32
    public var offset: UInt64

    public init(segment: UInt32, offset: UInt64) {
        self.segment = segment
        self.offset = offset
    }

    public static func < (left: LogPosition, right: LogPosition) -> Bool {
        left.segment != right.segment ? left.segment < right.segment : left.offset < right.offset
    }
}

/// Where an object's stored bytes are, and what is needed to read them.
public struct Location: Hashable, Sendable {
    /// The first stored byte, behind the record's header.
    public var position: LogPosition
    public var storedLength: UInt32
    /// Bytes after decompression.
    public var rawLength: UInt32
    public var kind: ObjectKind
    public var codec: Codec
}

/// The header in front of each record in a segment. `docs/format.md` has the layout.
struct RecordHeader {
    static let byteCount = 48
    static let marker: UInt8 = 0xa5
    /// The kind of the records that name a new HEAD.
    static let headKind: UInt8 = 0x80

    /// An `ObjectKind`, or `headKind`.
    var kind: UInt8
    var codec: UInt8
    var rawLength: UInt32
    var storedLength: UInt32
    var hash: ContentHash

    /// - Parameter place: where the header will stand. Its sum covers it, so that a file which holds a copy of a log, and is
    ///   stored in this one, is never taken for records of this log.
    func encoded(at place: LogPosition) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(RecordHeader.byteCount)
        bytes += [RecordHeader.marker, kind, codec, 0]
        bytes.append(bigEndian: rawLength)
        bytes.append(bigEndian: storedLength)
        hash.withBytes { bytes.append(contentsOf: $0) }
        bytes.append(bigEndian: RecordHeader.checksum(bytes[...], place))
        return bytes
    }

    private static func checksum(_ bytes: ArraySlice<UInt8>, _ place: LogPosition) -> UInt32 {
        var bytes = Array(bytes)
        bytes.append(bigEndian: place.segment)
        bytes.append(bigEndian: place.offset)
        return CRC32C.checksum(bytes[...])
    }

    /// Reads a header that stands at a place; nil if the bytes are none.
    init?(_ bytes: ArraySlice<UInt8>, at place: LogPosition) {
        guard bytes.count >= RecordHeader.byteCount else { return nil }
        let start = bytes.startIndex
        guard bytes[start] == RecordHeader.marker, bytes[start + 3] == 0 else { return nil }
        let sum: UInt32 = bytes.bigEndian(at: start + 44)
        guard RecordHeader.checksum(bytes[start..<start + 44], place) == sum else { return nil }
        kind = bytes[start + 1]
        codec = bytes[start + 2]
        rawLength = bytes.bigEndian(at: start + 4)
        storedLength = bytes.bigEndian(at: start + 8)
        hash = bytes.withUnsafeBytes { ContentHash(UnsafeRawBufferPointer(rebasing: $0[12..<44])) }
        guard storedLength <= RecordHeader.maximumLength, rawLength <= RecordHeader.maximumLength else { return nil }
        guard kind == RecordHeader.headKind || ObjectKind(rawValue: kind) != nil && Codec(rawValue: codec) != nil else { return nil }
    }

    init(kind: UInt8, codec: UInt8, rawLength: Int, storedLength: Int, hash: ContentHash) {
        self.kind = kind
        self.codec = codec
        self.rawLength = UInt32(rawLength)
        self.storedLength = UInt32(storedLength)
        self.hash = hash
    }

    /// Where the object of a record at a place is; nil for a head record.
    func location(at place: LogPosition) -> Location? {
        guard let kind = ObjectKind(rawValue: kind), let codec = Codec(rawValue: codec) else { return nil }
        return Location(
            position: LogPosition(segment: place.segment, offset: place.offset + UInt64(RecordHeader.byteCount)),
            storedLength: storedLength, rawLength: rawLength, kind: kind, codec: codec)
    }

    /// The record's object, if these stored bytes are its.
    func object(_ stored: [UInt8]) -> PreparedObject? {
        guard let kind = ObjectKind(rawValue: kind), let codec = Codec(rawValue: codec) else { return nil }
        return try? PreparedObject(checking: hash, kind, codec, rawLength: Int(rawLength), stored: stored)
    }

    /// Whether the stored bytes are those that the record was written with.
    func isWhole(_ stored: [UInt8]) -> Bool {
        kind == RecordHeader.headKind ? HeadPayload(stored[...], commit: hash) != nil : object(stored) != nil
    }

    /// Objects are far smaller; a larger length is damage.
    static let maximumLength: UInt32 = 64 << 20
}

/// What a head record holds besides the commit's hash: up to where the log was durable when it was written. A damaged
/// record before that place is damage, one after it may have been torn by a crash.
struct HeadPayload {
    static let byteCount = 16

    var durable: LogPosition

    func encoded(for commit: ContentHash) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.append(bigEndian: durable.segment)
        bytes.append(bigEndian: durable.offset)
        bytes.append(bigEndian: HeadPayload.checksum(bytes[...], commit))
        return bytes
    }

    init(durable: LogPosition) {
        self.durable = durable
    }

    init?(_ bytes: ArraySlice<UInt8>, commit: ContentHash) {
        guard bytes.count == HeadPayload.byteCount else { return nil }
        let start = bytes.startIndex
        guard HeadPayload.checksum(bytes[start..<start + 12], commit) == bytes.bigEndian(at: start + 12) else { return nil }
        durable = LogPosition(segment: bytes.bigEndian(at: start), offset: bytes.bigEndian(at: start + 4))
    }

    private static func checksum(_ bytes: ArraySlice<UInt8>, _ commit: ContentHash) -> UInt32 {
        CRC32C.checksum((Array(bytes) + commit.withBytes { Array($0) })[...])
    }
}

/// CRC-32C (Castagnoli; RFC 3720, appendix B.4), which guards headers. Payloads are guarded by their hash.
enum CRC32C {
    private static let table: [UInt32] = (0..<256).map { byte in
        (0..<8).reduce(UInt32(byte)) { sum, _ in sum & 1 == 0 ? sum >> 1 : sum >> 1 ^ 0x82f6_3b78 }
    }

    static func checksum(_ bytes: ArraySlice<UInt8>) -> UInt32 {
        ~bytes.reduce(~0) { sum, byte in table[Int(UInt8(truncatingIfNeeded: sum) ^ byte)] ^ sum >> 8 }
    }
}

extension Array where Element == UInt8 {
    mutating func append(bigEndian value: some FixedWidthInteger) {
        Swift.withUnsafeBytes(of: value.bigEndian) { append(contentsOf: $0) }
    }
}

extension ArraySlice where Element == UInt8 {
    func bigEndian<Value: FixedWidthInteger>(at index: Int) -> Value {
        self[index..<index + Value.bitWidth / 8].reduce(0) { $0 << 8 | Value(truncatingIfNeeded: $1) }
    }
}
