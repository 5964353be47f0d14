import Content
import Objects
import TestSupport
import Testing

@Suite("Packed records")
struct PackedRecordsTests {
    /// Like records: paths that resemble each other, and hashes that do not.
    private func message(_ random: inout SplitMix64, count: Int) -> [UInt8] {
        (0..<count).flatMap { Array("/projects/film/shots/shot-\($0 / 100)/frame-\($0).exr image/x-exr ".utf8) + random.bytes(32) }
    }

    @Test("A message comes back, from pieces of any size, and is shorter meanwhile", arguments: Seed.several(10))
    func roundTrip(seed: Seed) throws {
        var random = seed.generator
        let bytes = message(&random, count: 1 + random.below(20_000))
        let packed = PackedRecords.pack(bytes)
        if bytes.count > 2000 { #expect(packed.count * 3 < bytes.count * 2) }
        #expect(try PackedRecords.unpack(packed, limit: bytes.count) == bytes)
        var reader = PackedRecordsReader()
        var read: [UInt8] = []
        var rest = packed[...]
        while !rest.isEmpty {
            let piece = rest.prefix(1 + random.below(100_000))
            rest = rest.dropFirst(piece.count)
            reader.add(Array(piece))
            while let block = try reader.next()?.bytes() {
                #expect(block.count <= PackedRecords.maximumBlock)
                read += block
            }
        }
        #expect(reader.isAtBlockEnd)
        #expect(read == bytes)
    }

    @Test("What does not compress, and nothing at all, come back as well")
    func incompressible() throws {
        var random = Seed(1).generator
        let bytes = random.bytes(3_000_000)
        #expect(try PackedRecords.unpack(PackedRecords.pack(bytes), limit: bytes.count) == bytes)
        #expect(PackedRecords.pack([]).isEmpty)
        #expect(try PackedRecords.unpack([], limit: 0) == [])
    }

    @Test("No more is made of a message than its reader takes, however many blocks it has")
    func bombs() throws {
        let zeros = PackedRecords.pack([UInt8](repeating: 0, count: 64 << 20))
        #expect(zeros.count < 64_000)
        #expect(throws: MalformedBytes.self) { try PackedRecords.unpack(zeros, limit: 8 << 20) }
        #expect(throws: MalformedBytes.self) { try PackedRecords.unpack(zeros, limit: (64 << 20) - 1) }
        // One that promises less than is in it, more than a block may have, or next to nothing.
        let block = PackedRecords.pack([UInt8](repeating: 7, count: 1000))
        for length in [0, 1, 999, 1001, PackedRecords.maximumBlock + 1, Int(UInt32.max)] {
            var lying = block
            for (index, shift) in [24, 16, 8, 0].enumerated() { lying[1 + index] = UInt8(length >> shift & 0xff) }
            #expect(throws: MalformedBytes.self) { try PackedRecords.unpack(lying, limit: 8 << 20) }
        }
    }

    @Test("What the receiver has is not sent once more, and only after the very same does the message come back", arguments: Seed.several(10))
    func prefixes(seed: Seed) throws {
        var random = seed.generator
        let known = message(&random, count: 200 + random.below(8000))
        let bytes = Array(known.suffix(1 + random.below(known.count)) + message(&random, count: 20))
        let recipe = random.bytes(random.below(100))
        let packed = PackedRecords.pack(bytes, after: PackedPrefix(recipe: recipe, bytes: known))
        #expect(packed.count < 2500 + bytes.count / 100)
        func unpack(_ packed: [UInt8], after prefix: [UInt8]) throws -> [UInt8] {
            try PackedRecords.unpack(packed, limit: bytes.count) { told in
                #expect(told == recipe)
                return prefix
            }
        }
        #expect(try unpack(packed, after: known) == bytes)
        var other = known
        other[known.count - 1 - random.below(min(bytes.count, known.count) / 2)] ^= 1
        for prefix in [[], other, Array(known.dropLast()), Array(known.dropFirst()), known + [0]] {
            // What the frame does not refer to may differ.
            do { #expect(try unpack(packed, after: prefix) == bytes) } catch is PrefixMismatch {}
        }
        #expect(throws: PrefixMismatch.self) { try unpack(packed, after: []) }
        #expect(throws: MalformedBytes.self) { try PackedRecords.unpack(packed, limit: bytes.count) }
        #expect(throws: MalformedBytes.self) { try unpack(Array(packed.dropLast()), after: known) }
        // A frame must say that it has a checksum.
        var bare = packed
        bare[9 + 2 + recipe.count + 4] &= ~4
        #expect(throws: MalformedBytes.self) { try unpack(bare, after: known) }
        // A frame that is damaged is one after another prefix, for all that anybody can tell.
        var damaged = packed
        damaged[packed.count - 1] ^= 1
        #expect(throws: PrefixMismatch.self) { try unpack(damaged, after: known) }
    }

    @Test("A prefix is looked through from its beginning to the end of the block, and is not taken where it does not help")
    func reach() throws {
        var random = Seed(1).generator
        let known = random.bytes(PackedRecords.maximumPrefix)
        // The last of it is two mebibytes from where it stands in the prefix.
        let again = Array(known.dropFirst(100_000) + known.prefix(100_000))
        let prefix = PackedPrefix(recipe: [1, 2, 3], bytes: known)
        let packed = PackedRecords.pack(again, after: prefix)
        #expect(packed.count < 2000)
        #expect(try PackedRecords.unpack(packed, limit: 1 << 20) { _ in known } == again)
        for (bytes, prefix) in [
            (random.bytes(10_000), prefix), (known + [0], prefix), ([1, 2], prefix), (known, PackedPrefix(recipe: [], bytes: known + [0])),
            (known, PackedPrefix(recipe: [UInt8](repeating: 0, count: PackedRecords.maximumRecipe + 1), bytes: known)),
        ] {
            #expect(PackedRecords.pack(bytes, after: prefix) == PackedRecords.pack(bytes))
        }
        // A recipe that is longer than what is stored.
        for stored: [UInt8] in [[1], [0, 1, 7], [0xff, 0xff, 7, 7], [0, 0]] {
            #expect(throws: MalformedBytes.self) {
                try PackedRecords.unpack([2, 0, 0, 1, 0, 0, 0, 0, UInt8(stored.count)] + stored, limit: 1 << 20) { _ in [] }
            }
        }
    }

    @Test("One that is cut off or damaged is refused, or is another message within the limit", arguments: Seed.several(20))
    func damage(seed: Seed) throws {
        var random = seed.generator
        let bytes = message(&random, count: 50)
        let packed = PackedRecords.pack(bytes)
        #expect(throws: MalformedBytes.self) { try PackedRecords.unpack(Array(packed.prefix(1 + random.below(packed.count - 1))), limit: 1 << 20) }
        #expect(throws: MalformedBytes.self) { try PackedRecords.unpack(packed + [0], limit: 1 << 20) }
        for _ in 0..<50 {
            var damaged = packed
            damaged[random.below(packed.count)] ^= UInt8(1 << random.below(8))
            if let other = try? PackedRecords.unpack(damaged, limit: 1 << 20) { #expect(other.count <= 1 << 20) }
        }
    }
}
