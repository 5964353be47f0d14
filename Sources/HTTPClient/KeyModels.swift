import NIOHTTP1

/// What a key may do at the paths that a pattern matches.
public struct KeyRule: Codable, Sendable {
    public var path: String
    public var allow: [String]

    public init(path: String, allow: [String]) {
        self.path = path
        self.allow = allow
    }
}

/// An API key, without its secret.
public struct Key: Codable, Sendable {
    public var id: String
    public var label: String
    public var rules: [KeyRule]
    public var createdAt: String?
    public var expiresAt: String?

    enum CodingKeys: String, CodingKey {
        case id, label, rules
        case createdAt = "created_at"
        case expiresAt = "expires_at"
    }
}

/// A key to be made.
public struct NewKey: Encodable, Sendable {
    public var label: String
    public var rules: [KeyRule]
    /// Seconds.
    public var expiresIn: Int?

    public init(label: String, rules: [KeyRule], expiresIn: Int? = nil) {
        self.label = label
        self.rules = rules
        self.expiresIn = expiresIn
    }

    enum CodingKeys: String, CodingKey {
        case label, rules
        case expiresIn = "expires_in"
    }
}

/// A key as it was made: the secret is shown once.
public struct MadeKey: Codable, Sendable {
    public var apiKey: String
    public var id: String
    public var label: String
    public var rules: [KeyRule]
    public var expiresAt: String?

    enum CodingKeys: String, CodingKey {
        case id, label, rules
        case apiKey = "api_key"
        case expiresAt = "expires_at"
    }
}

extension PandoClient {
    /// The cluster's keys.
    public func keys<Item: Decodable & Sendable>(as type: Item.Type = Key.self) async throws -> [Item] {
        try await all("/auth/keys")
    }

    public func makeKey(_ key: NewKey) async throws -> MadeKey {
        try await document(.POST, "/auth/keys", body: key, isRepeatable: false)
    }

    /// Takes a key out of use.
    public func revokeKey(_ id: String) async throws {
        try await discard(try await send(.DELETE, "/auth/keys/" + PercentEncoding.component(id)))
    }
}
