import Causality
import Content
import Merkle

/// A version that the caller may read, and whose content the one that is pushed may share.
public struct ContentBase: Hashable, Sendable {
    public var path: TreePath
    public var root: ContentHash

    public init(path: TreePath, root: ContentHash) {
        self.path = path
        self.root = root
    }

    fileprivate func encode(to encoder: inout CanonicalEncoder) {
        encoder.write(path.description)
        encoder.write(root)
    }

    fileprivate init(from decoder: inout CanonicalDecoder) throws {
        path = try TreePath(decoder.readText(limit: TreePath.maximumLength))
        root = try decoder.readHash()
    }
}

/// One changed register on its way to a node that cannot ask for it.
public struct PushRecord: Hashable, Sendable {
    public static let maximumBases = 16

    public var path: TreePath
    public var register: Register
    public var bases: [ContentBase]

    public init(path: TreePath, register: Register, bases: [ContentBase] = []) {
        self.path = path
        self.register = register
        self.bases = bases
    }

    /// The record with its length in front.
    public func encoded() -> [UInt8] {
        var record = CanonicalEncoder(reserving: 320)
        record.write(path.description)
        register.encode(to: &record)
        record.write(bases.count)
        for base in bases { base.encode(to: &record) }
        var framed = CanonicalEncoder(reserving: record.bytes.count + 3)
        framed.write(record.bytes)
        return framed.bytes
    }

    fileprivate init(decoding bytes: [UInt8], _ range: Range<Int>) throws {
        var decoder = CanonicalDecoder(bytes, range)
        let text = try decoder.readText(limit: TreePath.maximumLength)
        path = try TreePath(text)
        guard !path.isRoot, path.length == text.utf8.count else { throw decoder.malformed("a change of no path of its own") }
        register = try Register(from: &decoder)
        bases = []
        for _ in 0..<(try decoder.readCount(limit: PushRecord.maximumBases)) { bases.append(try ContentBase(from: &decoder)) }
        try decoder.finish()
    }
}

/// The body of `POST /sync/push`: some of the registers that are joined together once the last part is there.
public struct PushPart: Sendable {
    /// Bytes of one: large enough that thousands of small records need one round trip, small enough to be held in memory.
    public static let maximumSize = 8 << 20
    public static let maximumTicketSize = 1024

    /// Whether everything is there with this part.
    public var isLast: Bool
    /// What was answered to the part before; empty for the first.
    public var ticket: [UInt8]
    /// Where the caller stands; empty if it does not say.
    public var cursor: [UInt8]
    public var records: [PushRecord]

    public init(decoding bytes: [UInt8]) throws {
        var decoder = CanonicalDecoder(bytes)
        let flag = try decoder.readByte()
        guard flag <= 1 else { throw decoder.malformed("a part that is neither the last nor another") }
        isLast = flag == 1
        ticket = Array(bytes[try decoder.readByteString(limit: PushPart.maximumTicketSize)])
        cursor = Array(bytes[try decoder.readByteString(limit: ChangeReader.maximumCursorSize)])
        records = []
        while case let range = try decoder.readByteString(limit: ChangeReader.maximumRecordSize), !range.isEmpty {
            let record = try PushRecord(decoding: bytes, range)
            guard records.last.map({ $0.path < record.path }) ?? true else { throw decoder.malformed("records out of order at '\(record.path)'") }
            records.append(record)
        }
        try decoder.finish()
    }

    /// A part of records that are encoded already.
    public static func encoded(isLast: Bool, ticket: [UInt8], cursor: [UInt8], records: [UInt8]) -> [UInt8] {
        head(isLast: isLast, ticket: ticket, cursor: cursor) + records + end
    }

    /// What stands in front of the records.
    public static func head(isLast: Bool, ticket: [UInt8], cursor: [UInt8]) -> [UInt8] {
        var encoder = CanonicalEncoder(reserving: ticket.count + cursor.count + 16)
        encoder.write(byte: isLast ? 1 : 0)
        encoder.write(ticket)
        encoder.write(cursor)
        return encoder.bytes
    }

    /// What ends them.
    public static let end: [UInt8] = [0]
}

/// The body of `POST /sync/push/missing`.
public struct MissingRequest: Hashable, Sendable {
    public static let maximumHashes = 16_384
    public static let maximumBases = 1024
    public static let maximumSize = maximumHashes * ContentHash.byteCount + maximumBases * (TreePath.maximumLength + 64)

    public var bases: [ContentBase]
    public var hashes: [ContentHash]

    public init(bases: [ContentBase], hashes: [ContentHash]) {
        self.bases = bases
        self.hashes = hashes
    }

    public func encoded() -> [UInt8] {
        var encoder = CanonicalEncoder(reserving: hashes.count * ContentHash.byteCount + 64)
        encoder.write(bases.count)
        for base in bases { base.encode(to: &encoder) }
        encoder.write(hashes.count)
        for hash in hashes { encoder.write(hash) }
        return encoder.bytes
    }

    public init(decoding bytes: [UInt8]) throws {
        var decoder = CanonicalDecoder(bytes)
        bases = []
        hashes = []
        for _ in 0..<(try decoder.readCount(limit: MissingRequest.maximumBases)) { bases.append(try ContentBase(from: &decoder)) }
        let count = try decoder.readCount(limit: MissingRequest.maximumHashes)
        guard count * ContentHash.byteCount <= decoder.remaining else { throw decoder.malformed("fewer hashes than announced") }
        hashes.reserveCapacity(count)
        for _ in 0..<count { hashes.append(try decoder.readHash()) }
        try decoder.finish()
    }
}
