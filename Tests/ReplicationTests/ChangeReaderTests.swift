import Causality
import Content
import Merkle
import Replication
import TestSupport
import Testing

@Suite("Streams of changes")
struct ChangeReaderTests {
    static let root = ContentHash(sha256: "root".utf8)

    static func head(_ root: ContentHash = root) -> [UInt8] { root.withBytes { Array($0) } }

    static func changes(_ random: inout SplitMix64) -> [(path: TreePath, register: Register)] {
        var pool = RegisterPool(&random)
        return pool.registers(random.below(60), &random).sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
    }

    static func stream(_ changes: [(path: TreePath, register: Register)]) -> [UInt8] {
        head() + changes.flatMap { ChangeReader.record($0.path, $0.register) } + ChangeReader.end
    }

    /// Reads a stream in pieces.
    static func read(_ bytes: [UInt8], _ reader: inout ChangeReader, _ size: () -> Int) throws -> [(path: TreePath, register: Register)] {
        var result: [(path: TreePath, register: Register)] = []
        var rest = bytes[...]
        while !rest.isEmpty {
            let piece = rest.prefix(size())
            result += try reader.read(Array(piece))
            rest = rest.dropFirst(piece.count)
        }
        return result
    }

    @Test("What was sent is read, whatever the pieces", arguments: Seed.several(30))
    func roundTrip(seed: Seed) throws {
        var random = seed.generator
        let changes = Self.changes(&random)
        let bytes = Self.stream(changes)
        for limit in [1, 7, 1000, bytes.count] {
            var reader = ChangeReader()
            let read = try Self.read(bytes, &reader) { 1 + random.below(limit) }
            #expect(read.map(\.path) == changes.map(\.path))
            #expect(read.map(\.register) == changes.map(\.register))
            #expect(reader.root == Self.root)
            #expect(reader.isAtEnd)
        }
    }

    @Test("A stream that was cut off is not at its end", arguments: Seed.several(5))
    func truncation(seed: Seed) throws {
        var random = seed.generator
        let changes = Self.changes(&random)
        let bytes = Self.stream(changes)
        for count in stride(from: random.below(9), to: bytes.count, by: bytes.count / 60 + 1) {
            var reader = ChangeReader()
            let read = try reader.read(Array(bytes[..<count]))
            #expect(!reader.isAtEnd)
            #expect(zip(read, changes).allSatisfy { $0.path == $1.path && $0.register == $1.register })
        }
    }

    @Test("Streams that break the format")
    func refused() throws {
        let register = Register.written(.file("x"))
        let (a, b) = (try TreePath("/a"), try TreePath("/b"))
        func record(_ path: String, _ register: [UInt8] = register.encoded) -> [UInt8] {
            var encoder = CanonicalEncoder()
            encoder.write(path)
            encoder.write(raw: register)
            var framed = CanonicalEncoder()
            framed.write(encoder.bytes)
            return framed.bytes
        }
        #expect(record("/a") == ChangeReader.record(a, register))
        let good = Self.stream([(a, register)])
        let streams: [(String, [UInt8])] = [
            ("bytes behind the end", good + [1]), ("a second end", good + [0]),
            ("out of order", Self.stream([(b, register), (a, register)])), ("a path twice", Self.stream([(a, register), (a, register)])),
            ("the root", Self.head() + record("/") + [0]), ("no slash", Self.head() + record("a") + [0]),
            ("a path's other spelling", Self.head() + record("/a/") + [0]), ("a name of two dots", Self.head() + record("/..") + [0]),
            ("not in form C", Self.head() + record("/e\u{301}") + [0]),
            ("no register", Self.head() + record("/a", []) + [0]), ("half a register", Self.head() + record("/a", register.encoded.dropLast()) + [0]),
            ("bytes behind the register", Self.head() + record("/a", register.encoded + [0]) + [0]),
            ("too long", Self.head() + [0x81, 0x80, 0x80, 0x01]), ("a length without end", Self.head() + [UInt8](repeating: 0xff, count: 20)),
            ("a length not in its shortest form", Self.head() + [0x80, 0x00]),
        ]
        for (name, bytes) in streams {
            for size in [1, bytes.count] {
                var reader = ChangeReader()
                #expect(throws: (any Error).self, "\(name)") { _ = try Self.read(bytes, &reader) { size } }
            }
        }
    }

    @Test("A record of the most bytes is waited for, and no longer one")
    func longest() throws {
        var encoder = CanonicalEncoder()
        encoder.write(ChangeReader.maximumRecordSize)
        var reader = ChangeReader()
        #expect(try reader.read(Self.head() + encoder.bytes).isEmpty)
        encoder = CanonicalEncoder()
        encoder.write(ChangeReader.maximumRecordSize + 1)
        var other = ChangeReader()
        #expect(throws: MalformedBytes.self) { try other.read(Self.head() + encoder.bytes) }
    }

    @Test("Any bytes end in an error or in changes, never in a trap", arguments: Seed.several(100))
    func garbage(seed: Seed) throws {
        var random = seed.generator
        var bytes = Self.stream(Self.changes(&random))
        for _ in 0..<1 + random.below(4) { bytes[random.below(bytes.count)] = UInt8(random.below(256)) }
        var reader = ChangeReader()
        do {
            let read = try Self.read(bytes, &reader) { 1 + random.below(50) }
            #expect(read.map(\.path) == read.map(\.path).sorted())
        } catch {
            #expect(error is MalformedBytes || error is InvalidPath, "\(error)")
        }
    }
}
