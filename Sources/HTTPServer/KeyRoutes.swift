import Access
import Foundation
import HTTPTypes
import Hummingbird
import NIOCore
import Node

/// API keys: making, listing and revoking them.
func addKeyRoutes(to routes: inout Routes) {
    routes.on(.post, "/auth/keys") { call in
        try call.requirePerson()
        var fields = try await call.fields()
        let label = try fields.requiredText("label")
        let rules = try (fields.array("rules") ?? []).enumerated().map { try rule($1, place: "rules[\($0)]") }
        let lifetime = try fields.integer("expires_in", in: 1...(100 * 365 * 24 * 3600))
        try fields.finish()
        let (key, info) = try await call.node.makeKey(
            label: label, rules: rules, expiresIn: lifetime.map(TimeInterval.init), maker: call.principal)
        return .json(.created) { json in
            json.object { json in
                json.field("api_key", key)
                json.fields(of: info)
            }
        }
    }
    routes.on(.get, "/auth/keys") { call in
        try call.requireOwner()
        let page = try ItemPage(call.node.keys(), call) { "\($0.createdAt) \($0.id)" }
        return .json { json in
            json.object { json in
                json.key("items")
                json.array { json in for key in page.items { json.object { $0.fields(of: key) } } }
                json.field("next", page.next)
            }
        }
    }
    routes.on(.delete, "/auth/keys/{id}") { call in
        try call.refuseQuery()
        try call.requireOwner()
        try await call.node.revokeKey(call.capture(0))
        return Response(status: .noContent)
    }
}

private func rule(_ value: JSONValue, place: String) throws -> (path: String, allow: [Permission]) {
    var fields = try JSONFields(value, place: place)
    let path = try fields.requiredText("path")
    let allow = try (fields.texts("allow") ?? []).map { name in
        guard let permission = Permission(rawValue: name) else {
            throw Problem(.badRequest, "'\(place).allow' has '\(name.prefix(80))'; read, list, write and delete are known")
        }
        return permission
    }
    try fields.finish()
    return (path, allow)
}

extension JSONWriter {
    fileprivate mutating func fields(of key: KeyInfo) {
        field("id", key.id)
        field("label", key.label)
        self.key("rules")
        array { json in
            for rule in key.rules {
                json.object { json in
                    json.field("path", rule.path)
                    json.key("allow")
                    json.array { json in for permission in rule.allow { json.value(permission.rawValue) } }
                }
            }
        }
        field("created_at", key.createdAt)
        field("expires_at", key.expiresAt)
    }
}
