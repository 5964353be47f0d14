import Content
import HTTPTypes
import Hummingbird
import Merkle
import NIOCore
import Replication

/// An error as a client sees it: RFC 9457.
struct Problem: Error {
    var status: HTTPResponse.Status
    /// What was wrong and what to do.
    var detail: String
    var path: String?
    /// Objects that are missing, where that is what was wrong.
    var missing: [ContentHash] = []
    /// Records of a push that are not taken.
    var refused: [Refusal] = []
    var headers = HTTPFields()
    /// What it was made of, where that says more than the client is told.
    var cause: (any Error)?

    init(_ status: HTTPResponse.Status, _ detail: String, path: String? = nil) {
        self.status = status
        self.detail = detail
        self.path = path
    }

    init(_ status: HTTPResponse.Status, _ detail: String, path: TreePath) {
        self.init(status, detail, path: path.description)
    }

    static func notFound(_ path: TreePath) -> Problem { Problem(.notFound, "nothing is there", path: path) }

    static func methodNotAllowed(_ allowed: [HTTPRequest.Method], _ detail: String, path: String? = nil) -> Problem {
        var problem = Problem(.methodNotAllowed, detail, path: path)
        problem.headers[.allow] = allowed.map(\.rawValue).joined(separator: ", ")
        return problem
    }

    static func unauthorized(_ detail: String, isTokenWrong: Bool) -> Problem {
        var problem = Problem(.unauthorized, detail)
        problem.headers[.wwwAuthenticate] = isTokenWrong ? "Bearer error=\"invalid_token\"" : "Bearer"
        return problem
    }

    // MARK: As a message

    /// Names the kind of problem for programs.
    private var type: String {
        "urn:pando:" + status.reasonPhrase.lowercased().map { $0.isLetter ? String($0) : "-" }.joined()
    }

    /// The answer's head and body.
    var document: (head: HTTPResponse, body: ByteBuffer) {
        var json = JSONWriter()
        json.object { json in
            json.field("type", type)
            json.field("title", status.reasonPhrase)
            json.field("status", status.code)
            json.field("detail", detail)
            if let path { json.field("path", path) }
            if !refused.isEmpty {
                json.key("refused")
                json.array { json in
                    for refusal in refused {
                        json.object { json in
                            json.field("path", refusal.path)
                            json.field("code", refusal.code.rawValue)
                            json.field("reason", refusal.reason)
                        }
                    }
                }
            }
            if !missing.isEmpty {
                json.key("missing")
                json.array { json in for hash in missing { json.value(hash) } }
            }
        }
        var head = HTTPResponse(status: status, headerFields: headers)
        head.headerFields[.contentType] = "application/problem+json"
        head.headerFields[.contentLength] = String(json.buffer.readableBytes)
        return (head, json.buffer)
    }

    var response: Response {
        let (head, body) = document
        return Response(status: head.status, headers: head.headerFields, body: ResponseBody(byteBuffer: body))
    }
}
