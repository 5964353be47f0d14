import Foundation
import HTTPTypes
import NIOCore
import Node
import Logging
import Platform
import TestSupport
import Testing

@testable import HTTPServer

@Suite("The API's description")
struct DescriptionTests {
    private struct Nobody: Transport {
        func send(_ request: TransportRequest) async throws(TransportError) -> TransportResponse {
            throw TransportError("nobody is there", isUnreachable: true)
        }
    }

    private func node(_ directory: TemporaryDirectory) throws -> Node {
        try Node(Node.Options(directory: directory.path, transport: Nobody(), logger: Logger(label: "test")))
    }

    /// What the console has for itself, and is no API.
    private static let undescribed: Set<String> = [
        "GET /", "GET /console/{version}/{name}", "GET /auth/session", "POST /auth/session", "DELETE /auth/session",
    ]

    private func routes(of node: Node) -> Routes { .all(of: node, BrowserSessions(of: node, isEncrypted: false), NodeFigures(of: node)) }

    @Test("Names every route that is served, with its method, and no other")
    func routes() throws {
        let directory = try TemporaryDirectory()
        let node = try node(directory)
        defer { node.close() }
        let served = Set(routes(of: node).all.map { "\($0.method.rawValue) \($0.endpoint.pattern)" }).subtracting(Self.undescribed)
        let described = Set(OpenAPI.operations.map { "\($0.method.rawValue) \($0.pattern)" })
        #expect(served.subtracting(described).sorted() == [], "add these to Sources/HTTPServer/OpenAPI")
        #expect(described.subtracting(served).sorted() == [], "these are not served")
        #expect(OpenAPI.operations.count == described.count, "described twice")
        for (method, endpoint) in routes(of: node).all where endpoint.pattern != "/metrics" {
            let operation = OpenAPI.operations.first { $0.method == method && $0.pattern == endpoint.pattern }
            #expect(operation.map { $0.isOpen == (endpoint.access == .open) } ?? true, "\(endpoint.pattern): who may call it")
        }
    }

    @Test("Is JSON whose references lead somewhere")
    func document() throws {
        let document = try #require(try JSONSerialization.jsonObject(with: Data(OpenAPI.document.utf8)) as? [String: Any])
        #expect(document["openapi"] as? String == "3.1.0")
        let components = try #require(document["components"] as? [String: Any])
        let schemas = try #require(components["schemas"] as? [String: Any])
        let names = OpenAPI.document.matches(of: /"#\/components\/schemas\/([A-Za-z]+)"/).map { String($0.1) }
        #expect(names.count > 50)
        for name in Set(names) { #expect(schemas[name] != nil, "\(name)") }
        let used = Set(names)
        #expect(Set(schemas.keys).subtracting(used).sorted() == [], "described and not used")
    }

    @Test("Figures are written as Prometheus reads them")
    func exposition() throws {
        var page = Exposition()
        page.add("a_total", .counter, "Some.", 3)
        page.add("b", .gauge, "Others.", [([("x", "say \"hi\"\\\n")], 0.5), ([("x", "y")], -1)])
        page.add("none", .gauge, "Nothing.", nil as Int?)
        #expect(page.text == """
            # HELP a_total Some.
            # TYPE a_total counter
            a_total 3
            # HELP b Others.
            # TYPE b gauge
            b{x="say \\"hi\\"\\\\\\n"} 0.5
            b{x="y"} -1

            """)
        let figures = RequestFigures()
        for (status, seconds) in [(200, 0.0005), (200, 0.3), (404, 99)] { figures.add(.get, route: "/r", status: status, seconds: seconds) }
        figures.add(HTTPRequest.Method("ODD")!, route: nil, status: 404, seconds: 0)
        var requests = Exposition()
        figures.write(to: &requests)
        for line in [
            #"pando_http_requests_total{method="GET",route="/r",status="200"} 2"#,
            #"pando_http_requests_total{method="any",route="none",status="404"} 1"#,
            #"pando_http_request_duration_seconds_bucket{method="GET",route="/r",le="0.001"} 1"#,
            #"pando_http_request_duration_seconds_bucket{method="GET",route="/r",le="0.5"} 2"#,
            #"pando_http_request_duration_seconds_bucket{method="GET",route="/r",le="10"} 2"#,
            #"pando_http_request_duration_seconds_bucket{method="GET",route="/r",le="+Inf"} 3"#,
            #"pando_http_request_duration_seconds_count{method="GET",route="/r"} 3"#,
        ] {
            #expect(requests.text.contains(line + "\n"), "\(line)")
        }
    }
}
