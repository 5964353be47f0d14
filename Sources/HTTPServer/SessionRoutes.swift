import HTTPTypes
import Hummingbird
import Node

/// The console's session by cookie: see `BrowserSessions`.
func addSessionRoutes(to routes: inout Routes, _ sessions: BrowserSessions) {
    routes.on(.post, "/auth/session") { call in
        try call.refuseQuery()
        return .session(cookie: sessions.begin(try Call.bearerToken(of: call.request), call.request))
    }
    // For the console after a reload: its token was in memory alone. Only the console's own scripts can read the answer.
    routes.on(.get, "/auth/session", access: .open) { call in
        try call.refuseQuery()
        guard let token = sessions.token(of: call.request), (try? await call.node.authenticate(token)) != nil else {
            return Response(status: .noContent, headers: [.cacheControl: "no-store"])
        }
        var response = Response.json { $0.object { $0.field("token", token) } }
        response.headers[.cacheControl] = "no-store"
        response.headers[.resourcePolicy] = "same-origin"
        return response
    }
    // Whoever has lost their token can still leave. The cookie does not come with other sites' requests.
    routes.on(.delete, "/auth/session", access: .open) { call in
        try call.refuseQuery()
        guard BrowserSessions.isOwn(call.request) else { throw Problem(.forbidden, "a session ends from the console only") }
        return .session(cookie: sessions.end(call.request))
    }
}

extension Response {
    fileprivate static func session(cookie: String) -> Response {
        Response(status: .noContent, headers: [.setCookie: cookie, .cacheControl: "no-store"])
    }
}
