import Access
import Causality
import Content
import FileDatabase
import HTTPTypes
import Hummingbird
import Merkle
import NIOCore
import Platform

/// `GET /versions/diff?from=&to=&path=&format=&limit=&after=`: what differs between two moments, `to` being now unless it is
/// said. `format=text` shows one text file as a unified diff.
func diffMoments(_ call: Call) async throws -> Response {
    var query = try call.query()
    let path = try query.text("path").map { try Call.filePath($0) } ?? .root
    guard let from = try query.moment("from") else { throw Problem(.badRequest, "'from' is missing: a snapshot, a commit or a time") }
    let to = try query.moment("to") ?? .now
    let format = query.text("format") ?? "json"
    let limit = try query.limit()
    let after = try query.cursor().map { try Cursor.path($0) }
    try query.finish()
    try Call.refuseViewed(path)
    guard ["json", "text"].contains(format) else { throw Problem(.badRequest, "'format' must be json or text") }
    if !call.mayKnow(path) { throw Problem.notFound(path) }
    let (database, rules) = (call.database, call.principal.rules)
    return try await database.threads.run {
        let (old, new) = (try database.view(at: from, for: path), try database.view(at: to, for: path))
        do {
            if format == "text" {
                try call.require(.read, path)
                return try textDiff(path, old.view, new.view, database)
            }
            let shown = ShownChanges(rules)
            let page = try old.view.changes(
                to: new.view, at: path, after: after, limit: limit, where: { shown.isShown($0) }, below: { shown.isShown(below: $0) })
            return .json(reserving: 512 + page.items.count * 512) { json in
                json.object { json in
                    json.key("from")
                    json.moment(old, showsCommit: rules.isUnrestricted)
                    json.key("to")
                    json.moment(new, showsCommit: rules.isUnrestricted)
                    json.changes("added", page.items.filter { $0.before == nil }.compactMap(\.after))
                    json.changes("modified", page.items.filter { $0.before != nil }.compactMap(\.after))
                    json.changes("deleted", page.items.filter { $0.after == nil }.compactMap(\.before))
                    json.field("next", page.isComplete ? nil : page.items.last.map { Cursor.encode($0.path) })
                }
            }
        } catch let error as DatabaseError where error.code == .damaged {
            throw Problem.collected(path, error)
        }
    }
}

extension JSONWriter {
    fileprivate mutating func moment(_ past: PastView, showsCommit: Bool) {
        object { json in
            json.field("commit", showsCommit ? past.commit : nil)
            json.field("time", time: Int64(clamping: past.time) * 1000)
        }
    }

    fileprivate mutating func changes(_ key: StaticString, _ items: [FileInfo]) {
        self.key(key)
        array { json in for info in items { json.item(info) } }
    }
}

// MARK: - Text

private func textDiff(_ path: TreePath, _ old: TreeView, _ new: TreeView, _ database: FileDatabase) throws -> Response {
    let (before, after) = (try old.info(at: path), try new.info(at: path))
    if before == nil, after == nil { throw Problem.notFound(path) }
    let (left, right) = (try text(before, database), try text(after, database))
    let lines = UnifiedDiff(from: left, to: right).text(
        from: before == nil ? "/dev/null" : "a\(path)", to: after == nil ? "/dev/null" : "b\(path)")
    return Response(
        status: .ok, headers: [.contentType: "text/plain; charset=utf-8", .xContentTypeOptions: "nosniff"],
        body: ResponseBody(byteBuffer: ByteBuffer(string: lines)))
}

/// A file's text; empty where nothing is.
private func text(_ info: FileInfo?, _ database: FileDatabase) throws -> String {
    guard let info else { return "" }
    if let target = info.symlinkTarget { return target + "\n" }
    guard let content = info.file?.content else { throw Problem(.badRequest, "is a directory; leave 'format' away", path: info.path) }
    guard content.height == 0 else { throw Problem(.badRequest, "is too large for a diff of its text: \(content.size) bytes", path: info.path) }
    let bytes = try database.chunk(of: content)
    guard !bytes.contains(0), let text = String(validating: bytes, as: UTF8.self) else {
        throw Problem(.badRequest, "is not text", path: info.path)
    }
    return text
}
