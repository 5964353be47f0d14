import Access
import Content
import Crypto
import Foundation
import JWTKit

extension TokenClaims: JWTPayload {
    /// Times and names are checked by whoever knows what to expect; JWTKit checks the signature.
    public func verify(using algorithm: some JWTAlgorithm) throws {}
}

/// Signs and checks tokens: JWTs (RFC 7519) with EdDSA (RFC 8037) and nothing else.
public enum Tokens {
    /// A token longer than this is none of ours.
    static let maximumLength = 2048

    public static func sign(_ claims: TokenClaims, with key: NodeKey) async throws -> String {
        let keys = JWTKeyCollection()
        await keys.add(eddsa: EdDSA.PrivateKey(backing: key.signingKey))
        return try await keys.sign(claims)
    }

    /// The claims of a token whose issuer's public key is known and whose signature is right; nil for any other.
    ///
    /// - Parameter publicKey: of a node id, its 32 bytes.
    static func verify(_ token: String, publicKey: (NodeID) -> [UInt8]?) async -> TokenClaims? {
        guard let issuer = unverifiedIssuer(of: token),
            let bytes = publicKey(issuer), let key = try? Curve25519.Signing.PublicKey(rawRepresentation: bytes)
        else { return nil }
        let keys = JWTKeyCollection()
        // The only key, so that whatever the header names, this one must have signed.
        await keys.add(eddsa: EdDSA.PublicKey(backing: key))
        guard let claims = try? await keys.verify(token, as: TokenClaims.self), claims.iss == issuer.description else { return nil }
        return claims
    }

    /// A token for the owner of a data directory.
    public static func owner(_ key: NodeKey, directory: String) async throws -> String {
        // The node goes by its own clock, whatever the wall clock says.
        let seconds = Int64(Date().timeIntervalSince1970) + NodeClock.storedCorrection(directory: directory) / 1_000_000
        return try await sign(
            TokenClaims(
                iss: key.id.description, sub: TokenClaims.owner, aud: key.id.description, kind: .user, iat: seconds,
                exp: seconds + TokenClaims.userLifetime, jti: UUID().uuidString),
            with: key)
    }

    /// Who a token says has signed it.
    static func unverifiedIssuer(of token: String) -> NodeID? {
        guard token.utf8.count <= maximumLength else { return nil }
        let parts = token.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 3 else { return nil }
        var text = parts[1].replacingOccurrences(of: "-", with: "+").replacingOccurrences(of: "_", with: "/")
        text += String(repeating: "=", count: (4 - text.count % 4) % 4)
        struct Issuer: Decodable { var iss: String }
        guard let data = Data(base64Encoded: text), let issuer = try? JSONDecoder().decode(Issuer.self, from: data) else { return nil }
        return NodeID(issuer.iss)
    }
}
