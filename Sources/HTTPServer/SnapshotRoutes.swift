import Access
import Causality
import Content
import FileDatabase
import HTTPTypes
import Hummingbird
import Merkle
import NIOCore
import Platform

/// Named states of the files.
func addSnapshotRoutes(to routes: inout Routes) {
    routes.on(.post, "/versions/snapshots") { call in
        try call.refuseQuery()
        try call.requireOwner()
        var fields = try await call.fields()
        let name = try fields.requiredText("name")
        let metadata = fields.take("metadata").map { value in
            var json = JSONWriter()
            json.value(value)
            return String(buffer: json.buffer)
        }
        try fields.finish()
        let snapshot = try await call.database.makeSnapshot(name, metadata: metadata)
        return .json(.created) { $0.snapshot(snapshot, showsSums: true, own: nil) }
    }
    routes.on(.get, "/versions/snapshots") { try await listSnapshots($0) }
    routes.on(.get, "/versions/snapshots/{name}") { call in
        try call.refuseQuery()
        try call.requirePerson()
        let (database, name, showsSums) = (call.database, try call.capture(0), call.principal.rules.isUnrestricted)
        return try await database.threads.run {
            let snapshot = try database.snapshot(name)
            let own = showsSums ? try database.ownBytes(of: [snapshot], among: database.snapshots()).first ?? nil : nil
            return .json { $0.snapshot(snapshot, showsSums: showsSums, own: own) }
        }
    }
    routes.on(.delete, "/versions/snapshots/{name}") { call in
        try call.refuseQuery()
        try call.requireOwner()
        try await call.database.deleteSnapshot(call.capture(0))
        return Response(status: .noContent)
    }
}

/// `GET /versions/snapshots`: by name.
private func listSnapshots(_ call: Call) async throws -> Response {
    var query = try call.query()
    let limit = try query.limit()
    let after = try query.cursor().map { bytes throws(Problem) in
        guard let name = String(validating: bytes, as: UTF8.self) else { throw Cursor.malformed }
        return name
    }
    try query.finish()
    try call.requirePerson()
    // Names are needed to look at what they name, but the sums tell of what a key may not see.
    let (database, showsSums) = (call.database, call.principal.rules.isUnrestricted)
    return try await database.threads.run {
        let all = try database.snapshots()
        var page = all.filter { snapshot in after.map { $0.sortsBefore(snapshot.name) } ?? true }[...]
        var next: String?
        if page.count > limit {
            // Rivals of one name stand on one page.
            var end = page.startIndex + limit
            while end < page.endIndex, page[end].name == page[end - 1].name { end += 1 }
            if end < page.endIndex { next = page[end - 1].name }
            page = page[..<end]
        }
        let own = showsSums ? try database.ownBytes(of: Array(page), among: all) : page.map { _ in nil }
        return .json(reserving: 256 + page.count * 384) { json in
            json.object { json in
                json.key("items")
                json.array { json in
                    for (snapshot, own) in zip(page, own) { json.snapshot(snapshot, showsSums: showsSums, own: own) }
                }
                json.field("next", next.map { Cursor.encode(Array($0.utf8)) })
            }
        }
    }
}

extension JSONWriter {
    /// - Parameter own: bytes of files that neither the present nor a neighbouring snapshot has; nil where that is unknown.
    fileprivate mutating func snapshot(_ snapshot: Snapshot, showsSums: Bool, own: UInt64?) {
        object { json in
            json.field("name", snapshot.name)
            json.field("root", showsSums ? snapshot.root : nil)
            json.field("created_at", time: Int64(clamping: snapshot.time) * 1000)
            json.field("node", snapshot.node?.hash)
            json.field("files", showsSums ? snapshot.files : nil)
            json.field("size", showsSums ? snapshot.bytes : nil)
            json.field("own_bytes", own)
            json.field("shared_bytes", own.map { snapshot.bytes >= $0 ? snapshot.bytes - $0 : 0 })
            json.field("is_rival", snapshot.isRival)
            json.key("metadata")
            if showsSums, let text = snapshot.metadata, let value = try? JSONReader.read(Array(text.utf8)) {
                json.value(value)
            } else {
                json.null()
            }
        }
    }
}
