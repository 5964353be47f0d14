import Foundation
import Hummingbird
import Node

/// Tokens for API keys, and their renewal.
func addAuthRoutes(to routes: inout Routes) {
    routes.on(.post, "/auth/token", access: .open) { call in
        var fields = try await call.fields()
        let key = try fields.requiredText("api_key")
        try fields.finish()
        return .grant(try await call.node.grant(apiKey: key, client: call.client))
    }
    routes.on(.post, "/auth/refresh", access: .open) { call in
        var fields = try await call.fields()
        let token = try fields.requiredText("refresh_token")
        try fields.finish()
        return .grant(try await call.node.grant(refreshToken: token, client: call.client))
    }
}

extension Response {
    fileprivate static func grant(_ grant: TokenGrant) -> Response {
        var response = Response.json { json in
            json.object { json in
                json.field("token", grant.token)
                json.field("expires_in", max(0, Int(grant.expiresAt.timeIntervalSinceNow.rounded())))
                json.field("refresh_token", grant.refreshToken)
            }
        }
        response.headers[.cacheControl] = "no-store"
        return response
    }
}
