import Crypto
import Foundation
import NIOCore
import SwiftASN1
import X509

/// A certificate that a node makes for itself. Its key is P-256, which browsers and curl take; that it is the node's, the node
/// says with its own key (`CertificateProof`).
struct SelfSignedCertificate {
    /// How long it is good: 397 days, which is what browsers let certificates live.
    static let lifetime: TimeInterval = 397 * 86_400
    /// It is made anew when less is left.
    static let renewal: TimeInterval = 30 * 86_400
    /// Good from before now, for clients whose clocks are behind.
    private static let allowance: TimeInterval = 30 * 86_400

    var certificatePEM: String
    var keyPEM: String

    /// - Parameters:
    ///   - name: what people see.
    ///   - hosts: the names and addresses that it is for.
    init(name: String, hosts: [String], now: Date = Date()) throws {
        let key = P256.Signing.PrivateKey()
        let subject = try DistinguishedName { CommonName(name) }
        let certificate = try Certificate(
            version: .v3, serialNumber: Certificate.SerialNumber(), publicKey: Certificate.PublicKey(key.publicKey),
            notValidBefore: now - SelfSignedCertificate.allowance, notValidAfter: now + SelfSignedCertificate.lifetime,
            issuer: subject, subject: subject, signatureAlgorithm: .ecdsaWithSHA256,
            extensions: try Certificate.Extensions {
                Critical(BasicConstraints.notCertificateAuthority)
                Critical(KeyUsage(digitalSignature: true))
                try ExtendedKeyUsage([.serverAuth])
                SubjectAlternativeNames(hosts.map(SelfSignedCertificate.generalName))
            },
            issuerPrivateKey: Certificate.PrivateKey(key))
        var serializer = DER.Serializer()
        try serializer.serialize(certificate)
        certificatePEM = PEMDocument(type: "CERTIFICATE", derBytes: serializer.serializedBytes).pemString + "\n"
        keyPEM = key.pemRepresentation + "\n"
    }

    private static func generalName(_ host: String) -> GeneralName {
        guard let address = try? SocketAddress(ipAddress: host, port: 0) else { return .dnsName(host) }
        // Where a `sockaddr_in` and a `sockaddr_in6` have their addresses, on every system.
        let place = address.protocol == .inet ? 4..<8 : 8..<24
        let bytes = address.withSockAddr { pointer, size in Array(UnsafeRawBufferPointer(start: pointer, count: size)[place]) }
        return .ipAddress(ASN1OctetString(contentBytes: bytes[...]))
    }

    /// The names and addresses that a certificate, DER-encoded, is for.
    static func hosts(of der: [UInt8]) throws -> Set<String> {
        let names = try Certificate(derEncoded: der).extensions.subjectAlternativeNames ?? SubjectAlternativeNames()
        return Set(names.compactMap { name in
            switch name {
            case .dnsName(let text): text
            case .ipAddress(let bytes):
                (try? SocketAddress(packedIPAddress: ByteBuffer(bytes: bytes.bytes), port: 0))?.ipAddress
            default: nil
            }
        })
    }
}
