import CZstd
import Content
@testable import Objects
import TestSupport
import Testing

@Suite("Compression")
struct CompressionTests {
    static let text = Array(String(repeating: "All work and no play makes a dull grove. ", count: 500).utf8)

    /// A frame of zeros, however long: what a sender of bombs sends.
    static func frame(of bytes: [UInt8]) -> [UInt8] {
        let room = ZSTD_compressBound(bytes.count)
        return [UInt8](unsafeUninitializedCapacity: room) { out, count in
            count = bytes.withUnsafeBytes { ZSTD_compress(out.baseAddress, room, $0.baseAddress, $0.count, 19) }
        }
    }

    @Test("Text is compressed and read back; random bytes and short ones stay as they are", arguments: Seed.several(10))
    func choice(seed: Seed) throws {
        var random = seed.generator
        #expect(PreparedObject(.chunk, Self.text).codec == .zstd)
        #expect(PreparedObject(.chunk, random.bytes(1 << (5 + random.below(12)))).codec == .raw)
        #expect(PreparedObject(.chunk, Array(Self.text.prefix(95))).codec == .raw)
        #expect(PreparedObject(.chunk, []).codec == .raw)
    }

    @Test("Whatever the bytes, they come back, and a compressed object is a tenth shorter at least", arguments: Seed.several(30))
    func roundTrip(seed: Seed) throws {
        var random = seed.generator
        var bytes: [UInt8] = []
        for _ in 0..<random.below(12) {
            let count = random.below(1 << random.below(14))
            switch random.below(3) {
            case 0: bytes += random.bytes(count)
            case 1: bytes += [UInt8](repeating: UInt8(random.below(256)), count: count)
            default: bytes += Self.text.prefix(count)
            }
        }
        let object = PreparedObject(.chunk, bytes)
        #expect(object.raw() == bytes)
        #expect(object.rawLength == bytes.count)
        #expect(object.hash == ContentHash(of: .chunk, bytes))
        if object.codec == .zstd { #expect(object.stored.count <= bytes.count - bytes.count / 10) }
        let checked = try PreparedObject(checking: object.hash, .chunk, object.codec, rawLength: bytes.count, stored: object.stored)
        #expect(checked.raw() == bytes)
    }

    @Test("A frame that holds more or less than was promised is refused, and takes no more memory than promised")
    func bombs() {
        let bomb = Self.frame(of: [UInt8](repeating: 0, count: 64 << 20))
        #expect(bomb.count < 10_000)
        let start = [UInt8](repeating: 0, count: 1000)
        for (stored, promised) in [(bomb, 1000), (bomb, 1 << 20), (Self.frame(of: start), 999), (Self.frame(of: start), 1001)] {
            let result = stored.withUnsafeBytes { Compression.decompress($0, rawLength: promised) }
            #expect(result == nil)
            let hash = ContentHash(of: .chunk, [UInt8](repeating: 0, count: promised))
            #expect(throws: MalformedBytes.self) {
                try PreparedObject(checking: hash, .chunk, .zstd, rawLength: promised, stored: stored)
            }
        }
    }

    @Test("An object whose bytes were changed on the way is refused", arguments: Seed.several(10))
    func tampered(seed: Seed) {
        var random = seed.generator
        for object in [PreparedObject(.chunk, Self.text), PreparedObject(.chunk, random.bytes(500))] {
            var stored = object.stored
            stored[random.below(stored.count)] ^= 1 << UInt8(random.below(8))
            for (bytes, length) in [(stored, object.rawLength), (object.stored.dropLast(), object.rawLength), ([], object.rawLength)] {
                // A flip in a frame's descriptor may leave what it holds as it was; then there is nothing to refuse.
                guard object.codec == .raw || bytes.withUnsafeBytes({ Compression.decompress($0, rawLength: length) }) != object.raw()
                else { continue }
                #expect(throws: MalformedBytes.self) {
                    try PreparedObject(checking: object.hash, .chunk, object.codec, rawLength: length, stored: Array(bytes))
                }
            }
            #expect(throws: MalformedBytes.self) {
                try PreparedObject(checking: object.hash, .manifest, object.codec, rawLength: object.rawLength, stored: object.stored)
            }
        }
    }

    @Test("Several objects are found good or bad as each is alone", arguments: Seed.several(10))
    func several(seed: Seed) {
        var random = seed.generator
        var objects: [UncheckedObject] = []
        for _ in 0..<random.below(30) {
            let kind = random.once(in: 4) ? ObjectKind.manifest : .chunk
            let object = PreparedObject(kind, random.once(in: 2) ? Array(Self.text.prefix(random.below(3000))) : random.bytes(random.below(3000)))
            var unchecked = UncheckedObject(hash: object.hash, kind: kind, codec: object.codec, rawLength: object.rawLength, stored: object.stored)
            switch random.below(5) {
            case 0 where !unchecked.stored.isEmpty: unchecked.stored[random.below(unchecked.stored.count)] ^= 1 << UInt8(random.below(8))
            case 1: unchecked.rawLength += 1
            case 2: unchecked.kind = .attributes
            default: break
            }
            objects.append(unchecked)
        }
        let alone = objects.map { object in
            (try? PreparedObject(checking: object.hash, object.kind, object.codec, rawLength: object.rawLength, stored: object.stored))?.raw()
        }
        #expect(UncheckedObject.checked(objects).map { $0?.bytes } == alone)
    }
}
