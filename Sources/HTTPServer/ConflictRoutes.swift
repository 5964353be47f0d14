import Access
import Causality
import FileDatabase
import Hummingbird
import Merkle
import Platform

/// Paths with losing versions, and their settlement.
func addConflictRoutes(to routes: inout Routes) {
    routes.on(.get, "/sync/conflicts") { try await listConflicts($0) }
    let settled = SettledConflicts()
    routes.on(.post, "/sync/conflicts/{path...}") { try await resolveConflict($0, settled) }
}

private func listConflicts(_ call: Call) async throws -> Response {
    var query = try call.query()
    let limit = try query.limit()
    let after = try query.cursor().map { try Cursor.path($0) }
    let prefix = try query.text("prefix").map { try Call.filePath($0) } ?? .root
    try query.finish()
    let (view, rules) = (call.database.view, call.principal.rules)
    return try await call.database.threads.run {
        let shown = ShownChanges(rules)
        let page = try view.conflicts(at: prefix, after: after, limit: limit) { shown.isShown($0) }
        return .json(reserving: 256 + page.items.count * 1024) { json in
            json.object { json in
                json.key("items")
                json.array { json in for conflict in page.items { json.conflict(conflict) } }
                json.field("next", page.isComplete ? nil : page.items.last.map { Cursor.encode($0.path) })
            }
        }
    }
}

private func resolveConflict(_ call: Call, _ settled: SettledConflicts) async throws -> Response {
    let path = try call.filePath().path
    try call.refuseQuery()
    // A pick may be the deletion, or a file in the place of a whole directory.
    try call.require(.write, path)
    try call.require(.delete, path)
    if !call.principal.rules.isUnrestricted {
        let isDirectory = try await call.database.threads.run { [view = call.database.view] in try view.entry(at: path)?.isDirectory }
        if isDirectory == true { try call.require(.delete, below: path) }
    }
    var fields = try await call.fields(orNone: true)
    if let id = try fields.text("undo") {
        try fields.finish()
        return try await reopen(id, at: path, call, settled)
    }
    let pick: ConflictPick = switch try fields.text("pick") {
    case nil, "winner": .winner
    case "loser": .loser
    case let version?: .version(version)
    }
    try fields.finish()
    let before = try await call.database.threads.run { [view = call.database.view] in try view.conflict(at: path) }
    let result = try await call.database.resolve(path, pick: pick)
    // Brought back are versions alone: a folder that was given up, or that hid a file, is a matter of the history.
    let undo = before.flatMap { before in
        before.kind == .fileDirectory ? nil : result.map { settled.add(.init(conflict: before, dot: $0.dot, identity: call.principal.identity)) }
    }
    return .json { json in
        if let result { return json.version(result, path: path, undo: .some(undo)) }
        // A directory that nobody made has won, which has no version of its own.
        json.object { json in
            json.field("version", nil as String?)
            json.field("kind", "directory")
            json.field("deleted", false)
            json.field("path", path.description)
        }
    }
}

/// Takes a pick back.
private func reopen(_ id: String, at path: TreePath, _ call: Call, _ settled: SettledConflicts) async throws -> Response {
    guard let entry = settled.entry(id, at: path, of: call.principal.identity) else {
        throw Problem(.notFound, "no pick of yours has this name, or it was too long ago; the earlier versions are in the history", path: path)
    }
    let conflict = try await call.database.reopen(entry.conflict, settledBy: entry.dot)
    return .json { $0.conflict(conflict) }
}

extension JSONWriter {
    fileprivate mutating func conflict(_ conflict: Conflict) {
        object { json in
            json.field("path", conflict.path.description)
            json.field("kind", conflict.kind.rawValue)
            json.key("winner")
            if let winner = conflict.winner { json.version(winner, path: conflict.path) } else { json.null() }
            json.key("losers")
            json.array { json in
                for loser in conflict.losers {
                    json.version(loser, path: TreeView.conflictsPath(of: loser, at: conflict.path))
                }
            }
        }
    }
}
