import HTTPTypes
import Hummingbird
import NIOCore

extension Response {
    static func json(
        _ status: HTTPResponse.Status = .ok, reserving capacity: Int = 512, _ body: (inout JSONWriter) throws -> Void
    ) rethrows -> Response {
        var json = JSONWriter(reserving: capacity)
        try body(&json)
        return .json(status, json.buffer)
    }

    static func json(_ status: HTTPResponse.Status = .ok, _ buffer: ByteBuffer) -> Response {
        Response(status: status, headers: [.contentType: "application/json"], body: ResponseBody(byteBuffer: buffer))
    }
}

extension HTTPResponse.Status {
    /// RFC 4918, section 11.5.
    static let diskFull = HTTPResponse.Status(code: 507, reasonPhrase: "Insufficient Storage")
}

extension HTTPField.Name {
    private static func pando(_ name: String) -> HTTPField.Name {
        guard let name = HTTPField.Name("Pando-" + name) else { preconditionFailure("a valid name") }
        return name
    }

    static let pandoVersion = pando("Version")
    static let pandoCommit = pando("Commit")
    static let pandoCommitTime = pando("Commit-Time")
    static let pandoConflicts = pando("Conflicts")
    static let pandoNode = pando("Node")
    static let pandoKind = pando("Kind")
    static let pandoModifiedAt = pando("Modified-At")
    static let pandoExecutable = pando("Executable")
    static let pandoSymlinkTarget = pando("Symlink-Target")
    static let requestID: HTTPField.Name = {
        guard let name = HTTPField.Name("X-Request-ID") else { preconditionFailure("a valid name") }
        return name
    }()
}
