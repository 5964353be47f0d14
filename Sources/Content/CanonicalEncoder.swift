/// Writes the canonical encoding: one value, one byte string.
///
/// Integers are unsigned LEB128 in the fewest bytes, byte strings carry their length in front, hashes are their
/// 32 bytes. `docs/format.md` has the whole of it. `CanonicalDecoder` refuses whatever this would not write.
public struct CanonicalEncoder: Sendable {
    public private(set) var bytes: [UInt8]

    public init(reserving capacity: Int = 64) {
        bytes = []
        bytes.reserveCapacity(capacity)
    }

    /// One byte.
    public mutating func write(byte: UInt8) {
        bytes.append(byte)
    }

    /// An unsigned integer: 1 to 10 bytes.
    public mutating func write(_ value: UInt64) {
        var rest = value
        while rest >= 0x80 {
            bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        bytes.append(UInt8(truncatingIfNeeded: rest))
    }

    /// A count or a length.
    public mutating func write(_ value: Int) {
        precondition(value >= 0, "lengths and counts are not negative")
        write(UInt64(value))
    }

    /// A signed integer, zigzag-coded so that small magnitudes are short.
    public mutating func write(signed value: Int64) {
        write(UInt64(bitPattern: (value << 1) ^ (value >> 63)))
    }

    /// 32 bytes.
    public mutating func write(_ hash: ContentHash) {
        hash.withBytes { bytes.append(contentsOf: $0) }
    }

    /// Bytes without a length, where the format says how many there are.
    public mutating func write(raw part: some Collection<UInt8>) {
        bytes.append(contentsOf: part)
    }

    /// A length and the bytes.
    public mutating func write(_ string: some Collection<UInt8>) {
        write(string.count)
        bytes.append(contentsOf: string)
    }

    /// A length and the UTF-8 of the text.
    public mutating func write(_ text: String) {
        write(text.utf8)
    }
}
