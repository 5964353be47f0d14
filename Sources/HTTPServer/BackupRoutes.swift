import Content
import FileDatabase
import HTTPTypes
import Hummingbird
import NIOCore
import Node
import Platform

/// Backups of a running node.
func addBackupRoutes(to routes: inout Routes) {
    routes.on(.get, "/system/export") { try await export($0) }
}

/// `GET /system/export?state=&since=`, or to go on with one that broke off `?commit=&state=&since=&offset=`.
private func export(_ call: Call) async throws -> Response {
    try call.requireOwner()
    var query = try call.query()
    let (state, since, commit) = (query.text("state"), query.text("since"), query.text("commit"))
    let offset = try query.integer("offset", in: 0...Int.max) ?? 0
    try query.finish()
    let known = try commit.map { text throws(Problem) in
        guard let hash = ContentHash(text) else { throw Problem(.badRequest, "'commit' must be 64 hexadecimal digits") }
        return hash
    }
    let database = call.database
    let source = try await database.threads.run {
        var description = try BackupDescription.of(database, state: state, since: since)
        if let known { description.commit = known }
        do {
            return try BackupSource(database, description)
        } catch let error as BackupError {
            throw Problem(.gone, error.reason)
        }
    }
    return Response(status: .ok, headers: [.contentType: "application/octet-stream"], body: ResponseBody { writer in
        try await source.write(from: UInt64(offset)) { try await writer.write(ByteBuffer(bytes: $0)) }
        try await writer.finish(nil)
    })
}
