import Foundation

/// How a client proves who it is.
public enum Credential: Sendable {
    case none
    /// A token as it is.
    case token(String)
    /// An API key, exchanged for a token at the node when one is needed.
    case key(String)
    /// Tokens made here, as the owner of a local node can.
    case made(@Sendable () async throws -> String)
}

/// Hands out a token that is still good. One exchange at a time, however many requests wait for it.
actor TokenSource {
    /// Exchanges an API key or a refresh token.
    typealias Exchange = @Sendable (TokenRequest) async throws -> TokenGrant

    private let credential: Credential
    private let exchange: Exchange
    private var token: String?
    private var refreshToken: String?
    private var renewal: ContinuousClock.Instant?
    private var running: Task<String, any Error>?

    init(_ credential: Credential, exchange: @escaping Exchange) {
        self.credential = credential
        self.exchange = exchange
    }

    /// The token to send now; nil where there is none to be had.
    func current() async throws -> String? {
        switch credential {
        case .none: return nil
        case .token(let token): return token
        case .made(let make):
            // Made tokens are cheap and may be short-lived.
            if let token, let renewal, renewal > .now { return token }
            let made = try await make()
            token = made
            renewal = .now + .seconds(20)
            return made
        case .key(let key):
            if let token, let renewal, renewal > .now { return token }
            return try await renew(key)
        }
    }

    /// Whether another try with a new token makes sense after the node refused this one.
    func forget(_ refused: String) -> Bool {
        switch credential {
        case .none, .token: return false
        case .key, .made:
            if token == refused { token = nil }
            return true
        }
    }

    private func renew(_ key: String) async throws -> String {
        if let running { return try await running.value }
        let task = Task { try await obtain(key) }
        running = task
        defer { running = nil }
        return try await task.value
    }

    private func obtain(_ key: String) async throws -> String {
        var grant: TokenGrant?
        if let refreshToken {
            self.refreshToken = nil
            // A refresh token that is dead is no reason to fail: the key is still here.
            grant = try? await exchange(.refresh(refreshToken))
        }
        let granted = if let grant { grant } else { try await exchange(.key(key)) }
        token = granted.token
        refreshToken = granted.refreshToken
        renewal = .now + .seconds(max(1, granted.expiresIn - max(5, granted.expiresIn / 10)))
        return granted.token
    }
}

/// What is exchanged for a token.
enum TokenRequest: Sendable {
    case key(String)
    case refresh(String)
}

/// The answer of `/auth/token` and `/auth/refresh`.
struct TokenGrant: Decodable, Sendable {
    var token: String
    /// Seconds.
    var expiresIn: Int
    var refreshToken: String?

    enum CodingKeys: String, CodingKey {
        case token
        case expiresIn = "expires_in"
        case refreshToken = "refresh_token"
    }
}
