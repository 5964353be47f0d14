import HTTPTypes
import Hummingbird
import NIOCore
import Node

/// The description of the API: OpenAPI 3.1. A test compares it with the routes.
enum OpenAPI {
    /// Everything that is served.
    static let operations = [fileOperations, versionOperations, clusterOperations, replicaOperations, binaryOperations, accessOperations].flatMap(\.self)

    static let document: String = {
        var paths: [String: [String]] = [:]
        for operation in operations { paths[operation.path, default: []].append("\"\(operation.method.rawValue.lowercased())\":\(operation.json)") }
        let all = paths.sorted { $0.key < $1.key }.map { "\(quoted($0.key)):{\($0.value.joined(separator: ","))}" }
        return """
            {"openapi":"3.1.0","info":{"title":"Pando","version":"\(Node.version)",
            "description":"A file database whose nodes replicate each other. Errors are RFC 9457. Every call can be answered with 405 and 417, too.",
            "license":{"name":"Apache-2.0","identifier":"Apache-2.0"}},
            "servers":[{"url":"/"}],"security":[{"token":[]}],"paths":{\(all.joined(separator: ","))},
            "components":{"securitySchemes":{"token":{"type":"http","scheme":"bearer"}},
            "responses":{"Problem":{"description":"What was wrong, and what to do.",
            "content":{"application/problem+json":{"schema":{"$ref":"#/components/schemas/Problem"}}}}},
            "schemas":\(schemas)}}
            """
    }()

    /// Text as JSON writes it.
    static func quoted(_ text: String) -> String {
        var json = JSONWriter()
        json.value(text)
        return String(buffer: json.buffer)
    }
}

/// `GET /openapi.json`.
func addDescriptionRoutes(to routes: inout Routes) {
    let document = ByteBuffer(string: OpenAPI.document)
    routes.on(.get, "/openapi.json", access: .open) { call in
        try call.refuseQuery()
        return .json(.ok, document)
    }
}
