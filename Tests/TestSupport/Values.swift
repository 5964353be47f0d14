import Causality
import Content

extension Actor {
    /// A node that is known by a number.
    public static func numbered(_ number: Int, incarnation: UInt32 = 0) -> Actor {
        Actor(node: NodeID(ContentHash(sha256: "node \(number)".utf8)), incarnation: incarnation)
    }
}

extension Value {
    /// A file that holds this text.
    public static func file(_ text: String, isExecutable: Bool = false, modifiedAt: Int64 = 0) -> Value {
        let bytes = Array(text.utf8)
        let content = FileContent(root: ContentHash(of: .chunk, bytes), height: 0, size: UInt64(bytes.count))
        return .file(FileValue(content: content, mediaType: "text/plain", isExecutable: isExecutable, modifiedAt: modifiedAt))
    }

    /// One of few contents, so that equal ones meet, with one of many times.
    public static func random(_ random: inout SplitMix64) -> Value {
        switch random.below(10) {
        case 0, 1: .tombstone
        case 2: .directory
        case 3: .symlink(target: random.pick(["../a", "b"]))
        default:
            .file(random.pick(["", "a", "bb"]), isExecutable: random.once(in: 8), modifiedAt: Int64(random.below(1000)) - 500)
        }
    }
}

extension Register {
    /// The register of one write.
    public static func written(_ value: Value, by actor: Int = 0, microseconds: UInt64 = 1_700_000_000_000_000) -> Register {
        Register(Version(
            dot: Dot(timestamp: Timestamp(microseconds: microseconds), actor: .numbered(actor)), past: VersionVector(), value: value))
    }

    public var encoded: [UInt8] {
        var encoder = CanonicalEncoder()
        encode(to: &encoder)
        return encoder.bytes
    }
}
