import Content
@testable import Objects
import TestSupport
import Testing

/// `docs/format.md`, "The log". The bytes were reckoned with another implementation.
@Suite("Format of the log")
struct RecordFormatTests {
    static let chunkRecord = "a50100000000000c0000000c3db86bf765cc3330a2450e20f7e76d4bf8918412297edb4732399074523f577d195aacb068656c6c6f2c2067726f7665"
    static let commitRecord = "a50400000000000800000008b708c7b35c66458fbab8f8a4c2921036e8ae126fd1108cb4ed60787a29f8178bd10a7c926120636f6d6d6974"
    static let headRecord =
        "a58000000000001000000010b708c7b35c66458fbab8f8a4c2921036e8ae126fd1108cb4ed60787a29f8178b951fff21000000010000000000000010da0ea82d"
    static let chunk = PreparedObject(.chunk, Array("hello, grove".utf8))
    static let commit = PreparedObject(.commit, Array("a commit".utf8))

    static func hex(_ bytes: some Sequence<UInt8>) -> String {
        bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }

    @Test func segment() throws {
        let fixture = try StoreFixture(.memory)
        let store = try fixture.open()
        try store.append([Self.chunk])
        try store.commit([Self.commit], head: Self.commit.hash)
        let header = Self.hex(Array("pando log 1\n\0\0\0\0".utf8))
        #expect(Self.hex(fixture.disk.bytes(of: StoreFixture.firstSegment)) == header + Self.chunkRecord + Self.commitRecord + Self.headRecord)
    }

    @Test("CRC-32C of the test vector of RFC 3720")
    func checksum() {
        #expect(CRC32C.checksum(Array("123456789".utf8)[...]) == 0xe306_9283)
        #expect(CRC32C.checksum([UInt8](repeating: 0, count: 32)[...]) == 0x8a91_36aa)
        #expect(CRC32C.checksum([]) == 0)
    }

    @Test("A header with any bit flipped is none", arguments: [0, 1, 2])
    func flippedHeader(record: Int) throws {
        let bytes = [Self.chunk, Self.commit][record == 0 ? 0 : 1]
        let place = LogPosition(segment: 3, offset: 4096)
        var header = RecordHeader(
            kind: record == 2 ? RecordHeader.headKind : bytes.kind.rawValue, codec: 0, rawLength: bytes.rawLength,
            storedLength: bytes.stored.count, hash: bytes.hash
        ).encoded(at: place)
        #expect(header.count == 48)
        #expect(RecordHeader(header[...], at: place)?.hash == bytes.hash)
        #expect(RecordHeader(header[...], at: LogPosition(segment: 3, offset: 4097)) == nil)
        #expect(RecordHeader(header[...], at: LogPosition(segment: 4, offset: 4096)) == nil)
        for bit in 0..<header.count * 8 {
            header[bit / 8] ^= 1 << UInt8(bit % 8)
            #expect(RecordHeader(header[...], at: place) == nil)
            header[bit / 8] ^= 1 << UInt8(bit % 8)
        }
        for count in 0..<header.count { #expect(RecordHeader(header[..<count], at: place) == nil) }
    }

    @Test("What a head record says holds for its commit only")
    func headPayload() {
        let payload = HeadPayload(durable: LogPosition(segment: 7, offset: 1 << 40))
        let bytes = payload.encoded(for: Self.commit.hash)
        #expect(HeadPayload(bytes[...], commit: Self.commit.hash)?.durable == payload.durable)
        #expect(HeadPayload(bytes[...], commit: Self.chunk.hash) == nil)
        #expect(HeadPayload(bytes.dropLast(), commit: Self.commit.hash) == nil)
    }
}
