import Access
import FileDatabase
import HTTPTypes
import Hummingbird
import Merkle
import Platform

/// `DELETE /files/{path}`.
func deleteFile(_ call: Call) async throws -> Response {
    let place = try call.filePath()
    var query = try call.query()
    let isRecursive = try query.flag("recursive") ?? false
    try query.finish()
    try Call.refuseView(place.path)
    try call.require(.delete, place.path)
    let condition = try WriteCondition(call.request.headers)
    if place.hasSlash || !call.principal.rules.isUnrestricted {
        let kind = try await call.kind(at: place.path)
        if place.hasSlash, kind != .directory {
            throw Problem(.notFound, "is not a directory; leave the last slash away", path: place.path)
        }
        if kind == .directory { try call.require(.delete, below: place.path) }
    }
    try await checking(call, place.path) {
        try await call.database.delete(place.path, recursive: isRecursive, if: condition)
    }
    return Response(status: .noContent)
}

/// Does a write under a condition. Who may not read the content is not told what about it does not hold.
private func checking<Result>(_ call: Call, _ path: TreePath, _ write: () async throws -> Result) async throws -> Result {
    do {
        return try await write()
    } catch let error as DatabaseError where error.code == .preconditionFailed && !call.principal.may(.read, path) {
        throw Problem(.preconditionFailed, "the condition does not hold", path: path)
    }
}

/// `PATCH /files/{path}` `{"to": "/new", "replace"?: true}`: moves a file or a directory.
func moveFile(_ call: Call) async throws -> Response {
    let source = try call.filePath().path
    try call.refuseQuery()
    var fields = try await call.fields()
    let target = try Call.filePath(try fields.requiredText("to"))
    let replaces = try fields.flag("replace") ?? false
    try fields.finish()
    for path in [source, target] { try Call.refuseView(path) }
    let condition = try WriteCondition(call.request.headers)
    try await checkRules(call, from: source, to: target, replaces: replaces, needing: [.read, .delete])
    let info = try await checking(call, source) {
        try await call.database.move(source, to: target, replace: replaces, if: condition)
    }
    return .json { $0.item(info) }
}

/// `POST /files/copy` `{"from", "to", "replace"?}`: copies by reference.
func copyFile(_ call: Call) async throws -> Response {
    try call.refuseQuery()
    var fields = try await call.fields()
    let source = try Call.filePath(try fields.requiredText("from"))
    let target = try Call.filePath(try fields.requiredText("to"))
    let replaces = try fields.flag("replace") ?? false
    try fields.finish()
    try Call.refuseViewed(target)
    let condition = try WriteCondition(call.request.headers)
    if source.names.first == TreeView.conflictsName {
        throw Problem(.badRequest, "a losing version cannot be copied; read it and put it, or pick it", path: source)
    }
    try await checkRules(call, from: source, to: target, replaces: replaces, needing: [.read])
    let info = try await checking(call, source) {
        try await call.database.copy(source, to: target, replace: replaces, if: condition)
    }
    return .json(.created) { $0.item(info) }
}

/// What is moved or copied must be readable, since it may come to be where the asker can read it.
private func checkRules(
    _ call: Call, from source: TreePath, to target: TreePath, replaces: Bool, needing permissions: [Permission]
) async throws {
    if call.principal.rules.isUnrestricted { return }
    for permission in permissions { try call.require(permission, source) }
    try call.require(.write, target)
    if try await call.kind(at: source) == .directory {
        for permission in permissions { try call.require(permission, below: source) }
        try call.require(.write, below: target)
    }
    if replaces, try await call.kind(at: target) == .directory { try call.require(.delete, below: target) }
}

extension Call {
    /// What is at a path now; nil if that is nothing.
    fileprivate func kind(at path: TreePath) async throws -> FileInfo.Kind? {
        let view = database.view
        return try await database.threads.run { try view.info(at: path)?.kind }
    }
}
