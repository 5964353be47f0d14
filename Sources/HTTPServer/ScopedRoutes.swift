import Access
import Causality
import Content
import FileDatabase
import Foundation
import Hummingbird
import Merkle
import NIOCore
import Node
import Objects
import Platform
import Replication

/// The replication of callers that may not see everything: `docs/protocol.md`, "Callers with a scope". Nothing in an answer depends
/// on what the caller may not read.
func addScopedRoutes(to routes: inout Routes) {
    routes.on(.get, "/sync/scope") { call in
        try call.refuseQuery()
        return try .encoded(call.node.scope(of: call.principal))
    }
    routes.on(.post, "/sync/scoped/changes") { call in
        try call.requireSettledNode()
        var query = try call.query()
        let (tree, isPacked, hasPrefixes) = try call.treeAndPacking(&query)
        let body = try await call.collectBody(limit: ReplicationStreams.maximumChangesRequestSize)
        return try await ScopedStreams(call: call, tree: tree).changes(body, isPacked: isPacked, hasPrefixes: hasPrefixes)
    }
    routes.on(.post, "/sync/scoped/objects") { call in
        try call.requireSettledNode()
        var query = try call.query()
        let isChecked = try query.flag("check") ?? false
        let tree = try call.tree(&query)
        let body = try await call.collectBody(limit: ContentRequest.maximumSize)
        return try await ScopedStreams(call: call, tree: tree).objects(body, isChecked: isChecked)
    }
    routes.on(.post, "/sync/push/missing") { call in
        try call.requireSettledNode()
        try call.refuseQuery()
        let request = try MissingRequest(decoding: Array(buffer: await call.collectBody(limit: MissingRequest.maximumSize)))
        let missing = try await call.database.threads.run { try call.node.missing(request, from: call.principal) }
        var answer = ByteBufferAllocator().buffer(capacity: missing.count * ContentHash.byteCount)
        for hash in missing { hash.withBytes { _ = answer.writeBytes($0) } }
        return Response(status: .ok, headers: [.contentType: "application/octet-stream"], body: ResponseBody(byteBuffer: answer))
    }
    routes.on(.post, "/sync/push/objects") { call in
        try call.requireSettledNode()
        return try await takeObjects(call)
    }
    routes.on(.post, "/sync/push") { call in
        try call.requireSettledNode()
        var query = try call.query()
        let caughtUp = try query.integer("caught_up", in: 0...Int.max) ?? 0
        let (tree, isPacked, hasPrefixes) = try call.treeAndPacking(&query)
        var body = Array(buffer: try await call.collectBody(limit: PushPart.maximumSize))
        if hasPrefixes {
            let (packed, view) = (body, call.database.view)
            let shared = SharedRegisters(view.head[tree], readableBy: call.rules(of: tree), in: view)
            body = try await call.database.threads.run { try shared.unpack(packed, limit: PushPart.maximumSize) }
        } else if isPacked {
            body = try PackedRecords.unpack(body, limit: PushPart.maximumSize)
        }
        let part = try PushPart(decoding: body)
        switch try await call.node.take(part, into: tree, from: call.principal, caughtUp: Timestamp(rawValue: UInt64(caughtUp))) {
        case .goOn(let ticket):
            return .json { json in json.object { $0.field("ticket", Data(ticket).base64EncodedString()) } }
        case .done(let entries, let cursor):
            return .json { json in
                json.object { json in
                    json.field("entries", entries)
                    json.field("cursor", cursor.map { Data($0).base64EncodedString() })
                }
            }
        case .refused(let refusals, let missing): throw Problem(refused: refusals, missing: missing)
        }
    }
}

extension Problem {
    /// A part of a push that cannot be taken as it is.
    fileprivate init(refused: [Refusal], missing: [ContentHash]) {
        let status: HTTPResponse.Status = switch refused.first?.code {
        case .forbidden, .discards: .forbidden
        case .foreign, .invalid, .future: .badRequest
        case .unseen, .stale, nil: .conflict
        }
        let detail = refused.first.map { "\(refused.count) records cannot be taken; '\($0.path)' \($0.reason)" }
        self.init(status, detail ?? "\(missing.count) objects are not here; send them first")
        self.refused = refused
        self.missing = missing
    }
}

extension Call {
    /// The tree that the query names, whether records are packed, and whether after prefixes.
    /// - Throws: 403 for the cluster's own tree, which only full members share.
    fileprivate func treeAndPacking(_ query: inout Query) throws -> (tree: Tree, isPacked: Bool, hasPrefixes: Bool) {
        let (isPacked, hasPrefixes) = (try query.flag("packed") ?? false, try query.flag("prefixes") ?? false)
        guard isPacked || !hasPrefixes else { throw Problem(.badRequest, "'prefixes' are of packed records") }
        return (try tree(&query), isPacked, hasPrefixes)
    }

    /// What the caller may do in a tree. Limits are of files, and those who see the system tree see all of it.
    func rules(of tree: Tree) -> RuleSet { tree == .system ? .everything : principal.rules }

    fileprivate func tree(_ query: inout Query) throws -> Tree {
        let name = query.text("tree") ?? Tree.files.rawValue
        try query.finish()
        guard let tree = Tree(rawValue: name) else { throw Problem(.badRequest, "'tree' must be files or system") }
        guard tree == .files || principal.seesSystem else { throw Problem(.forbidden, "only full members share the cluster's own tree") }
        return tree
    }
}
