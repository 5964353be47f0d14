@testable import Causality
import Content
import TestSupport
import Testing

@Suite("The bytes of a register")
struct RegisterEncodingTests {
    static func decoded(_ bytes: [UInt8]) throws -> Register {
        var decoder = CanonicalDecoder(bytes)
        let register = try Register(from: &decoder)
        try decoder.finish()
        return register
    }

    @Test("Golden bytes of a file's first version, put together by another implementation")
    func golden() {
        let actor = Actor(node: NodeID(ContentHash(sha256: "node".utf8)))
        let value = Value.file("hello", modifiedAt: 1_700_000_000_000_000_000)
        let dot = Dot(timestamp: Timestamp(microseconds: 1_700_000_000_000_000), actor: actor)
        let bytes = Register(Version(dot: dot, past: VersionVector(), value: value)).encoded
        #expect(bytes.count == 100)
        #expect(ContentHash(sha256: bytes).description == "95f11d924e80e6c6df888ee3a6b481b9c5e6fba275896336c041bda7f31692a9")
    }

    @Test(arguments: Seed.several(20))
    func roundTrip(seed: Seed) throws {
        var random = seed.generator
        for state in ReplicaGroup.states(steps: 60, &random) {
            let bytes = state.register.encoded
            #expect(try Self.decoded(bytes) == state.register)
            #expect(try Self.decoded(bytes).encoded == bytes)
        }
    }

    @Test("Bytes cut off anywhere, or with more behind, are refused", arguments: Seed.several(3))
    func truncation(seed: Seed) {
        var random = seed.generator
        for state in ReplicaGroup.states(steps: 15, &random) {
            let bytes = state.register.encoded
            for count in 0..<bytes.count {
                #expect(throws: MalformedBytes.self) { try Self.decoded(Array(bytes[..<count])) }
            }
            #expect(throws: MalformedBytes.self) { try Self.decoded(bytes + [0]) }
        }
    }

    @Test("Flipped bits give an error or another register in its only encoding", arguments: Seed.several(10))
    func flippedBits(seed: Seed) {
        var random = seed.generator
        let states = ReplicaGroup.states(steps: 40, &random)
        for _ in 0..<300 {
            var bytes = random.pick(states).register.encoded
            for _ in 0...random.below(2) { bytes[random.below(bytes.count)] ^= 1 << random.below(8) }
            if let register = try? Self.decoded(bytes) { #expect(register.encoded == bytes) }
        }
    }

    @Test("A lone version is told by scanning as by decoding", arguments: Seed.several(20))
    func scan(seed: Seed) throws {
        var random = seed.generator
        for register in ReplicaGroup.states(steps: 60, &random).map(\.register) {
            var decoder = CanonicalDecoder(register.encoded)
            let scanned = try Register.scanLoneVersion(from: &decoder)
            guard register.versions.count == 1 else {
                #expect(scanned == nil)
                continue
            }
            switch (register.versions[0].value, scanned) {
            case (.tombstone, .tombstone), (.directory, .directory), (.symlink, .symlink): break
            case (.file(let file), .file(let size)): #expect(file.content.size == size)
            case (let value, let scanned): Issue.record("\(value) scanned as \(String(describing: scanned))")
            }
        }
    }

    // MARK: - Strictness

    static func dot(_ timestamp: UInt64, _ actor: Int) -> Dot {
        Dot(timestamp: Timestamp(rawValue: timestamp), actor: .numbered(actor))
    }

    static func bytes(_ versions: [Version], form: UInt8 = 0, context: VersionVector? = nil) -> [UInt8] {
        var encoder = CanonicalEncoder()
        encoder.write(versions.count)
        for version in versions { version.encode(to: &encoder) }
        encoder.write(byte: form)
        context?.encode(to: &encoder)
        return encoder.bytes
    }

    func expectRefusal(_ bytes: [UInt8], _ reason: String) {
        #expect { try Self.decoded(bytes) } throws: { "\($0)".contains(reason) }
    }

    @Test func refusedRegisters() throws {
        let one = Version(dot: Self.dot(5, 0), past: VersionVector(), value: .tombstone)
        let two = Version(dot: Self.dot(6, 1), past: VersionVector(), value: .directory)
        #expect(try Self.decoded(Self.bytes([one, two])).versions == [one, two])
        expectRefusal(Self.bytes([]), "without versions")
        expectRefusal(Self.bytes([two, one]), "out of order")
        expectRefusal(Self.bytes([one, one]), "out of order")
        expectRefusal(Self.bytes([one], form: 2), "unknown form")
        // A context that says nothing new, and ones that forget a version or part of a past.
        let implied = VersionVector([one.dot])
        expectRefusal(Self.bytes([one], form: 1, context: implied), "contradict")
        expectRefusal(Self.bytes([one], form: 1, context: VersionVector([Self.dot(4, 0), Self.dot(9, 1)])), "contradict")
        expectRefusal(Self.bytes([one], form: 1, context: VersionVector()), "contradict")
        let later = Version(dot: Self.dot(7, 0), past: VersionVector([Self.dot(3, 1)]), value: .tombstone)
        expectRefusal(Self.bytes([later], form: 1, context: VersionVector([later.dot, Self.dot(2, 1)])), "contradict")
        let wider = VersionVector([later.dot, Self.dot(4, 1)])
        #expect(try Self.decoded(Self.bytes([later], form: 1, context: wider)).context == wider)
        let own = Version(dot: Self.dot(5, 0), past: VersionVector([Self.dot(5, 0)]), value: .tombstone)
        expectRefusal(Self.bytes([own]), "its own past")
        var tooMany = CanonicalEncoder()
        tooMany.write(Register.maximumVersions + 1)
        expectRefusal(tooMany.bytes, "over the limit")
    }

    @Test("Timestamps from which a clock could not go on are refused", arguments: [0, Timestamp.latestAllowed.rawValue + 1, .max] as [UInt64])
    func refusedTimestamps(timestamp: UInt64) {
        expectRefusal(Self.bytes([Version(dot: Self.dot(timestamp, 0), past: VersionVector(), value: .tombstone)]), "timestamp out of range")
        let past = VersionVector([Self.dot(timestamp, 1)])
        expectRefusal(Self.bytes([Version(dot: Self.dot(1, 0), past: past, value: .tombstone)]), "timestamp out of range")
    }

    @Test func refusedActors() {
        func bytes(incarnation: UInt64, actors: [Int]) -> [UInt8] {
            var encoder = CanonicalEncoder()
            encoder.write(1)
            encoder.write(UInt64(9))
            encoder.write(Actor.numbered(0).node.hash)
            encoder.write(incarnation)
            encoder.write(actors.count)
            for actor in actors {
                encoder.write(Actor.numbered(actor))
                encoder.write(UInt64(1))
            }
            encoder.write(byte: 0)
            encoder.write(byte: 0)
            return encoder.bytes
        }
        let (low, high) = Actor.numbered(1) < .numbered(2) ? (1, 2) : (2, 1)
        #expect(throws: Never.self) { try Self.decoded(bytes(incarnation: UInt64(UInt32.max), actors: [low, high])) }
        expectRefusal(bytes(incarnation: 1 << 32, actors: []), "incarnation")
        expectRefusal(bytes(incarnation: 0, actors: [high, low]), "vector out of order")
        expectRefusal(bytes(incarnation: 0, actors: [low, low]), "vector out of order")
    }

    @Test func refusedValues() throws {
        func bytes(_ value: Value, tag: UInt8? = nil) -> [UInt8] {
            var bytes = Self.bytes([Version(dot: Self.dot(1, 0), past: VersionVector(), value: value)])
            // One count, one byte of time, an actor of 33 bytes and an empty past stand before the tag.
            if let tag { bytes[36] = tag }
            return bytes
        }
        #expect(try Self.decoded(bytes(.tombstone, tag: 1)).winner.value == .directory)
        for tag: UInt8 in [4, 0x0f, 0x10, 0x11, 0x12, 0x20, 0x80] { expectRefusal(bytes(.tombstone, tag: tag), "unknown kind \(tag)") }
        for tag: UInt8 in [0x43, 0x83, 0x07] { expectRefusal(bytes(.file("x"), tag: tag), "unknown kind") }
        let long = String(repeating: "x", count: 4097)
        #expect(try Self.decoded(bytes(.symlink(target: String(long.dropLast())))).versions.count == 1)
        expectRefusal(bytes(.symlink(target: long)), "over the limit")
        func file(height: Int, size: UInt64, mediaType: String = "") -> Value {
            .file(FileValue(content: FileContent(root: .zero, height: height, size: size), mediaType: mediaType, modifiedAt: 0))
        }
        expectRefusal(bytes(file(height: 0, size: 1 << 20 | 1)), "file of one chunk")
        #expect(try Self.decoded(bytes(file(height: 1, size: 1 << 20 | 1))).versions.count == 1)
        expectRefusal(bytes(file(height: 17, size: 1)), "over the limit")
        expectRefusal(bytes(file(height: 0, size: 1, mediaType: String(repeating: "x", count: 256))), "over the limit")
    }
}
