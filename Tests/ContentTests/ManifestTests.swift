import Content
import TestSupport
import Testing

@Suite("Manifest")
struct ManifestTests {
    struct Chunk: Equatable {
        var hash: ContentHash
        var size: Int
    }

    /// What a builder puts out.
    struct Built {
        var content: FileContent
        var nodes: [ContentHash: [UInt8]] = [:]

        init(_ chunks: [Chunk]) throws {
            var builder = ManifestBuilder()
            var nodes: [ContentHash: [UInt8]] = [:]
            for chunk in chunks { try builder.append(chunk: chunk.hash, size: chunk.size) { nodes[$0] = $1 } }
            content = try builder.finish { nodes[$0] = $1 }
            self.nodes = nodes
        }

        /// The chunks in the order of the file, read as a reader that trusts nothing does.
        func chunks() throws -> [Chunk] {
            var result: [Chunk] = []
            func read(_ hash: ContentHash, _ size: UInt64, height: Int, isLast: Bool) throws {
                if height == 0 { return result.append(Chunk(hash: hash, size: Int(size))) }
                let bytes = try #require(nodes[hash])
                #expect(ContentHash(of: .manifest, bytes) == hash)
                let node = try ManifestNode(decoding: bytes, height: height, size: size, isLast: isLast)
                #expect(node.encoded() == bytes)
                #expect(node.size == size)
                for (index, child) in node.children.enumerated() {
                    try read(child.hash, child.size, height: height - 1, isLast: isLast && index == node.children.count - 1)
                }
            }
            try read(content.root, content.size, height: content.height, isLast: true)
            return result
        }
    }

    /// Chunks as they would be of random bytes, without the bytes.
    static func randomChunks(_ count: Int, _ random: inout SplitMix64) -> [Chunk] {
        (0..<count).map { _ in
            let words = (random.next(), random.next(), random.next(), random.next())
            let hash = withUnsafeBytes(of: words) { ContentHash($0) }
            return Chunk(hash: hash, size: 1 + random.below(Chunker.maximumSize))
        }
    }

    @Test("Golden root of three chunks, reckoned by hand")
    func goldenRoot() throws {
        let built = try Built(["a", "bb", "ccc"].map { Chunk(hash: ContentHash(of: .chunk, Array($0.utf8)), size: $0.utf8.count) })
        #expect(built.content.root.description == "0aba1150113dc21d462dced9606d29e3015b4cd12cd8b78f55dc4d716c9cd94c")
        #expect(built.content.height == 1)
        #expect(built.content.size == 6)
    }

    @Test("Golden root of 5,000 chunks, reckoned with another implementation")
    func goldenTallRoot() throws {
        let built = try Built((0..<5000).map { index in
            let text = Array(String(index).utf8)
            return Chunk(hash: ContentHash(of: .chunk, text), size: text.count)
        })
        #expect(built.content.root.description == "07a146f5f376c3b39b2508f8d0f023414c16100e5b871a478e239ca2a0627399")
        #expect(built.content.height == 2)
        #expect(built.content.size == 18_890)
    }

    @Test("All chunks are read back in order", arguments: [1, 2, 31, 32, 33, 1023, 1024, 1025, 5000], Seed.several(2))
    func readBack(count: Int, seed: Seed) throws {
        var random = seed.generator
        let chunks = Self.randomChunks(count, &random)
        let built = try Built(chunks)
        #expect(try built.chunks() == chunks)
        #expect(built.content.size == UInt64(chunks.reduce(0) { $0 + $1.size }))
        #expect((built.content.height == 0) == (count == 1))
    }

    @Test("A file of no bytes and a file of one chunk have no manifest")
    func withoutManifest() throws {
        let empty = try Built([Chunk(hash: ContentHash(of: .chunk, []), size: 0)])
        #expect(empty.content == .empty)
        #expect(empty.nodes.isEmpty)
        let chunk = Chunk(hash: ContentHash(of: .chunk, [1]), size: 1)
        #expect(try Built([chunk]).content == FileContent(root: chunk.hash, height: 0, size: 1))
    }

    @Test("Equal chunks end, whether their hash cuts or not", arguments: [1, 2, 32, 33, 1024, 1025, 2048, 40_000])
    func constantChunks(count: Int) throws {
        for last in [UInt8(0), 1] {
            let hash = [UInt8](repeating: 1, count: 31) + [last]
            let chunks = [Chunk](repeating: Chunk(hash: hash.withUnsafeBytes { ContentHash($0) }, size: 1 << 20), count: count)
            let built = try Built(chunks)
            #expect(try built.chunks() == chunks)
            #expect(built.content.height <= 4)
            // Repeated nodes are stored once: a sparse file costs next to nothing.
            #expect(built.nodes.count <= 4 * max(1, built.content.height))
        }
    }

    @Test("An insertion among 100,000 chunks rewrites a few nodes", arguments: Seed.several(2))
    func insertion(seed: Seed) throws {
        var random = seed.generator
        var chunks = Self.randomChunks(100_000, &random)
        let before = try Built(chunks)
        #expect(before.nodes.count > 300)
        chunks.insert(contentsOf: Self.randomChunks(1, &random), at: random.below(chunks.count))
        let after = try Built(chunks)
        let fresh = after.nodes.keys.filter { before.nodes[$0] == nil }
        #expect(after.content.root != before.content.root)
        // One or two a level, were it not that after the least count the cuts may need a node or two to meet again.
        #expect(fresh.count <= 6 * after.content.height)
    }

    @Test func refusals() throws {
        var random = SplitMix64(seed: 7)
        let children = Self.randomChunks(10, &random).map { ManifestNode.Child(hash: $0.hash, size: UInt64($0.size)) }
        // Does not cut, being fewer than the least.
        let node = ManifestNode(height: 1, children: children)
        let bytes = node.encoded()
        #expect(try ManifestNode(decoding: bytes, height: 1, size: node.size, isLast: true) == node)

        func refused(_ bytes: [UInt8], height: Int = 1, size: UInt64? = nil, isLast: Bool = true, _ reason: String) {
            #expect { try ManifestNode(decoding: bytes, height: height, size: size ?? node.size, isLast: isLast) } throws: {
                "\($0)".contains(reason)
            }
        }
        refused(bytes, height: 2, "another height")
        refused(bytes, size: node.size + 1, "are expected")
        refused(bytes, isLast: false, "cut in the wrong place")
        refused(bytes + [0], "too many")
        refused(ManifestNode(height: 1, children: []).encoded(), "without children")
        for count in 0..<bytes.count { refused(Array(bytes[..<count]), "end early") }

        func with(_ child: ManifestNode.Child, height: Int = 1) -> [UInt8] {
            ManifestNode(height: height, children: children + [child]).encoded()
        }
        refused(with(.init(hash: .zero, size: 0)), "child of 0 bytes")
        refused(with(.init(hash: .zero, size: 1 << 20 | 1)), "child of 1048577 bytes")
        refused(with(.init(hash: .zero, size: .max), height: 2), height: 2, "over 64 bits")
        refused(ManifestNode(height: 17, children: children).encoded(), height: 17, "over the limit")

        // A child behind which the node should have ended.
        let cutting = ManifestNode.Child(hash: .zero, size: 1)
        let late = ManifestNode(height: 1, children: Array(repeating: cutting, count: 33))
        refused(late.encoded(), size: 33, "cut in the wrong place")
        // It ends at the least count with a cut, at the greatest without.
        let least = ManifestNode(height: 1, children: Array(repeating: cutting, count: 32))
        #expect(try ManifestNode(decoding: least.encoded(), height: 1, size: 32, isLast: false) == least)
        let plain = ManifestNode.Child(hash: ContentHash("\(String(repeating: "0", count: 63))1")!, size: 1)
        let greatest = ManifestNode(height: 1, children: Array(repeating: plain, count: 1024))
        #expect(try ManifestNode(decoding: greatest.encoded(), height: 1, size: 1024, isLast: false) == greatest)
        let over = ManifestNode(height: 1, children: Array(repeating: plain, count: 1025))
        refused(over.encoded(), size: 1025, "over the limit")
    }

    @Test("Flipped bits never crash the decoder", arguments: Seed.several(10))
    func flippedBits(seed: Seed) throws {
        var random = seed.generator
        let children = Self.randomChunks(20, &random).map { ManifestNode.Child(hash: $0.hash, size: UInt64($0.size)) }
        let node = ManifestNode(height: 1, children: children)
        for _ in 0..<200 {
            var bytes = node.encoded()
            for _ in 0...random.below(3) { bytes[random.below(bytes.count)] ^= 1 << random.below(8) }
            do throws(MalformedBytes) {
                let read = try ManifestNode(decoding: bytes, height: 1, size: node.size, isLast: true)
                #expect(read.encoded() == bytes)
            } catch {}
        }
    }
}
