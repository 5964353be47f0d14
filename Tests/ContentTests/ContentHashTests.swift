import Content
import TestSupport
import Testing

@Suite("Content hash")
struct ContentHashTests {
    // Of the tag and "pando"; reckoned with another implementation of SHA-256 (Python's hashlib).
    @Test(arguments: [
        (ObjectKind.chunk, "f007f00bfa6fe2fe290e988bbec261ba1451397b5e0130687f13398e7f49fa7f"),
        (.manifest, "828aefc49575be1a638c38cd343a4167f42c0aa8f93fd9ca1a105461103d50c4"),
        (.tree, "9dc9977cb73685ca24a5f895dbfd46cc4eb8ece5537e4b852a8e71a104eb5340"),
        (.commit, "27808f530b6236064e483575c320a5dfae12513f99555bc3982f27346539b3f0"),
        (.attributes, "4f2562fa9912e8d16cccbb3692f1b3bd045c497bdbb035c2bbd6bc2d8da1d14a"),
    ])
    func goldenValue(kind: ObjectKind, digits: String) {
        #expect(ContentHash(of: kind, Array("pando".utf8)).description == digits)
    }

    @Test("Every kind has a golden value")
    func allKinds() {
        #expect(ObjectKind.allCases.map(\.rawValue) == [1, 2, 3, 4, 5])
    }

    @Test func emptyChunk() {
        let digits = "4bf5122f344554c53bde2ebb8cd2b7e3d1600ad631c385a5d7cce23c7785459a"
        #expect(FileContent.empty == FileContent(root: ContentHash(digits)!, height: 0, size: 0))
    }

    @Test("Hashing in pieces gives the hash of the whole", arguments: Seed.several(5))
    func pieces(seed: Seed) {
        var random = seed.generator
        let bytes = random.bytes(5000)
        var hasher = ContentHasher(.chunk)
        var start = 0
        while start < bytes.count {
            let end = min(bytes.count, start + random.below(700))
            bytes[start..<end].withUnsafeBytes { hasher.update($0) }
            start = end
        }
        #expect(hasher.finish() == ContentHash(of: .chunk, bytes))
    }

    @Test("Several hashed together have the hashes that each has alone", arguments: Seed.several(5))
    func several(seed: Seed) {
        var random = seed.generator
        // All lengths about the ends of blocks, and long ones beside short ones.
        var objects = (0...260).map { random.bytes($0) } + (0..<6).map { _ in random.bytes(random.below(70_000)) }
        objects.shuffle(using: &random)
        for count in [0, 1, 2, 3, objects.count] {
            let kinds = (0..<count).map { _ in ObjectKind.allCases[random.below(ObjectKind.allCases.count)] }
            let hashes = withExtendedLifetime(objects) {
                ContentHash.several(of: zip(kinds, objects).map { ($0, $1.withUnsafeBytes { $0 }) })
            }
            #expect(hashes == zip(kinds, objects).map { ContentHash(of: $0, $1) })
        }
    }

    @Test(arguments: Seed.several(5))
    func hexRoundTrip(seed: Seed) {
        var random = seed.generator
        for _ in 0..<50 {
            let bytes = random.bytes(32)
            let hash = bytes.withUnsafeBytes { ContentHash($0) }
            #expect(hash.withBytes { Array($0) } == bytes)
            #expect(ContentHash(hash.description) == hash)
            #expect(hash.description == bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined())
        }
    }

    @Test func hexRefusals() {
        let digits = ContentHash(of: .chunk, []).description
        #expect(ContentHash(digits) != nil)
        #expect(ContentHash(digits.uppercased()) == nil)
        #expect(ContentHash(String(digits.dropLast())) == nil)
        #expect(ContentHash(digits + "0") == nil)
        #expect(ContentHash("") == nil)
        #expect(ContentHash(" " + digits.dropFirst()) == nil)
        #expect(ContentHash("g" + digits.dropFirst()) == nil)
        // Two bytes of UTF-8 where two digits stood.
        #expect(ContentHash("é" + digits.dropFirst(2)) == nil)
    }

    @Test("The order is that of the bytes", arguments: Seed.several(5))
    func order(seed: Seed) {
        var random = seed.generator
        for _ in 0..<200 {
            var left = random.bytes(32)
            var right = left
            // A difference anywhere, often in a late word.
            right[random.below(32)] = UInt8(random.below(256))
            if random.once(in: 2) { swap(&left, &right) }
            let (first, second) = (left.withUnsafeBytes { ContentHash($0) }, right.withUnsafeBytes { ContentHash($0) })
            #expect((first < second) == left.lexicographicallyPrecedes(right))
            #expect((first == second) == (left == right))
        }
    }
}
