import Content
import Crypto

/// A node's identity: an Ed25519 key pair (RFC 8032). The node's id is the hash of the public half.
public struct NodeKey: Sendable {
    private let key: Curve25519.Signing.PrivateKey

    /// A new identity.
    public init() {
        key = Curve25519.Signing.PrivateKey()
    }

    /// - Parameter rawBytes: the 32 bytes of the private key; nil if they are not one.
    public init?(rawBytes: [UInt8]) {
        guard let key = try? Curve25519.Signing.PrivateKey(rawRepresentation: rawBytes) else { return nil }
        self.key = key
    }

    /// The private key. Only for its file.
    public var rawBytes: [UInt8] { Array(key.rawRepresentation) }
    public var publicKey: [UInt8] { Array(key.publicKey.rawRepresentation) }
    public var id: NodeID { NodeID(publicKey: publicKey) }
}
