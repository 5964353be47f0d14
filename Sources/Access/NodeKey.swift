import Content
import Crypto

/// A node's identity: an Ed25519 key pair (RFC 8032). The node's id is the hash of the public half.
public struct NodeKey: Sendable {
    /// For signing.
    public let signingKey: Curve25519.Signing.PrivateKey

    /// How many random bytes make a key.
    public static let byteCount = 32

    /// A new identity.
    public init() {
        signingKey = Curve25519.Signing.PrivateKey()
    }

    /// - Parameter rawBytes: the 32 bytes of the private key; nil if they are not one.
    public init?(rawBytes: [UInt8]) {
        guard let key = try? Curve25519.Signing.PrivateKey(rawRepresentation: rawBytes) else { return nil }
        signingKey = key
    }

    /// The private key. Only for its file.
    public var rawBytes: [UInt8] { Array(signingKey.rawRepresentation) }
    public var publicKey: [UInt8] { Array(signingKey.publicKey.rawRepresentation) }
    public var id: NodeID { NodeID(publicKey: publicKey) }
}

extension NodeKey {
    /// Signs bytes: 64 bytes.
    public func signature(for bytes: [UInt8]) throws -> [UInt8] {
        Array(try signingKey.signature(for: bytes))
    }

    /// Whether the holder of a public key signed the bytes.
    public static func isValid(_ signature: [UInt8], for bytes: [UInt8], publicKey: [UInt8]) -> Bool {
        guard let key = try? Curve25519.Signing.PublicKey(rawRepresentation: publicKey) else { return false }
        return key.isValidSignature(signature, for: bytes)
    }
}
