import Content
import TestSupport
import Testing

@Suite("Chunker")
struct ChunkerTests {
    /// The sizes of the chunks of a stream that comes in pieces of the sizes that `pieceSize` says.
    static func chunkSizes(of stream: [UInt8], pieceSize: () -> Int) -> [Int] {
        var chunker = Chunker()
        var sizes: [Int] = []
        var size = 0
        stream.withUnsafeBytes { bytes in
            var start = 0
            while start < bytes.count {
                let end = min(bytes.count, start + pieceSize())
                while start < end {
                    if let cut = chunker.cut(UnsafeRawBufferPointer(rebasing: bytes[start..<end])) {
                        sizes.append(size + cut)
                        size = 0
                        start += cut
                    } else {
                        size += end - start
                        start = end
                    }
                }
            }
        }
        if size > 0 { sizes.append(size) }
        return sizes
    }

    static func chunkSizes(of stream: [UInt8]) -> [Int] {
        chunkSizes(of: stream) { stream.count }
    }

    static func chunks(of stream: [UInt8]) -> [ContentHash] {
        var start = 0
        return chunkSizes(of: stream).map { size in
            defer { start += size }
            return ContentHash(of: .chunk, Array(stream[start..<start + size]))
        }
    }

    @Test("Golden cuts of 4 MiB, reckoned with another implementation that hashes every byte")
    func goldenCuts() {
        var random = SplitMix64(seed: 1)
        let stream = random.bytes(4 << 20)
        #expect(ContentHash(sha256: stream).description == "ad6bc3def4bc89adb670062bb9b9f48cd0aa748258f31a304d1df877d46cc6fe")
        #expect(Self.chunkSizes(of: stream) == [
            362_219, 270_125, 292_972, 299_341, 272_763, 311_235, 328_640, 116_184, 347_969, 311_695, 98_715, 289_090,
            431_616, 395_319, 66_421,
        ])
    }

    @Test("The cuts do not depend on how the stream is split", arguments: Seed.several(3))
    func splits(seed: Seed) {
        var random = seed.generator
        let stream = random.bytes(1 << 20)
        let whole = Self.chunkSizes(of: stream)
        #expect(Self.chunkSizes(of: stream) { 1 + random.below(1000) } == whole)
        #expect(Self.chunkSizes(of: stream) { 1 + random.below(200_000) } == whole)
        // Pieces that end around the first byte that is hashed and the first that can end a chunk.
        #expect(Self.chunkSizes(of: stream) { random.pick([1, 63, 64, 65, Chunker.minimumSize - 64, Chunker.minimumSize]) } == whole)
        #expect(Self.chunkSizes(of: Array(stream[..<200_000])) { 1 } == Self.chunkSizes(of: Array(stream[..<200_000])))
    }

    @Test("Sizes keep to their bounds, and the average is near 256 KiB", arguments: Seed.several(1))
    func sizes(seed: Seed) {
        var random = seed.generator
        let sizes = Self.chunkSizes(of: random.bytes(24 << 20))
        #expect(sizes.dropLast().allSatisfy { $0 > Chunker.minimumSize && $0 <= Chunker.maximumSize })
        #expect(sizes.reduce(0, +) == 24 << 20)
        let average = (24 << 20) / sizes.count
        #expect((220 << 10...340 << 10).contains(average))
    }

    @Test("Constant bytes are cut at the greatest size or at one other, and end", arguments: [UInt8(0), 1, 0xff])
    func constantBytes(byte: UInt8) {
        let stream = [UInt8](repeating: byte, count: 3 << 20 | 5)
        let sizes = Self.chunkSizes(of: stream)
        #expect(sizes.reduce(0, +) == stream.count)
        #expect(Set(sizes.dropLast()).count == 1)
        #expect(sizes.allSatisfy { $0 <= Chunker.maximumSize })
    }

    @Test func emptyInput() {
        var chunker = Chunker()
        #expect(chunker.cut(UnsafeRawBufferPointer(start: nil, count: 0)) == nil)
        #expect(Self.chunkSizes(of: []).isEmpty)
    }

    @Test("An insertion changes only the chunks near it", arguments: Seed.several(4))
    func insertion(seed: Seed) {
        var random = seed.generator
        var stream = random.bytes(5 << 20)
        let before = Set(Self.chunks(of: stream))
        stream.insert(contentsOf: random.bytes(1 + random.below(100)), at: random.below(stream.count))
        let after = Set(Self.chunks(of: stream))
        #expect(!after.subtracting(before).isEmpty)
        // The cuts meet again at the first place where both could cut, rarely more than two chunks on.
        #expect(after.subtracting(before).count <= 5)
        #expect(before.subtracting(after).count <= 5)
    }
}
