import Access
import Content
import Crypto
import Foundation
import JWTKit

extension TokenClaims: JWTPayload {
    /// Times and names are checked by whoever knows what to expect; JWTKit checks the signature.
    public func verify(using algorithm: some JWTAlgorithm) throws {}
}

/// Signs and checks tokens: JWTs (RFC 7519) with EdDSA (RFC 8037) and nothing else. They are checked without JWTKit, which reads each
/// several times: that takes as long as the signature.
public enum Tokens {
    public static func sign(_ claims: TokenClaims, with key: NodeKey) async throws -> String {
        let keys = JWTKeyCollection()
        await keys.add(eddsa: EdDSA.PrivateKey(backing: key.signingKey))
        return try await keys.sign(claims)
    }

    /// The claims of a token whose issuer's public key is known and whose signature is right; nil for any other.
    ///
    /// - Parameter publicKey: of a node id, its 32 bytes.
    static func verify(_ token: SignedToken, publicKey: (NodeID) -> [UInt8]?) -> TokenClaims? {
        guard let issuer = token.issuer, let bytes = publicKey(issuer),
            let key = try? Curve25519.Signing.PublicKey(rawRepresentation: bytes), key.isValidSignature(token.signature, for: token.signed)
        else { return nil }
        return token.claims
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
}

/// A token taken apart: a JWS in its compact form (RFC 7515, section 7.1). Nothing that it says is true before its signature is checked.
struct SignedToken {
    /// A token longer than this is none of ours.
    static let maximumLength = 2048

    let claims: TokenClaims
    /// What the signature is for.
    let signed: [UInt8]
    let signature: [UInt8]

    private struct Header: Decodable {
        var alg: String
        /// What a verifier has to understand; there is nothing that this one does.
        var crit: [String]?
    }

    /// The header of this program's own tokens, which needs no reading.
    private static let ownHeader = Array(#"{"alg":"EdDSA","typ":"JWT"}"#.utf8)

    /// - Returns: nil for a text that is no token, or one of another algorithm than EdDSA.
    init?(_ text: String) {
        let bytes = Array(text.utf8)
        guard bytes.count <= SignedToken.maximumLength else { return nil }
        let parts = bytes.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        guard parts.count == 3, let head = [UInt8](base64URL: parts[0]), let payload = [UInt8](base64URL: parts[1]),
            let signature = [UInt8](base64URL: parts[2])
        else { return nil }
        if head != SignedToken.ownHeader {
            guard let header = try? JSONDecoder().decode(Header.self, from: Data(head)), header.alg == "EdDSA", header.crit == nil else { return nil }
        }
        guard let claims = try? JSONDecoder().decode(TokenClaims.self, from: Data(payload)) else { return nil }
        self.claims = claims
        self.signature = signature
        signed = Array(bytes[..<parts[1].endIndex])
    }

    /// Who it says has signed it.
    var issuer: NodeID? { NodeID(claims.iss) }
}

extension [UInt8] {
    /// Reads base64url without padding (RFC 4648, section 5), in its only form; nil for anything else.
    init?(base64URL text: ArraySlice<UInt8>) {
        self = []
        reserveCapacity(text.count * 3 / 4)
        var bits: UInt32 = 0
        var count = 0
        for digit in text {
            let value: UInt8
            switch digit {
            case UInt8(ascii: "A")...UInt8(ascii: "Z"): value = digit - UInt8(ascii: "A")
            case UInt8(ascii: "a")...UInt8(ascii: "z"): value = digit - UInt8(ascii: "a") + 26
            case UInt8(ascii: "0")...UInt8(ascii: "9"): value = digit - UInt8(ascii: "0") + 52
            case UInt8(ascii: "-"): value = 62
            case UInt8(ascii: "_"): value = 63
            default: return nil
            }
            bits = bits << 6 | UInt32(value)
            count += 6
            if count >= 8 {
                count -= 8
                append(UInt8(truncatingIfNeeded: bits >> UInt32(count)))
            }
        }
        // A digit of which no bit is used, or bits that are not used and set.
        guard count < 6, bits & (1 << UInt32(count) - 1) == 0 else { return nil }
    }
}
