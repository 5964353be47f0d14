import Access
import Content
import HTTPTypes
import Hummingbird
import Node
import Platform
import Synchronization

/// Sessions by cookie, for what a browser fetches by itself: pictures, films and downloads, whose requests cannot carry a
/// bearer token, and whose URLs must not.
///
/// A cookie comes along with requests that other pages cause, so it counts for reading alone, and only where the browser says
/// that the request comes from the console (`Sec-Fetch-Site`) or from nobody. It is a random name for a token that is held
/// here: when the token ends, so does what it can do.
final class BrowserSessions: Sendable {
    private struct Session {
        var token: String
        var began: ContinuousClock.Instant
    }

    /// A browser has one; what is beyond is somebody who makes them on purpose, and the oldest go.
    private static let maximum = 10_000
    /// As long as a token is good.
    static let lifetime = Duration.seconds(TokenClaims.userLifetime)

    private let sessions = Mutex<[ContentHash: Session]>([:])
    /// Cookies do not tell ports apart, so nodes on one machine need names of their own.
    private let cookieName: String
    private let isEncrypted: Bool

    init(of node: Node, isEncrypted: Bool) {
        self.isEncrypted = isEncrypted
        cookieName = "pando-" + node.id.description.prefix(12)
    }

    /// Begins a session, or goes on with the request's own under a new token.
    /// - Returns: the cookie to set.
    func begin(_ token: String, _ request: Request) -> String {
        let now = ContinuousClock.now
        let known = cookie(of: request)
        let secret = sessions.withLock { sessions in
            sessions = sessions.filter { now - $0.value.began < BrowserSessions.lifetime }
            let kept = known.flatMap { sessions[BrowserSessions.name($0)] == nil ? nil : $0 }
            if kept == nil, sessions.count >= BrowserSessions.maximum,
                let oldest = sessions.min(by: { $0.value.began < $1.value.began })
            {
                sessions[oldest.key] = nil
            }
            let secret = kept ?? SystemRandomness().bytes(32).hex
            sessions[BrowserSessions.name(secret)] = Session(token: token, began: now)
            return secret
        }
        return setCookie(secret, lifetime: Int(BrowserSessions.lifetime.components.seconds))
    }

    /// Ends the request's session.
    /// - Returns: the cookie that removes the browser's.
    func end(_ request: Request) -> String {
        if let secret = cookie(of: request) { sessions.withLock { $0[BrowserSessions.name(secret)] = nil } }
        return setCookie("", lifetime: 0)
    }

    /// The token of the request's session, if it may count: see above.
    func token(of request: Request) -> String? {
        guard request.method == .get || request.method == .head, BrowserSessions.isOwn(request), let secret = cookie(of: request) else {
            return nil
        }
        return sessions.withLock { $0[BrowserSessions.name(secret)]?.token }
    }

    /// Whether the browser says that its own page, or nobody, caused the request. Programs say nothing.
    static func isOwn(_ request: Request) -> Bool {
        switch request.headers[.fetchSite] {
        case nil, "same-origin", "none": true
        default: false
        }
    }

    private func setCookie(_ value: String, lifetime: Int) -> String {
        "\(cookieName)=\(value); Path=/; Max-Age=\(lifetime); HttpOnly; SameSite=Strict\(isEncrypted ? "; Secure" : "")"
    }

    private func cookie(of request: Request) -> String? {
        for header in request.headers[values: .cookie] {
            for pair in header.split(separator: ";") {
                let pair = pair.drop { $0 == " " }
                if pair.hasPrefix(cookieName + "=") { return String(pair.dropFirst(cookieName.count + 1)) }
            }
        }
        return nil
    }

    /// What a session is known by here: whoever reads this process' memory or a dump of it does not find the cookies.
    private static func name(_ secret: String) -> ContentHash { ContentHash(sha256: secret.utf8) }
}

extension HTTPField.Name {
    fileprivate static let fetchSite = HTTPField.Name("Sec-Fetch-Site")!
}
