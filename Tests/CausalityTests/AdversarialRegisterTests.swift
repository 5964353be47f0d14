@testable import Causality
import Content
import TestSupport
import Testing

/// Registers that no honest history leads to, as a hostile node may send them.
@Suite("Registers of liars")
struct AdversarialRegisterTests {
    /// Well-formed bytes with dots, pasts and contexts at random, from so few of each that they clash.
    static func random(_ random: inout SplitMix64) -> [UInt8] {
        func dot(_ random: inout SplitMix64) -> Dot {
            Dot(
                timestamp: Timestamp(rawValue: UInt64(1 + random.below(6))),
                actor: .numbered(random.below(3), incarnation: UInt32(random.below(2))))
        }
        func vector(_ random: inout SplitMix64) -> VersionVector {
            VersionVector((0..<random.below(4)).map { _ in dot(&random) })
        }
        let values: [Value] = [
            // Equal as strings, unequal as bytes.
            .symlink(target: "\u{e9}"), .symlink(target: "e\u{301}"),
            .file(FileValue(content: .empty, mediaType: "\u{e9}", modifiedAt: 0)),
            .file(FileValue(content: .empty, mediaType: "e\u{301}", modifiedAt: 0)),
            .random(&random), .tombstone, .directory,
        ]
        var versions: [Version] = []
        for dot in Set((0...random.below(4)).map { _ in dot(&random) }).sorted() {
            var past = vector(&random)
            while past.covers(dot) { past = vector(&random) }
            versions.append(Version(dot: dot, past: past, value: random.pick(values)))
        }
        var implied = VersionVector()
        for version in versions {
            implied.merge(version.past)
            implied.insert(version.dot)
        }
        let context = implied.merged(with: vector(&random))
        var encoder = CanonicalEncoder()
        encoder.write(versions.count)
        for version in versions { version.encode(to: &encoder) }
        encoder.write(byte: context == implied ? 0 : 1)
        if context != implied { context.encode(to: &encoder) }
        return encoder.bytes
    }

    static func decoded(_ bytes: [UInt8]) throws -> Register {
        var decoder = CanonicalDecoder(bytes)
        let register = try Register(from: &decoder)
        try decoder.finish()
        return register
    }

    @Test("Joining them is commutative and idempotent to the byte, and yields registers", arguments: Seed.several(40))
    func join(seed: Seed) throws {
        var random = seed.generator
        for _ in 0..<100 {
            let (a, b) = (try Self.decoded(Self.random(&random)), try Self.decoded(Self.random(&random)))
            let joined = a.joined(with: b)
            #expect(joined.encoded == b.joined(with: a).encoded)
            #expect(a.joined(with: a).encoded == a.encoded)
            #expect(joined.joined(with: joined).encoded == joined.encoded)
            #expect(try Self.decoded(joined.encoded) == joined)
            #expect(joined.context.covers(a.context) && joined.context.covers(b.context))
        }
    }

    @Test("Two writes under one dot: all nodes keep the same one")
    func twins() throws {
        let left = Register.written(.symlink(target: "\u{e9}"))
        let right = Register.written(.symlink(target: "e\u{301}"))
        #expect(left.joined(with: right).encoded == right.joined(with: left).encoded)
    }

    @Test("Rules and writes hold on them too", arguments: Seed.several(20))
    func rules(seed: Seed) throws {
        var random = seed.generator
        for _ in 0..<100 {
            let register = try Self.decoded(Self.random(&random))
            let winner = register.winner
            #expect(register.versions.contains(winner))
            #expect(!register.losers.contains { $0.dot == winner.dot })
            let dot = Dot(timestamp: Timestamp(rawValue: 7), actor: .numbered(0))
            #expect(register.resolving(to: .directory, at: dot).versions.map(\.dot) == [dot])
            #expect(register.writing(.tombstone, at: dot).winner.dot == dot)
        }
    }
}
