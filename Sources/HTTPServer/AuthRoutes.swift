import Access
import Foundation
import Hummingbird
import Node

/// Tokens for API keys, and their renewal.
func addAuthRoutes(to routes: inout Routes) {
    routes.on(.post, "/auth/token", access: .open) { call in
        var fields = try await call.fields()
        let key = try fields.requiredText("api_key")
        let proof = try clientProof(&fields)
        try fields.finish()
        return .grant(try await call.node.grant(apiKey: key, proof: proof, client: call.client))
    }
    routes.on(.post, "/auth/refresh", access: .open) { call in
        var fields = try await call.fields()
        let token = try fields.requiredText("refresh_token")
        try fields.finish()
        return .grant(try await call.node.grant(refreshToken: token, client: call.client))
    }
}

/// What a client sends that is a node.
private func clientProof(_ fields: inout JSONFields) throws -> ClientProof? {
    guard let key = try fields.text("public_key") else { return nil }
    let time = try fields.requiredInteger("time", in: 0...Call.latestTime)
    let signature = try fields.requiredText("signature")
    guard let key = [UInt8](hex: key), key.count == 32, let signature = [UInt8](hex: signature), signature.count == 64 else {
        throw Problem(.badRequest, "'public_key' and 'signature' must be 64 and 128 lower-case hexadecimal digits")
    }
    return ClientProof(publicKey: key, time: Int64(time), signature: signature)
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
