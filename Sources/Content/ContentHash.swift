import Crypto

/// The name of an object: SHA-256 over its kind tag (one byte) and its bytes.
///
/// Ordered by its 32 bytes as an unsigned big-endian number.
public struct ContentHash: Hashable, Comparable, Sendable {
    /// Bytes in a hash.
    public static let byteCount = 32

    // Four words compare and hash faster than 32 bytes and need no allocation.
    @usableFromInline let word0: UInt64
    @usableFromInline let word1: UInt64
    @usableFromInline let word2: UInt64
    @usableFromInline let word3: UInt64

    /// Reads a hash from exactly 32 bytes.
    @inlinable
    public init(_ bytes: UnsafeRawBufferPointer) {
        precondition(bytes.count == ContentHash.byteCount, "a hash has 32 bytes")
        word0 = UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: 0, as: UInt64.self))
        word1 = UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: 8, as: UInt64.self))
        word2 = UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: 16, as: UInt64.self))
        word3 = UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: 24, as: UInt64.self))
    }

    /// The hash with all bits zero, which no object has.
    public static let zero = ContentHash(word0: 0, word1: 0, word2: 0, word3: 0)

    @usableFromInline
    init(word0: UInt64, word1: UInt64, word2: UInt64, word3: UInt64) {
        self.word0 = word0
        self.word1 = word1
        self.word2 = word2
        self.word3 = word3
    }

    @inlinable
    public static func < (left: ContentHash, right: ContentHash) -> Bool {
        if left.word0 != right.word0 { return left.word0 < right.word0 }
        if left.word1 != right.word1 { return left.word1 < right.word1 }
        if left.word2 != right.word2 { return left.word2 < right.word2 }
        return left.word3 < right.word3
    }

    @inlinable
    public func hash(into hasher: inout Hasher) {
        // SHA-256 output is uniform already; one word is as good as four.
        hasher.combine(word0)
    }

    /// The last 64 bits, from which content-defined cuts are taken.
    @inlinable
    public var lowBits: UInt64 { word3 }

    /// The first 64 bits: a short fingerprint for people and for file names, never for identity.
    @inlinable
    public var highBits: UInt64 { word0 }

    /// Calls `body` with the 32 bytes.
    @inlinable
    public func withBytes<Result, Failure: Error>(
        _ body: (UnsafeRawBufferPointer) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        let words = (word0.bigEndian, word1.bigEndian, word2.bigEndian, word3.bigEndian)
        return try withUnsafePointer(to: words) { (pointer) throws(Failure) -> Result in
            try body(UnsafeRawBufferPointer(start: pointer, count: ContentHash.byteCount))
        }
    }
}

// MARK: - Hashing

extension ContentHash {
    /// The name of an object of `kind` with these bytes.
    public init(of kind: ObjectKind, _ bytes: UnsafeRawBufferPointer) {
        var hasher = ContentHasher(kind)
        hasher.update(bytes)
        self = hasher.finish()
    }

    /// The name of an object of `kind` with these bytes.
    public init(of kind: ObjectKind, _ bytes: [UInt8]) {
        self = bytes.withUnsafeBytes { ContentHash(of: kind, $0) }
    }

    /// SHA-256 of bytes that are no object (keys, names, secrets), without a kind tag.
    public init(sha256 bytes: some Sequence<UInt8>) {
        var hasher = SHA256()
        hasher.update(data: Array(bytes))
        self = hasher.finalize().withUnsafeBytes { ContentHash($0) }
    }
}

/// Hashes the bytes of one object in pieces.
public struct ContentHasher {
    private var hasher = SHA256()

    public init(_ kind: ObjectKind) {
        withUnsafeBytes(of: kind.rawValue) { hasher.update(bufferPointer: $0) }
    }

    public mutating func update(_ bytes: UnsafeRawBufferPointer) {
        hasher.update(bufferPointer: bytes)
    }

    public consuming func finish() -> ContentHash {
        hasher.finalize().withUnsafeBytes { ContentHash($0) }
    }
}

// MARK: - Hex

extension ContentHash: CustomStringConvertible, LosslessStringConvertible {
    /// 64 lower-case hexadecimal digits.
    public var description: String {
        String(unsafeUninitializedCapacity: 64) { out in
            withBytes { bytes in
                for (index, byte) in bytes.enumerated() {
                    out[2 * index] = ContentHash.hexDigit(byte >> 4)
                    out[2 * index + 1] = ContentHash.hexDigit(byte & 15)
                }
            }
            return 64
        }
    }

    /// Reads 64 lower-case hexadecimal digits; nil for anything else.
    public init?(_ description: String) {
        let digits = description.utf8
        guard digits.count == 64 else { return nil }
        var words: (UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0)
        for (index, digit) in digits.enumerated() {
            let value: UInt64
            switch digit {
            case UInt8(ascii: "0")...UInt8(ascii: "9"): value = UInt64(digit - UInt8(ascii: "0"))
            case UInt8(ascii: "a")...UInt8(ascii: "f"): value = UInt64(digit - UInt8(ascii: "a") + 10)
            default: return nil
            }
            switch index / 16 {
            case 0: words.0 = words.0 << 4 | value
            case 1: words.1 = words.1 << 4 | value
            case 2: words.2 = words.2 << 4 | value
            default: words.3 = words.3 << 4 | value
            }
        }
        self.init(word0: words.0, word1: words.1, word2: words.2, word3: words.3)
    }

    private static func hexDigit(_ value: UInt8) -> UInt8 {
        value < 10 ? UInt8(ascii: "0") + value : UInt8(ascii: "a") + value - 10
    }
}
