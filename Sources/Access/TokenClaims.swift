import Content

/// What a token says. Times are seconds since 1970.
public struct TokenClaims: Sendable, Codable, Equatable {
    public enum Kind: String, Sendable, Codable {
        /// For a person or a program; good on every member.
        case user
        /// From node to node, for the receiver that it names alone.
        case node
    }

    /// The node that signed it.
    public var iss: String
    /// A key's id, `owner`, or the node itself.
    public var sub: String
    /// The cluster's id for users, the receiver's for nodes.
    public var aud: String
    public var kind: Kind
    public var iat: Int64
    public var exp: Int64
    /// Makes every token different.
    public var jti: String
    /// The node whose key the holder of a user's token has shown to hold.
    public var node: String?

    public init(iss: String, sub: String, aud: String, kind: Kind, iat: Int64, exp: Int64, jti: String, node: String? = nil) {
        self.iss = iss
        self.sub = sub
        self.aud = aud
        self.kind = kind
        self.iat = iat
        self.exp = exp
        self.jti = jti
        self.node = node
    }

    /// The subject of a token that the data directory's owner made.
    public static let owner = "owner"
    /// How long a user's token is good: an hour.
    public static let userLifetime: Int64 = 3600
    /// How long a node's is.
    public static let nodeLifetime: Int64 = 60
    /// How far the issuer's clock may be ahead of the verifier's.
    public static let leeway: Int64 = 60
}
