import Access
import Content
import Foundation
import Platform

/// A browser's session: what its cookie holds, which no script reads. It gives tokens for as long as it is good, also after a
/// restart of the node; it ends before its time with the logout, and with its key.
public struct BrowserSession: Sendable {
    public var secret: String
    public var expiresAt: Date
}

/// A token that a session gave.
public struct SessionToken: Sendable {
    public var token: String
    public var expiresAt: Date
    /// The key's id, or `owner`. Tabs share a session, so that one can find another's holder in its place.
    public var holder: String
}

extension Node {
    /// How long a session is good that was begun with an API key. A week: who comes to work each day logs in on Mondays.
    private static let sessionLifetime: TimeInterval = 7 * 24 * 3600

    /// - Throws: `NodeError(.unauthorized)` for a key that is none; `tooManyRequests` after too many of those.
    public func beginSession(apiKey: String, client: String) async throws -> BrowserSession {
        let now = clock.date
        let key = try checkedKey(apiKey, try cluster(), client: client, now: now)
        let end = now.addingTimeInterval(Node.sessionLifetime)
        return try await begin(key.id, until: key.expiresAt.map { min($0, end) } ?? end, now)
    }

    /// For the holder of a token. The session ends with it: else a token that got out would be good for longer than its hour.
    public func beginSession(token: String) async throws -> BrowserSession {
        let claims = try await check(token).claims
        guard claims.kind == .user else { throw NodeError(.forbidden, "sessions are for people") }
        return try await begin(claims.sub, until: Date(timeIntervalSince1970: TimeInterval(claims.exp)), clock.date)
    }

    private func begin(_ holder: String, until end: Date, _ now: Date) async throws -> BrowserSession {
        let token = RefreshChains.Token(chain: randomness.name(), secret: randomness.bytes(32).hex)
        try await refreshTokens.extend(token, keyID: holder, expiresAt: end, isSession: true, now: now)
        return BrowserSession(secret: token.sessionText, expiresAt: end)
    }

    /// Who holds a session, and what they may do; nil where there is none.
    public func principal(ofSession secret: String) throws -> Principal? {
        try session(secret).map(\.principal)
    }

    private func session(_ secret: String) throws -> (chain: RefreshChains.Chain, principal: Principal)? {
        guard let token = RefreshChains.Token(secret, isSession: true), let chain = refreshTokens.session(token, now: clock.date) else {
            return nil
        }
        let cluster = try cluster()
        return principal(ofHolder: chain.keyID, cluster).map { (chain, $0) }
    }

    /// A token for who holds a session; nil where there is none.
    public func token(ofSession secret: String) async throws -> SessionToken? {
        guard let (chain, principal) = try session(secret) else { return nil }
        let seconds = Int64(clock.date.timeIntervalSince1970)
        // Good on this node alone for its owner, and on every member for the holder of a key.
        guard let audience = principal.identity == .owner ? id.description : try cluster().id else { return nil }
        let expiry = min(seconds + TokenClaims.userLifetime, Int64(chain.expiresAt.timeIntervalSince1970))
        let claims = TokenClaims(
            iss: id.description, sub: chain.keyID, aud: audience, kind: .user, iat: seconds, exp: expiry, jti: randomness.name())
        return SessionToken(
            token: try await Tokens.sign(claims, with: key), expiresAt: Date(timeIntervalSince1970: TimeInterval(expiry)), holder: chain.keyID)
    }

    public func endSession(_ secret: String) async throws {
        guard let token = RefreshChains.Token(secret, isSession: true) else { return }
        try await refreshTokens.end(token, now: clock.date)
    }
}
