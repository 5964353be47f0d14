import Access
import Content
import FileDatabase
import Foundation
import HTTPTypes
import Hummingbird
import Merkle
import NIOCore
import Node

/// The routes between nodes, and those that look after peers and members.
func addReplicationRoutes(to routes: inout Routes) {
    addStatusRoutes(to: &routes)
    addPeerRoutes(to: &routes)
    addMemberRoutes(to: &routes)
    addObjectRoutes(to: &routes)
    addScopedRoutes(to: &routes)
}

// MARK: - Status

private func addStatusRoutes(to routes: inout Routes) {
    // Whom a node has to name in its token before it can ask for anything else.
    routes.on(.get, "/sync/identity", access: .open) { call in
        try .encoded(call.node.identity)
    }
    routes.on(.get, "/sync/status") { call in
        try call.refuseQuery()
        return try .encoded(call.node.status(for: call.principal))
    }
    routes.on(.post, "/sync/heartbeat") { call in
        let arrived = call.node.clock.wallMicroseconds()
        if call.principal.node == nil { try call.requireMember() }
        var fields = try await call.fields()
        let beat = Heartbeat(
            intentTime: UInt64(try fields.requiredInteger("intent_time", in: 0...Call.latestTime)),
            constructTime: UInt64(try fields.requiredInteger("construct_time", in: 0...Call.latestTime)),
            nodeID: try Call.nodeID(fields.requiredText("node_id")).description)
        try fields.finish()
        return try .encoded(call.node.answer(beat, from: call.principal.node, arrived: arrived))
    }
    routes.on(.post, "/sync/trigger") { call in
        try call.requireOwner()
        var fields = try await call.fields(orNone: true)
        let peer = try fields.text("peer").map { try Call.nodeID($0) }
        try fields.finish()
        struct Answer: Encodable { var peers: [SyncReport] }
        return try .encoded(Answer(peers: await call.node.trigger(peer)))
    }
    routes.on(.post, "/sync/drop") { call in
        try call.requireOwner()
        var fields = try await call.fields(orNone: true)
        let isDryRun = try fields.flag("dry_run") ?? false
        try fields.finish()
        let result = try await call.node.dropOutside(isDryRun: isDryRun)
        return .json { json in
            json.object { json in
                json.field("files", result.files)
                json.field("bytes", result.bytes)
                json.key("kept")
                json.array { json in
                    for path in result.kept { json.value(path.description) }
                }
                json.field("kept_count", result.keptCount)
            }
        }
    }
    // What a full member has that has pushed everything.
    routes.on(.post, "/sync/acknowledge") { call in
        try call.requireSettledNode()
        var fields = try await call.fields()
        let clock = try fields.requiredInteger("clock", in: 0...Int.max)
        let caughtUp = try fields.requiredInteger("caught_up", in: 0...Int.max)
        let seen = try fields.integers("seen", in: 0...Int.max) ?? [:]
        try fields.finish()
        try await call.node.acknowledge(UInt64(clock), seen: seen.mapValues { UInt64($0) }, caughtUp: UInt64(caughtUp), from: call.principal)
        return .json { json in json.object { _ in } }
    }
}

// MARK: - Peers

private func addPeerRoutes(to routes: inout Routes) {
    routes.on(.get, "/sync/peers") { call in
        try call.requireMember()
        return try .encoded(ItemPage(call.node.peers(), call) { $0.nodeID ?? $0.address })
    }
    routes.on(.post, "/sync/peers") { call in
        try call.requireOwner()
        var fields = try await call.fields()
        let address = try fields.requiredText("address")
        let label = try fields.text("label")
        let paths = try fields.texts("sync_paths")
        let token = try fields.text("token")
        let fingerprint = try fields.text("fingerprint")
        try fields.finish()
        let peer = try await call.node.addPeer(address: address, label: label, syncPaths: paths, token: token, fingerprint: fingerprint)
        return try .encoded(peer, status: .created)
    }
    routes.on(.patch, "/sync/peers/{node_id}") { call in
        try call.requireOwner()
        let peer = try Call.peer(call.capture(0))
        var fields = try await call.fields()
        let label = try fields.text("label")
        let hasPaths = fields.contains("sync_paths")
        let paths = try fields.texts("sync_paths")
        try fields.finish()
        return try .encoded(await call.node.updatePeer(peer, label: label, syncPaths: hasPaths ? .some(paths) : nil))
    }
    routes.on(.delete, "/sync/peers/{node_id}") { call in
        try call.requireOwner()
        try await call.node.removePeer(Call.peer(call.capture(0)))
        return Response(status: .noContent)
    }
}

// MARK: - Members

private func addMemberRoutes(to routes: inout Routes) {
    routes.on(.post, "/sync/invitations") { call in
        try call.requireOwner()
        var fields = try await call.fields(orNone: true)
        let label = try fields.text("label")
        let lifetime = try fields.integer("expires_in", in: 1...Int(Node.maximumInvitationLifetime))
        let paths = try fields.texts("sync_paths")
        try fields.finish()
        let (invitation, expiresAt) = try call.node.invite(label: label, expiresIn: lifetime.map(TimeInterval.init), syncPaths: paths)
        return .json(.created) { json in
            json.object { json in
                json.field("invitation", invitation)
                json.field("expires_at", time: Int64(expiresAt.timeIntervalSince1970 * 1000) * 1_000_000)
            }
        }
    }
    routes.on(.post, "/sync/join", access: .open) { call in
        var fields = try await call.fields()
        let request = JoinRequest(
            token: try fields.requiredText("token"), nodeID: try fields.requiredText("node_id"),
            publicKey: try fields.requiredText("public_key"), label: try fields.text("label"), address: try fields.text("address"),
            signature: try fields.requiredText("signature"))
        try fields.finish()
        return try .encoded(await call.node.admit(request, client: call.client))
    }
    // Tells this node to join, as `pando join` does.
    routes.on(.post, "/sync/join-cluster") { call in
        try call.requireOwner()
        var fields = try await call.fields()
        let address = try fields.requiredText("address")
        let token = try fields.requiredText("token")
        let paths = try fields.texts("sync_paths")
        let fingerprint = try fields.text("fingerprint")
        try fields.finish()
        try await call.node.join(address: address, token: token, syncPaths: paths, fingerprint: fingerprint)
        return try .encoded(call.node.status())
    }
    routes.on(.get, "/sync/members") { call in
        try call.requireMember()
        return try .encoded(ItemPage(call.node.members(), call, key: \.nodeID))
    }
    routes.on(.patch, "/sync/members/{node_id}") { call in
        try call.requireOwner()
        let member = try Call.nodeID(call.capture(0))
        var fields = try await call.fields()
        guard fields.contains("sync_paths") else { throw Problem(.badRequest, "'sync_paths' is what can be changed: a list of patterns, or null") }
        let paths = try fields.texts("sync_paths")
        try fields.finish()
        try await call.node.limitMember(member, to: paths)
        return try .encoded(call.node.members().first { $0.nodeID == member.description })
    }
    routes.on(.delete, "/sync/members/{node_id}") { call in
        try call.requireOwner()
        try await call.node.removeMember(Call.nodeID(call.capture(0)))
        return Response(status: .noContent)
    }
}

// MARK: - Objects

private func addObjectRoutes(to routes: inout Routes) {
    routes.on(.post, "/sync/nodes") { call in
        try await objects(call, kinds: [.tree, .manifest, .attributes])
    }
    routes.on(.post, "/sync/chunks") { call in
        try await objects(call, kinds: [.chunk])
    }
    routes.on(.post, "/sync/changes") { call in
        try call.requireSettledMember()
        var query = try call.query()
        let name = query.text("tree") ?? Tree.files.rawValue
        try query.finish()
        guard let tree = Tree(rawValue: name) else { throw Problem(.badRequest, "'tree' must be files or system") }
        let body = try await call.collectBody(limit: ReplicationStreams.maximumChangesRequestSize)
        return try await ReplicationStreams(node: call.node).changes(body, in: tree)
    }
    // The receiver pulls from the sender, for whom it has an address.
    routes.on(.post, "/sync/pull") { call in
        guard case .node(let sender) = call.principal.identity else {
            throw Problem(.forbidden, "only a member can ask to be pulled from; use /sync/trigger")
        }
        try call.requireSettledNode()
        return try .encoded(await call.node.pull(from: sender))
    }
}

/// `?check=true`: what is damaged here is found out, and answered as absent.
private func objects(_ call: Call, kinds: Set<ObjectKind>) async throws -> Response {
    try call.requireSettledMember()
    var query = try call.query()
    let isChecked = try query.flag("check") ?? false
    try query.finish()
    let body = try await call.collectBody(limit: ReplicationStreams.maximumRequestSize)
    return try ReplicationStreams(node: call.node).objects(body, kinds: kinds, isChecked: isChecked)
}

// MARK: - Who may

extension Call {
    /// Full members, and people who may do everything: the routes between nodes show everything.
    fileprivate func requireMember() throws(Problem) {
        guard principal.rules.isUnrestricted, principal.seesSystem else {
            throw Problem(.forbidden, "this is for the cluster's full members and for keys with all rights")
        }
    }

    /// The same, and of nodes only those whose clocks are settled: what the trees hold is not shown in the honeymoon.
    fileprivate func requireSettledMember() throws {
        try requireMember()
        if let caller = principal.node { try node.requireSettled(caller) }
    }

    /// Nodes, clients that are one among them, whose clocks are settled.
    func requireSettledNode() throws {
        guard let caller = principal.node else {
            throw Problem(.forbidden, "this is for nodes; get the token with a node's key, as docs/protocol.md says")
        }
        try node.requireSettled(caller)
    }

    /// Microseconds since 1970, in the year 9999.
    static let latestTime = 253_402_300_799_000_000

    /// People who run the node.
    func requireOwner() throws(Problem) {
        try requirePerson()
        try requireMember()
    }

    /// Anyone but a node.
    func requirePerson() throws(Problem) {
        if case .node = principal.identity { throw Problem(.forbidden, "this is for people, not for nodes") }
    }

    /// A peer's id, or the address of one whose id is not known yet.
    fileprivate static func peer(_ text: String) throws(Problem) -> PeerName {
        if let id = NodeID(text) { return .node(id) }
        guard let address = try? Node.checkedAddress(text) else {
            throw Problem(
                .badRequest, "'\(text.prefix(80))' is neither a node id, of 64 lower-case hexadecimal digits, nor an address like http://host:6830")
        }
        return .address(address)
    }

    fileprivate static func nodeID(_ text: String) throws(Problem) -> NodeID {
        guard let id = NodeID(text) else {
            throw Problem(.badRequest, "'\(text.prefix(80))' is not a node id: 64 lower-case hexadecimal digits")
        }
        return id
    }
}

extension Response {
    static func encoded(_ value: some Encodable, status: HTTPResponse.Status = .ok) throws -> Response {
        .json(status, ByteBuffer(bytes: try JSON.encode(value)))
    }
}
