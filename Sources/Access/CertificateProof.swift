import Content

/// A node's word that a TLS certificate is its own: with it, whoever knows the node's id needs no authority to believe the
/// other end of a TLS connection.
///
/// The word holds for one certificate. Somebody in between can pass it on, but not with a certificate whose key they have.
public struct CertificateProof: Hashable, Sendable {
    /// SHA-256 of the certificate, DER-encoded: what browsers and `openssl x509 -fingerprint` show too.
    public var fingerprint: ContentHash
    /// The node's Ed25519 signature over the fingerprint.
    public var signature: [UInt8]

    public init(fingerprint: ContentHash, signature: [UInt8]) {
        self.fingerprint = fingerprint
        self.signature = signature
    }

    /// - Parameter certificate: DER-encoded.
    public static func fingerprint(of certificate: [UInt8]) -> ContentHash { ContentHash(sha256: certificate) }

    fileprivate static func message(_ fingerprint: ContentHash, node: NodeID) -> [UInt8] {
        Array("pando certificate\n\(fingerprint)\n\(node)".utf8)
    }

    /// Whether the holder of a public key gave its word for the certificate.
    /// - Parameter certificate: as the connection showed it, DER-encoded.
    public func holds(for certificate: [UInt8], publicKey: [UInt8]) -> Bool {
        let shown = CertificateProof.fingerprint(of: certificate)
        return shown == fingerprint
            && NodeKey.isValid(signature, for: CertificateProof.message(shown, node: NodeID(publicKey: publicKey)), publicKey: publicKey)
    }
}

extension NodeKey {
    /// Gives the node's word for a certificate, DER-encoded.
    public func proof(of certificate: [UInt8]) throws -> CertificateProof {
        let fingerprint = CertificateProof.fingerprint(of: certificate)
        return CertificateProof(
            fingerprint: fingerprint, signature: try signature(for: CertificateProof.message(fingerprint, node: id)))
    }
}
