import Access
import Causality
import Content
import FileDatabase
import Hummingbird
import Merkle
import NIOCore
import Node
import Objects
import Platform

/// For programs that send many files, or files of which the node has most chunks: `docs/protocol.md`, "Bulk routes".
func addBulkRoutes(to routes: inout Routes) {
    routes.on(.post, "/bulk/missing") { try await missingObjects($0) }
    routes.on(.post, "/bulk/objects") { try await takeObjects($0) }
    routes.on(.post, "/bulk/commit") { try await commit($0) }
}

// MARK: - /bulk/missing

private func missingObjects(_ call: Call) async throws -> Response {
    try call.refuseQuery()
    let body = try await call.collectBody(limit: ServerLimits.bulkItems * ContentHash.byteCount)
    guard body.readableBytes % ContentHash.byteCount == 0 else {
        throw Problem(.badRequest, "the body must be hashes of \(ContentHash.byteCount) bytes each")
    }
    let hashes = body.withUnsafeReadableBytes { bytes in
        stride(from: 0, to: bytes.count, by: ContentHash.byteCount).map {
            ContentHash(UnsafeRawBufferPointer(rebasing: bytes[$0..<$0 + ContentHash.byteCount]))
        }
    }
    // To others than those with all rights all is missing but what they have sent themselves: what is here may belong to files
    // that they must not know of, and not even the time of a look for it may tell.
    let unproven = call.principal.rules.isUnrestricted ? [] : Set(call.node.uploads.unproven(hashes, of: call.principal.identity))
    let store = call.database.store
    let answer = try await call.database.threads.run {
        let absent = Set(try store.missing(among: hashes.filter { !unproven.contains($0) })).union(unproven)
        var answer = ByteBufferAllocator().buffer(capacity: hashes.count * ContentHash.byteCount)
        for hash in hashes where absent.contains(hash) { hash.withBytes { _ = answer.writeBytes($0) } }
        return answer
    }
    return Response(status: .ok, headers: [.contentType: "application/octet-stream"], body: ResponseBody(byteBuffer: answer))
}

// MARK: - /bulk/commit

private func commit(_ call: Call) async throws -> Response {
    try call.refuseQuery()
    let body = try await call.collectBody(limit: ServerLimits.bulkCommitBody)
    let (database, ledger) = (call.database, call.node.uploads)
    let items = try await database.threads.run {
        let items = try decodeItems(Array(buffer: body))
        for item in items {
            try Call.refuseView(item.path)
            try call.require(.write, item.path)
        }
        if !call.principal.rules.isUnrestricted {
            // Who names an object gets to read it, so it must be one that they have shown to have.
            let identity = call.principal.identity
            let needed = try database.objects(of: items) { ledger.unproven([$0], of: identity).isEmpty }
            let unproven = ledger.unproven(needed.map(\.hash), of: identity)
            guard unproven.isEmpty else {
                var problem = Problem(.badRequest, "\(unproven.count) objects are not here; send them first")
                problem.missing = unproven
                throw problem
            }
        }
        return items
    }
    let result = try await database.put(items)
    return .json { json in
        json.object { json in
            json.field("created", result.created)
            json.field("replaced", result.replaced)
            json.field("unchanged", result.unchanged)
            // It names the whole state, of which others see a part.
            json.field("commit", call.principal.seesEverything ? result.commit : nil)
        }
    }
}

private func decodeItems(_ bytes: [UInt8]) throws -> [FileDatabase.BulkItem] {
    var decoder = CanonicalDecoder(bytes)
    let count = try decoder.readCount(limit: ServerLimits.bulkItems)
    var items: [FileDatabase.BulkItem] = []
    // Not more than the body can hold, whatever it says: a path, a flag and a value have four bytes at the least.
    items.reserveCapacity(min(count, bytes.count / 4))
    for _ in 0..<count {
        let path = try Call.filePath(try decoder.readText(limit: TreePath.maximumLength))
        let flags = try decoder.readByte()
        guard flags <= 1 else { throw decoder.malformed("unknown flags \(flags) of '\(path)'") }
        let value = try Value(from: &decoder)
        try check(value, path)
        items.append(FileDatabase.BulkItem(path: path, value: value, mustBeNew: flags == 1))
    }
    try decoder.finish()
    return items
}

private func check(_ value: Value, _ path: TreePath) throws(Problem) {
    guard !value.isTombstone else { throw Problem(.badRequest, "files are deleted with DELETE /files/PATH, not here", path: path) }
    if let fault = value.fileFault { throw Problem(.badRequest, fault, path: path) }
}
