import Causality
import Content
import Merkle

/// Reads the stream of changes that `POST /sync/changes` answers: a root, then records of a path and its register, then
/// an empty record. `POST /sync/scoped/changes` has a cursor in the place of the root, and records of paths alone: what stood there is
/// forgotten. Holds one unfinished record.
public struct ChangeReader {
    /// What stands in front of the records.
    public enum Head: Sendable {
        case root
        case cursor
    }

    /// The longest cursor that a node may give.
    public static let maximumCursorSize = 1024
    /// The most bytes of one record; a register with a thousand versions fits.
    public static let maximumRecordSize = 2 << 20

    /// The root that the changes lead to, once it has come.
    public private(set) var root: ContentHash?
    /// The cursor in its place.
    public private(set) var cursor: [UInt8]?
    /// With a cursor: whether this is all that the caller may see, and not what changed since an earlier cursor.
    public private(set) var isWhole = false
    /// With a cursor: up to when deletions have been dropped, of which no trace is left; zero where the sender does not tell.
    public private(set) var horizon = Timestamp.zero
    /// Paths at which there is nothing any more, not even a deletion.
    public private(set) var forgotten: [TreePath] = []
    /// Whether the stream came to its end, and was not cut off.
    public private(set) var isAtEnd = false
    private let head: Head
    private var buffer: [UInt8] = []
    private var last: TreePath?

    public init(head: Head = .root) {
        self.head = head
    }

    /// Reads the next piece of the stream.
    /// - Returns: the changes that it completes, in order.
    public mutating func read(_ piece: [UInt8]) throws -> [(path: TreePath, register: Register)] {
        guard !isAtEnd || piece.isEmpty else { throw MalformedBytes("bytes after the end of the changes") }
        buffer += piece
        var offset = 0
        if root == nil, cursor == nil {
            guard try readHead(to: &offset) else { return [] }
        }
        var changes: [(path: TreePath, register: Register)] = []
        while let record = try nextRecord(from: &offset) {
            if record.isEmpty {
                isAtEnd = true
                guard offset == buffer.count else { throw MalformedBytes("bytes after the end of the changes") }
                break
            }
            var decoder = CanonicalDecoder(buffer, record)
            let text = try decoder.readText(limit: TreePath.maximumLength)
            let path = try TreePath(text)
            guard !path.isRoot, path.length == text.utf8.count else { throw MalformedBytes("a change of no path of its own") }
            // In the order of a walk, so that none comes twice.
            guard last.map({ $0 < path }) ?? true else { throw MalformedBytes("changes out of order at '\(path)'") }
            last = path
            if head == .cursor, decoder.isAtEnd {
                forgotten.append(path)
                continue
            }
            changes.append((path, try Register(from: &decoder)))
            try decoder.finish()
        }
        buffer.removeFirst(offset)
        return changes
    }

    /// - Returns: whether all of it is here.
    private mutating func readHead(to offset: inout Int) throws -> Bool {
        switch head {
        case .root:
            guard buffer.count >= ContentHash.byteCount else { return false }
            var decoder = CanonicalDecoder(buffer)
            root = try decoder.readHash()
            offset = decoder.offset
        case .cursor:
            var end = offset
            guard let range = try nextRecord(from: &end, limit: ChangeReader.maximumCursorSize),
                let about = try nextRecord(from: &end, limit: ChangeReader.maximumCursorSize)
            else { return false }
            var decoder = CanonicalDecoder(buffer, about)
            let whole = try decoder.readByte()
            guard whole <= 1 else { throw MalformedBytes("changes that are neither all nor since a cursor") }
            isWhole = whole == 1
            horizon = min(Timestamp(rawValue: try decoder.readInteger()), .latestAllowed)
            try decoder.finish()
            cursor = Array(buffer[range])
            offset = end
        }
        return true
    }

    /// The range of the next record, if all of it is here.
    private func nextRecord(from offset: inout Int, limit: Int = ChangeReader.maximumRecordSize) throws -> Range<Int>? {
        var length = 0
        var shift = 0
        var index = offset
        while true {
            guard index < buffer.count else { return nil }
            let byte = buffer[index]
            index += 1
            length |= Int(byte & 0x7f) << shift
            shift += 7
            guard length <= limit, shift <= 28 else { throw MalformedBytes("change record too long") }
            if byte < 0x80 {
                guard byte > 0 || shift == 7 else { throw MalformedBytes("length of a change not in its shortest form") }
                break
            }
        }
        guard index + length <= buffer.count else { return nil }
        offset = index + length
        return index..<index + length
    }

    /// One record of the stream.
    public static func record(_ path: TreePath, _ register: Register) -> [UInt8] {
        var record = CanonicalEncoder(reserving: 256)
        record.write(path.description)
        register.encode(to: &record)
        var framed = CanonicalEncoder(reserving: record.bytes.count + 3)
        framed.write(record.bytes)
        return framed.bytes
    }

    /// What stands in front of the records where there is a cursor.
    public static func head(cursor: [UInt8], isWhole: Bool, horizon: Timestamp) -> [UInt8] {
        var about = CanonicalEncoder()
        about.write(byte: isWhole ? 1 : 0)
        about.write(horizon.rawValue)
        var head = CanonicalEncoder()
        head.write(cursor)
        head.write(about.bytes)
        return head.bytes
    }

    /// The record of a path at which nothing is any more.
    public static func forgotten(_ path: TreePath) -> [UInt8] {
        var record = CanonicalEncoder()
        record.write(path.description)
        var framed = CanonicalEncoder()
        framed.write(record.bytes)
        return framed.bytes
    }

    /// What ends the stream.
    public static let end: [UInt8] = [0]
}
