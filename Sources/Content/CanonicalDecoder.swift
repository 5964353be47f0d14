/// Bytes that are not what `CanonicalEncoder` would have written.
public struct MalformedBytes: Error, Equatable, CustomStringConvertible {
    /// What was being read and what was wrong with it.
    public var reason: String
    /// Where in the bytes.
    public var offset: Int

    public init(_ reason: String, offset: Int = 0) {
        self.reason = reason
        self.offset = offset
    }

    public var description: String { "\(reason) (at byte \(offset))" }
}

/// Reads the canonical encoding and refuses everything that `CanonicalEncoder` would not have written.
///
/// Holds the array and an offset, so that reading copies nothing but what is asked for.
public struct CanonicalDecoder {
    public let bytes: [UInt8]
    public private(set) var offset: Int
    public let end: Int

    public init(_ bytes: [UInt8]) {
        self.init(bytes, 0..<bytes.count)
    }

    public init(_ bytes: [UInt8], _ range: Range<Int>) {
        precondition(range.lowerBound >= 0 && range.upperBound <= bytes.count, "range outside the bytes")
        self.bytes = bytes
        offset = range.lowerBound
        end = range.upperBound
    }

    public var remaining: Int { end - offset }
    public var isAtEnd: Bool { offset == end }

    public func malformed(_ reason: String) -> MalformedBytes {
        MalformedBytes(reason, offset: offset)
    }

    public mutating func readByte() throws(MalformedBytes) -> UInt8 {
        guard offset < end else { throw malformed("bytes end early") }
        defer { offset += 1 }
        return bytes[offset]
    }

    public mutating func readInteger() throws(MalformedBytes) -> UInt64 {
        var value: UInt64 = 0
        var shift: UInt64 = 0
        while true {
            let byte = try readByte()
            // The tenth byte holds one bit.
            guard shift < 63 || byte <= 1 else { throw malformed("integer over 64 bits") }
            value |= UInt64(byte & 0x7f) << shift
            if byte < 0x80 {
                guard byte != 0 || shift == 0 else { throw malformed("integer not in its shortest form") }
                return value
            }
            shift += 7
        }
    }

    public mutating func readSignedInteger() throws(MalformedBytes) -> Int64 {
        let value = try readInteger()
        return Int64(bitPattern: value >> 1) ^ -Int64(bitPattern: value & 1)
    }

    /// A count or a length of at most `limit`.
    public mutating func readCount(limit: Int) throws(MalformedBytes) -> Int {
        let value = try readInteger()
        guard value <= UInt64(limit) else { throw malformed("count \(value) over the limit of \(limit)") }
        return Int(value)
    }

    public mutating func readHash() throws(MalformedBytes) -> ContentHash {
        let range = try take(ContentHash.byteCount)
        return bytes.withUnsafeBytes { ContentHash(UnsafeRawBufferPointer(rebasing: $0[range])) }
    }

    /// The range of the next `count` bytes, which are skipped.
    public mutating func take(_ count: Int) throws(MalformedBytes) -> Range<Int> {
        guard count <= remaining else { throw malformed("bytes end early: \(count) wanted, \(remaining) left") }
        defer { offset += count }
        return offset..<offset + count
    }

    /// The range of a byte string of at most `limit` bytes.
    public mutating func readByteString(limit: Int) throws(MalformedBytes) -> Range<Int> {
        try take(readCount(limit: limit))
    }

    /// A string of at most `limit` bytes of UTF-8.
    public mutating func readText(limit: Int) throws(MalformedBytes) -> String {
        let range = try readByteString(limit: limit)
        guard let text = String(validating: bytes[range], as: UTF8.self) else { throw malformed("text is not UTF-8") }
        return text
    }

    /// Refuses bytes after the last value.
    public func finish() throws(MalformedBytes) {
        guard isAtEnd else { throw malformed("\(remaining) bytes too many") }
    }
}
