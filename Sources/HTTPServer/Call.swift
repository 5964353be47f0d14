import Access
import FileDatabase
import HTTPTypes
import Hummingbird
import Logging
import NIOCore
import Node

/// One request on its way to an answer.
struct Call: Sendable {
    let node: Node
    let request: Request
    let channel: any Channel
    let logger: Logger
    let principal: Principal
    /// What stood in the place of each `{name}` of the route, still percent-encoded.
    let captures: [Substring]
    /// What stood in the place of `{name...}`, still percent-encoded.
    let tail: Substring
    /// What follows the '?', still percent-encoded.
    let rawQuery: Substring

    var database: FileDatabase { node.database }

    /// The address of the other side.
    var client: String { channel.remoteAddress?.ipAddress ?? "local" }

    /// The query's parameters. Whoever takes them calls `finish` to refuse those that nobody knows.
    func query() throws(Problem) -> Query { try Query(rawQuery) }

    /// For routes without parameters.
    func refuseQuery() throws(Problem) {
        if !rawQuery.isEmpty { try query().finish() }
    }

    /// A name of the route's path.
    func capture(_ index: Int) throws(Problem) -> String {
        guard let text = PercentDecoding.decode(captures[index]) else {
            throw Problem(.badRequest, "'\(captures[index].prefix(80))' is not percent-encoded UTF-8")
        }
        return text
    }
}
