import Content
import Foundation
import HTTPTypes
import Hummingbird
import Node

/// Sessions by cookie, for what a browser fetches by itself: pictures, films and downloads, whose requests cannot carry a
/// bearer token, and whose URLs must not; and for new tokens, when a page was reloaded or a token has ended.
///
/// A cookie comes along with requests that other pages cause, so it counts for reading alone, and only where the browser says
/// that the request comes from the console (`Sec-Fetch-Site`) or from nobody.
struct BrowserSessions: Sendable {
    /// Cookies do not tell ports apart, so nodes on one machine need names of their own.
    private let cookieName: String
    private let isEncrypted: Bool

    init(of node: Node, isEncrypted: Bool) {
        self.isEncrypted = isEncrypted
        cookieName = "pando-" + node.id.description.prefix(12)
    }

    /// The secret that a request shows, whatever it is worth; nil if it may not count: see above.
    func secret(of request: Request) -> String? {
        guard request.method == .get || request.method == .head, BrowserSessions.isOwn(request) else { return nil }
        return cookie(of: request)
    }

    /// The secret that a request shows, for ending it.
    func cookie(of request: Request) -> String? {
        for header in request.headers[values: .cookie] {
            for pair in header.split(separator: ";") {
                let pair = pair.drop { $0 == " " }
                if pair.hasPrefix(cookieName + "=") { return String(pair.dropFirst(cookieName.count + 1)) }
            }
        }
        return nil
    }

    /// Whether the browser says that its own page, or nobody, caused the request. Programs say nothing.
    static func isOwn(_ request: Request) -> Bool {
        switch request.headers[.fetchSite] {
        case nil, "same-origin", "none": true
        default: false
        }
    }

    /// The header that gives a browser its cookie.
    /// - Parameter session: nil to take it away.
    func setCookie(_ session: BrowserSession?, now: Date) -> String {
        let lifetime = session.map { max(0, Int($0.expiresAt.timeIntervalSince(now))) } ?? 0
        return "\(cookieName)=\(session?.secret ?? ""); Path=/; Max-Age=\(lifetime); HttpOnly; SameSite=Strict\(isEncrypted ? "; Secure" : "")"
    }
}

extension HTTPField.Name {
    fileprivate static let fetchSite = HTTPField.Name("Sec-Fetch-Site")!
}
