/// Who a node is: SHA-256 of its Ed25519 public key.
public struct NodeID: Hashable, Comparable, Sendable, CustomStringConvertible, LosslessStringConvertible {
    public let hash: ContentHash

    public init(_ hash: ContentHash) {
        self.hash = hash
    }

    /// - Parameter publicKey: the 32 bytes of an Ed25519 public key (RFC 8032).
    public init(publicKey: some Sequence<UInt8>) {
        hash = ContentHash(sha256: publicKey)
    }

    public init?(_ description: String) {
        guard let hash = ContentHash(description) else { return nil }
        self.hash = hash
    }

    public var description: String { hash.description }

    /// The first 12 digits, for people.
    public var short: String { String(description.prefix(12)) }

    public static func < (left: NodeID, right: NodeID) -> Bool { left.hash < right.hash }
}
