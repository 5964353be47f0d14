import HTTPTypes

/// One call of the API, as its description tells it.
struct Operation: Sendable {
    /// A parameter of the query or a header field.
    struct Parameter: Sendable {
        var name: String
        var place = "query"
        /// A JSON schema.
        var schema: String
        var summary: String

        static func text(_ name: String, _ summary: String) -> Parameter { Parameter(name: name, schema: #"{"type":"string"}"#, summary: summary) }
        static func flag(_ name: String, _ summary: String) -> Parameter { Parameter(name: name, schema: #"{"type":"boolean"}"#, summary: summary) }
        static let limit = Parameter(
            name: "limit", schema: #"{"type":"integer","minimum":1,"maximum":10000,"default":1000}"#, summary: "Items of one page.")
        static let after = text("after", "The cursor that the page before gave as 'next'.")
        static func header(_ name: String, _ summary: String) -> Parameter {
            Parameter(name: name, place: "header", schema: #"{"type":"string"}"#, summary: summary)
        }
    }

    enum Content: Sendable {
        /// A schema of the description's list, by its name.
        case json(String)
        case bytes
        case text
        case events
        case none
    }

    var method: HTTPRequest.Method
    /// As the route was added.
    var pattern: String
    var summary: String
    var tag: String
    var isOpen = false
    var parameters: [Parameter] = []
    var body = Content.none
    /// What a good call is answered with, by status.
    var answers: [(status: Int, content: Content)]
    /// Refusals beside those that every call can have.
    var refusals: [Int] = []
}

extension Operation {
    /// Refusals that any call can have: bad input, no token, not enough rights, nothing there, too much, too often, not ready.
    private var allRefusals: [Int] {
        var statuses = Set(refusals).union([400, 429, 503])
        if !isOpen { statuses.formUnion([401, 403]) }
        if pattern.contains("{") { statuses.insert(404) }
        if case .none = body {} else { statuses.formUnion([413]) }
        return statuses.sorted()
    }

    /// In a description `{path...}` is `{path}`.
    var path: String { pattern.replacing("...}", with: "}") }

    /// The operation as JSON.
    var json: String {
        var fields = ["\"summary\":" + OpenAPI.quoted(summary), "\"tags\":[\(OpenAPI.quoted(tag))]", "\"operationId\":" + OpenAPI.quoted(identifier)]
        if isOpen { fields.append("\"security\":[]") }
        let all = pathParameters + parameters.map(Operation.json(of:))
        if !all.isEmpty { fields.append("\"parameters\":[\(all.joined(separator: ","))]") }
        if let content = Operation.json(of: body) { fields.append("\"requestBody\":{\"content\":\(content)}") }
        let good = answers.map { answer in
            let content = Operation.json(of: answer.content).map { ",\"content\":" + $0 } ?? ""
            return "\"\(answer.status)\":{\"description\":\"\(answer.status < 300 ? "Done" : "See the headers")\"\(content)}"
        }
        let bad = allRefusals.map { "\"\($0)\":{\"$ref\":\"#/components/responses/Problem\"}" }
        fields.append("\"responses\":{\((good + bad).joined(separator: ","))}")
        return "{\(fields.joined(separator: ","))}"
    }

    private var pathParameters: [String] {
        pattern.split(separator: "/").filter { $0.hasPrefix("{") }.map { name in
            let bare = name.dropFirst().prefix { $0 != "." && $0 != "}" }
            let summary = name.hasSuffix("...}") ? "A path, percent-encoded; it may have slashes." : "A name."
            return "{\"name\":\"\(bare)\",\"in\":\"path\",\"required\":true,\"description\":\"\(summary)\","
                + "\"schema\":{\"type\":\"string\",\"minLength\":1}}"
        }
    }

    private var identifier: String {
        method.rawValue.lowercased() + pattern.split { !$0.isLetter }.map { $0.prefix(1).uppercased() + $0.dropFirst() }.joined()
    }

    private static func json(of parameter: Parameter) -> String {
        "{\"name\":\"\(parameter.name)\",\"in\":\"\(parameter.place)\",\"description\":\(OpenAPI.quoted(parameter.summary)),"
            + "\"schema\":\(parameter.schema)}"
    }

    private static func json(of content: Content) -> String? {
        func media(_ type: String, _ schema: String) -> String { "{\"\(type)\":{\"schema\":\(schema)}}" }
        switch content {
        case .json(let schema): return media("application/json", "{\"$ref\":\"#/components/schemas/\(schema)\"}")
        case .bytes: return media("*/*", "{}")
        case .text: return media("text/plain", "{\"type\":\"string\"}")
        case .events: return media("text/event-stream", "{\"type\":\"string\"}")
        case .none: return nil
        }
    }
}
