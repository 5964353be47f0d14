import Foundation
import HTTPTypes
import Hummingbird
import Node

/// The console's session by cookie: see `BrowserSessions`.
func addSessionRoutes(to routes: inout Routes, _ sessions: BrowserSessions) {
    routes.on(.post, "/auth/session", access: .open) { call in
        try call.refuseQuery()
        guard BrowserSessions.isOwn(call.request) else { throw Problem(.forbidden, "a session begins in the console only") }
        let session: BrowserSession
        if call.request.headers[.authorization] != nil {
            session = try await call.node.beginSession(token: Call.bearerToken(of: call.request))
        } else {
            var fields = try await call.fields(orNone: true)
            guard let key = try fields.text("api_key") else {
                throw Problem.unauthorized("an API key is needed, or a token: 'Authorization: Bearer TOKEN'", isTokenWrong: false)
            }
            try fields.finish()
            session = try await call.node.beginSession(apiKey: key, client: call.client)
        }
        // The one before is nobody's any more.
        if let old = sessions.cookie(of: call.request) { try await call.node.endSession(old) }
        guard let token = try await call.node.token(ofSession: session.secret) else { throw Problem.unauthorized("the session has ended", isTokenWrong: true) }
        var response = Response.session(token, call.node)
        response.headers[.setCookie] = sessions.setCookie(session, now: call.node.clock.date)
        return response
    }
    // For the console after a reload, since its token was in memory alone, and in the place of a token that has ended. Only the
    // console's own scripts can read the answer.
    routes.on(.get, "/auth/session", access: .open) { call in
        try call.refuseQuery()
        guard let secret = sessions.secret(of: call.request), let token = try await call.node.token(ofSession: secret) else { return .noSession }
        return .session(token, call.node)
    }
    // Whoever has lost their token can still leave. The cookie does not come with other sites' requests.
    routes.on(.delete, "/auth/session", access: .open) { call in
        try call.refuseQuery()
        guard BrowserSessions.isOwn(call.request) else { throw Problem(.forbidden, "a session ends from the console only") }
        if let secret = sessions.cookie(of: call.request) { try await call.node.endSession(secret) }
        var response = Response.noSession
        response.headers[.setCookie] = sessions.setCookie(nil, now: call.node.clock.date)
        return response
    }
}

extension Response {
    fileprivate static var noSession: Response { Response(status: .noContent, headers: [.cacheControl: "no-store"]) }

    fileprivate static func session(_ token: SessionToken, _ node: Node) -> Response {
        var response = Response.json { json in
            json.object { json in
                json.field("token", token.token)
                json.field("expires_in", max(0, Int(token.expiresAt.timeIntervalSince(node.clock.date).rounded())))
                json.field("holder", token.holder)
            }
        }
        response.headers[.cacheControl] = "no-store"
        response.headers[.resourcePolicy] = "same-origin"
        return response
    }
}
