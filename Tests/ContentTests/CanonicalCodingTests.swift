import Content
import TestSupport
import Testing

@Suite("Canonical encoding")
struct CanonicalCodingTests {
    /// One value of each sort that can be written.
    enum Item: Equatable {
        case byte(UInt8), integer(UInt64), signed(Int64), hash(ContentHash), string([UInt8]), text(String)

        static func random(_ random: inout SplitMix64) -> Item {
            // Integers of every length, not only the long ones that uniform numbers are.
            let number = random.next() >> random.below(64)
            switch random.below(6) {
            case 0: return .byte(UInt8(truncatingIfNeeded: number))
            case 1: return .integer(number)
            case 2: return .signed(Int64(bitPattern: number) &* (random.once(in: 2) ? 1 : -1))
            case 3: return .hash(ContentHash(of: .chunk, random.bytes(4)))
            case 4: return .string(random.bytes(random.below(300)))
            default: return .text(String((0..<random.below(50)).map { _ in random.pick(Array("aß€🌳e\u{301}\0")) }))
            }
        }

        func write(to encoder: inout CanonicalEncoder) {
            switch self {
            case .byte(let byte): encoder.write(byte: byte)
            case .integer(let value): encoder.write(value)
            case .signed(let value): encoder.write(signed: value)
            case .hash(let hash): encoder.write(hash)
            case .string(let bytes): encoder.write(bytes)
            case .text(let text): encoder.write(text)
            }
        }

        /// Reads an item of the same sort.
        func readTwin(from decoder: inout CanonicalDecoder) throws -> Item {
            switch self {
            case .byte: return .byte(try decoder.readByte())
            case .integer: return .integer(try decoder.readInteger())
            case .signed: return .signed(try decoder.readSignedInteger())
            case .hash: return .hash(try decoder.readHash())
            case .string: return .string(Array(decoder.bytes[try decoder.readByteString(limit: 300)]))
            case .text: return .text(try decoder.readText(limit: 1000))
            }
        }
    }

    static func encoded(_ items: [Item]) -> [UInt8] {
        var encoder = CanonicalEncoder()
        for item in items { item.write(to: &encoder) }
        return encoder.bytes
    }

    static func decoded(_ bytes: [UInt8], like items: [Item]) throws -> [Item] {
        var decoder = CanonicalDecoder(bytes)
        let result = try items.map { try $0.readTwin(from: &decoder) }
        try decoder.finish()
        return result
    }

    @Test(arguments: Seed.several(30))
    func roundTrip(seed: Seed) throws {
        var random = seed.generator
        let items = (0..<random.below(40)).map { _ in Item.random(&random) }
        #expect(try Self.decoded(Self.encoded(items), like: items) == items)
    }

    @Test("Bytes cut off anywhere are refused", arguments: Seed.several(5))
    func truncation(seed: Seed) throws {
        var random = seed.generator
        let items = (0..<12).map { _ in Item.random(&random) }
        let bytes = Self.encoded(items)
        for count in 0..<bytes.count {
            #expect(throws: MalformedBytes.self) { try Self.decoded(Array(bytes[..<count]), like: items) }
        }
    }

    @Test func trailingBytes() {
        #expect(throws: MalformedBytes("1 bytes too many", offset: 1)) {
            try Self.decoded([7, 0], like: [.integer(7)])
        }
    }

    @Test(arguments: [
        (0, [0]), (127, [0x7f]), (128, [0x80, 1]), (300, [0xac, 2]),
        (.max, [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1]),
    ] as [(UInt64, [UInt8])])
    func goldenInteger(value: UInt64, bytes: [UInt8]) throws {
        #expect(Self.encoded([.integer(value)]) == bytes)
        #expect(try Self.decoded(bytes, like: [.integer(0)]) == [.integer(value)])
    }

    @Test(arguments: [(0, 0), (-1, 1), (1, 2), (-64, 127)] as [(Int64, UInt8)])
    func goldenSignedInteger(value: Int64, byte: UInt8) {
        #expect(Self.encoded([.signed(value)]) == [byte])
    }

    @Test func extremeSignedIntegers() throws {
        let items: [Item] = [.signed(.min), .signed(.max)]
        #expect(try Self.decoded(Self.encoded(items), like: items) == items)
    }

    @Test("Integers longer than they need be are refused", arguments: [
        [0x80, 0], [0xff, 0], [0x80, 0x80, 0], [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0],
    ] as [[UInt8]])
    func overlongInteger(bytes: [UInt8]) {
        #expect { try Self.decoded(bytes, like: [.integer(0)]) } throws: { "\($0)".contains("shortest form") }
    }

    @Test("Integers over 64 bits are refused", arguments: [
        [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2],
        [0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 1],
        [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x81, 0],
    ] as [[UInt8]])
    func integerOver64Bits(bytes: [UInt8]) {
        #expect { try Self.decoded(bytes, like: [.integer(0)]) } throws: { "\($0)".contains("over 64 bits") }
    }

    @Test("Text that is not UTF-8 is refused", arguments: [
        [0xff], [0xc3], [0xc0, 0x80], [0xed, 0xa0, 0x80], [0xf4, 0x90, 0x80, 0x80], [0x61, 0x80],
    ] as [[UInt8]])
    func badText(bytes: [UInt8]) {
        #expect { try Self.decoded(Self.encoded([.string(bytes)]), like: [.text("")]) } throws: {
            "\($0)".contains("not UTF-8")
        }
    }

    @Test("Text keeps its bytes, whatever its normalisation form")
    func textIsNotNormalised() throws {
        var decoder = CanonicalDecoder(Self.encoded([.text("e\u{301}")]))
        #expect(Array(try decoder.readText(limit: 9).utf8) == [0x65, 0xcc, 0x81])
    }

    @Test func countsOverTheLimit() throws {
        let bytes = Self.encoded([.integer(11)])
        var decoder = CanonicalDecoder(bytes)
        #expect(throws: MalformedBytes.self) { try decoder.readCount(limit: 10) }
        decoder = CanonicalDecoder(bytes)
        #expect(try decoder.readCount(limit: 11) == 11)
        // More than an Int holds.
        decoder = CanonicalDecoder(Self.encoded([.integer(.max)]))
        #expect(throws: MalformedBytes.self) { try decoder.readCount(limit: .max) }
        decoder = CanonicalDecoder(Self.encoded([.string(Array(repeating: 0, count: 11))]))
        #expect(throws: MalformedBytes.self) { try decoder.readByteString(limit: 10) }
    }

    @Test("A decoder of a part does not read beyond it")
    func range() throws {
        var decoder = CanonicalDecoder([9, 1, 2, 9], 1..<3)
        #expect(try decoder.readByte() == 1)
        #expect(try decoder.readByte() == 2)
        #expect(decoder.isAtEnd)
        #expect(throws: MalformedBytes.self) { try decoder.readByte() }
        #expect(throws: MalformedBytes.self) { try decoder.take(1) }
    }
}
