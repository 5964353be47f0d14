import Access
import FileDatabase
import Foundation
import HTTPTypes
import Hummingbird
import Merkle
import NIOCore
import Node
import Platform

/// Who holds what, and has looked.
func addCopyRoutes(to routes: inout Routes) {
    routes.on(.get, "/sync/copies") { try await listCopies($0) }
    routes.on(.post, "/sync/copies") { try await answerAboutCopy($0) }
}

/// `GET /sync/copies?path=&verify=`.
private func listCopies(_ call: Call) async throws -> Response {
    try call.requirePerson()
    var query = try call.query()
    guard let text = query.text("path") else { throw Problem(.badRequest, "'path' is missing") }
    let path = try Call.filePath(text)
    let verify = try query.flag("verify") ?? false
    try query.finish()
    try Call.refuseViewed(path)
    try await call.requireReading(path)
    return try .plain(await call.node.copies(of: path, verify: verify))
}

/// `POST /sync/copies`, by another member.
private func answerAboutCopy(_ call: Call) async throws -> Response {
    guard case .node = call.principal.identity else { throw Problem(.forbidden, "this is for nodes; use GET /sync/copies") }
    var fields = try await call.fields()
    let question = CopyQuestion(
        path: try fields.requiredText("path"), kind: try fields.requiredText("kind"), root: try fields.requiredText("root"),
        size: UInt64(try fields.requiredInteger("size", in: 0...Int.max)), height: try fields.requiredInteger("height", in: 0...255),
        attributes: try fields.text("attributes"), verify: try fields.flag("verify") ?? false)
    try fields.finish()
    let path = try Call.filePath(question.path)
    if !call.principal.rules.isUnrestricted { try await call.requireReading(path) }
    return try .plain(await call.node.answer(question, isCurrent: !call.principal.rules.isUnrestricted))
}

extension Call {
    /// Reading is needed of a file, and of everything below a directory: its root tells of all of it.
    fileprivate func requireReading(_ path: TreePath) async throws {
        let isDirectory = try await database.threads.run { [view = database.view] in
            try path.isRoot || view.entry(at: path)?.isDirectory == true
        }
        if isDirectory { try require(.read, below: path) } else { try require(.read, path) }
    }
}

extension Response {
    /// A document whose names are as they stand in its coding keys.
    fileprivate static func plain(_ value: some Encodable) throws -> Response {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return .json(.ok, ByteBuffer(bytes: try encoder.encode(value)))
    }
}
