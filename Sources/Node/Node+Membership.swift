import Access
import Content
import FileDatabase
import Foundation
import Logging
import Merkle
import Platform
import Synchronization

/// What a node that wants to join sends to a member.
public struct JoinRequest: Codable, Sendable {
    /// An invitation, or an API key with all rights.
    public var token: String
    public var nodeID: String
    public var publicKey: String
    public var label: String?
    /// Where the new node can be reached; without it, it cannot be connected to.
    public var address: String?
    /// Shows that the sender holds the node's key.
    public var signature: String

    public init(token: String, nodeID: String, publicKey: String, label: String?, address: String?, signature: String) {
        self.token = token
        self.nodeID = nodeID
        self.publicKey = publicKey
        self.label = label
        self.address = address
        self.signature = signature
    }
}

/// What the member answers.
public struct JoinAnswer: Codable, Sendable {
    public var clusterID: String
    public var nodeID: String
    public var publicKey: String
    public var label: String?
    public var syncPaths: [String]?
    /// Shows that the answer comes from the holder of the key, for this request.
    public var signature: String
}

/// A one-time invitation: `pandoinv_ID_SECRET_NODE`. The node's id in it is the fingerprint by which the guest knows that
/// it speaks with the inviter.
struct Invitation {
    static let prefix = "pandoinv"

    var id: String
    var secret: String
    var node: NodeID

    var text: String { "\(Invitation.prefix)_\(id)_\(secret)_\(node)" }
    var secretHash: ContentHash { ContentHash(sha256: secret.utf8) }

    init(id: String, secret: String, node: NodeID) {
        self.id = id
        self.secret = secret
        self.node = node
    }

    init?(_ text: String) {
        let parts = text.split(separator: "_", omittingEmptySubsequences: false)
        guard parts.count == 4, parts[0] == Invitation.prefix, let node = NodeID(String(parts[3])) else { return nil }
        self.init(id: String(parts[1]), secret: String(parts[2]), node: node)
    }
}

/// A member as users see it.
public struct MemberInfo: Codable, Sendable {
    public var nodeID: String
    public var label: String?
    public var address: String?
    public var joinedAt: String
    /// What of the files it takes part in; nil for a full member.
    public var syncPaths: [String]?
    public var isSelf: Bool
}

extension Node {
    public static let defaultInvitationLifetime: TimeInterval = 24 * 3600
    public static let maximumInvitationLifetime: TimeInterval = 365 * 24 * 3600
    /// Invitations that are out at once.
    private static let maximumInvitations = 1000

    public func invite(label: String?, expiresIn: TimeInterval?, syncPaths: [String]?) throws -> (invitation: String, expiresAt: Date) {
        let lifetime = expiresIn ?? Node.defaultInvitationLifetime
        guard lifetime > 0, lifetime <= Node.maximumInvitationLifetime else {
            throw NodeError(.invalid, "expires_in must be between 1 and \(Int(Node.maximumInvitationLifetime)) seconds")
        }
        try Node.check(syncPaths: syncPaths)
        let random = randomness
        let invitation = Invitation(id: random.bytes(8).hex, secret: random.bytes(32).hex, node: id)
        let now = clock.date
        let expiresAt = now.addingTimeInterval(lifetime)
        try local.change { state in
            state.invitations.removeAll { $0.isUsed || $0.expiresAt < now }
            guard state.invitations.count < Node.maximumInvitations else {
                throw NodeError(.conflict, "\(Node.maximumInvitations) invitations are out; let some expire first")
            }
            state.invitations.append(LocalState.Invitation(
                id: invitation.id, secretHash: invitation.secretHash.description, label: label, syncPaths: syncPaths,
                expiresAt: expiresAt))
        }
        return (invitation.text, expiresAt)
    }

    /// Lets a node into the cluster, as the member that it asked.
    ///
    /// - Parameter client: the address that the request came from.
    public func admit(_ request: JoinRequest, client: String) async throws -> JoinAnswer {
        let now = clock.date
        if let wait = guesses.withLock({ $0.wait(for: client, now: now) }) {
            throw NodeError(.tooManyRequests, "too many wrong invitations; wait \(wait) seconds", retryAfter: wait)
        }
        guard let guest = NodeID(request.nodeID), let publicKey = [UInt8](hex: request.publicKey), NodeID(publicKey: publicKey) == guest,
            let signature = [UInt8](hex: request.signature),
            NodeKey.isValid(signature, for: Node.joinMessage(token: request.token, guest: guest), publicKey: publicKey)
        else { throw NodeError(.invalid, "the join request is not signed by the key of the node that it names") }
        guard guest != id else { throw NodeError(.conflict, "a node cannot join itself") }
        let address = try request.address.map(Node.checkedAddress)
        guard request.label?.utf8.count ?? 0 <= Node.maximumLabelLength else {
            throw NodeError(.invalid, "the label is longer than \(Node.maximumLabelLength) bytes")
        }
        let cluster = try cluster()
        guard let clusterID = cluster.id else { throw NodeError(.unavailable, "this node belongs to no cluster yet") }
        var invitation: LocalState.Invitation?
        if key(request.token, cluster, now: now)?.ruleSet.isUnrestricted != true {
            // Used up before anything else happens: a second guest with the same one comes too late, whatever fails here.
            invitation = try useUp(request.token, guest: guest, now: now, client: client)
        }
        let label = request.label ?? invitation?.label
        let member = ClusterDocument.Member(
            nodeID: guest.description, publicKey: request.publicKey, label: label, address: address, joinedAt: now,
            syncPaths: invitation?.syncPaths)
        try await database.setDocument(ClusterDocument.encode(member), at: ClusterDocument.member(guest))
        if let address {
            try await remember(LocalState.Peer(
                nodeID: guest.description, label: label, address: address, syncPaths: nil))
        }
        // The other members have to know the new one before it can talk to them.
        let others = allLinks().filter { $0.nodeID != guest }
        if !isLive.withLock({ $0 }), !others.isEmpty { Task { for link in others { _ = await sync(with: link) } } }
        logger.notice("admitted a node", metadata: ["node": "\(guest.short)", "label": "\(label ?? "")"])
        return JoinAnswer(
            clusterID: clusterID, nodeID: id.description, publicKey: self.key.publicKey.hex, label: self.label,
            syncPaths: invitation?.syncPaths,
            signature: try self.key.signature(for: Node.welcomeMessage(
                token: request.token, guest: guest, host: id, cluster: clusterID, paths: invitation?.syncPaths)).hex)
    }

    private func useUp(_ token: String, guest: NodeID, now: Date, client: String) throws -> LocalState.Invitation {
        func refuse(_ reason: String) -> NodeError {
            guesses.withLock { $0.note(client, now: now) }
            return NodeError(.forbidden, reason)
        }
        guard let shown = Invitation(token) else {
            throw refuse("the token is neither an invitation nor a key with all rights of this cluster")
        }
        guard shown.node == id else {
            throw refuse("the invitation is of node \(shown.node.short), and this is \(id.short); use the inviter's address")
        }
        return try local.change { state in
            guard let index = state.invitations.firstIndex(where: { $0.id == shown.id && $0.secretHash == shown.secretHash.description })
            else { throw refuse("the invitation is unknown here; ask for a new one") }
            let used = state.invitations[index]
            guard !used.isUsed || used.usedBy == guest.description else { throw refuse("the invitation was used before; ask for a new one") }
            guard state.invitations[index].expiresAt > now else { throw refuse("the invitation has expired; ask for a new one") }
            state.invitations[index].isUsed = true
            state.invitations[index].usedBy = guest.description
            return state.invitations[index]
        }
    }

    /// Makes this node a member of the cluster of the node at an address, and the two peers of each other.
    ///
    /// The files that are here stay, and come into the cluster with the next sync; so do this node's keys.
    ///
    /// - Parameter fingerprint: the id of the node that has to answer, and is told the token. Without it, and without an invitation,
    ///   which names its node, it is whoever answers first, which is logged.
    public func join(address: String, token: String, syncPaths: [String]? = nil, fingerprint: String? = nil) async throws {
        let address = try Node.checkedAddress(address)
        try Node.check(syncPaths: syncPaths)
        let own = try cluster()
        let expected = try await host(at: address, token: token, fingerprint: fingerprint)
        let request = JoinRequest(
            token: token, nodeID: id.description, publicKey: key.publicKey.hex, label: label, address: ownAddress,
            signature: try key.signature(for: Node.joinMessage(token: token, guest: id)).hex)
        let response = try await transport.send(TransportRequest(
            .post, "/sync/join", at: address, node: expected, contentType: "application/json", body: .bytes(JSON.encode(request))))
        let body = try await response.body.collect(limit: 64 << 10)
        guard response.status == 200 || response.status == 201 else {
            struct Problem: Decodable { var detail: String? }
            let detail = (try? JSON.decode(Problem.self, body))?.detail ?? "status \(response.status)"
            let code: NodeError.Code = response.status == 429 ? .tooManyRequests : response.status >= 500 ? .unavailable : .forbidden
            throw NodeError(code, "the node at \(address) says: \(detail)")
        }
        let answer = try JSON.decode(JoinAnswer.self, body)
        guard let host = NodeID(answer.nodeID), response.node == nil || response.node == host,
            let publicKey = [UInt8](hex: answer.publicKey), NodeID(publicKey: publicKey) == host,
            let signature = [UInt8](hex: answer.signature),
            NodeKey.isValid(
                signature, for: Node.welcomeMessage(token: token, guest: id, host: host, cluster: answer.clusterID, paths: answer.syncPaths),
                publicKey: publicKey)
        else { throw NodeError(.forbidden, "what answers at \(address) does not hold the key that it shows") }
        guard expected == host else {
            throw NodeError(.forbidden, "what answers at \(address) is not node \(expected.short), which is expected there")
        }
        let peer = LocalState.Peer(nodeID: host.description, label: answer.label, address: address, syncPaths: syncPaths)
        let link = try await remember(peer)
        if own.id != answer.clusterID {
            // This cluster's time counts no more.
            clock.settle(false)
            try await meet(link, mustBeMember: false)
            try await adoptSystem(of: link)
            let keys = try own.keys.values.map { (ClusterDocument.key($0.id), try ClusterDocument.encode($0)) as (TreePath, [UInt8]?) }
            try await database.setDocuments(keys)
        }
        logger.notice("joined a cluster", metadata: ["cluster": "\(answer.clusterID)", "peer": "\(host.short)"])
    }

    /// The node that may be told a token: over TLS nobody else is, and without it nobody who does not at least call itself so.
    private func host(at address: String, token: String, fingerprint: String?) async throws -> NodeID {
        let named = try fingerprint.map { text in
            guard let id = NodeID(text) else { throw NodeError(.invalid, "a fingerprint is a node's id: 64 lower-case hexadecimal digits") }
            return id
        }
        if let invitation = Invitation(token) {
            guard named ?? invitation.node == invitation.node else {
                throw NodeError(.invalid, "the invitation is of node \(invitation.node.short), and the fingerprint is another's")
            }
            return invitation.node
        }
        let response = try await transport.send(TransportRequest(.get, "/sync/identity", at: address, node: named, timeoutSeconds: 10))
        guard response.status == 200, let identity = try? JSON.decode(NodeIdentity.self, await response.body.collect(limit: 4096)),
            let id = NodeID(identity.nodeID), response.node == nil || response.node == id
        else { throw NodeError(.unavailable, "what answers at \(address) is not a Pando node") }
        guard let named else {
            logger.warning(
                "nobody vouches for the node whose cluster is joined; compare its id with what 'pando status' shows there",
                metadata: ["node": "\(id)", "address": "\(address)"])
            return id
        }
        guard named == id else {
            throw NodeError(.forbidden, "node \(id.short) answers at \(address), where node \(named.short) is expected; it was told nothing")
        }
        return id
    }

    /// Adds a peer that is a member already, or joins its cluster where a token is given.
    public func addPeer(
        address: String, label: String?, syncPaths: [String]?, token: String?, fingerprint: String? = nil
    ) async throws -> PeerInfo {
        let address = try Node.checkedAddress(address)
        try Node.check(syncPaths: syncPaths)
        guard address != ownAddress else { throw Node.isItself(address) }
        var pending: PeerLink.PendingJoin?
        if let token {
            do {
                try await join(address: address, token: token, syncPaths: syncPaths, fingerprint: fingerprint)
            } catch let error as TransportError where error.isUnreachable {
                pending = PeerLink.PendingJoin(token: token, label: label, fingerprint: fingerprint)
            }
        }
        let known = local.value.peers.first { $0.address == address }
        let link = try await remember(LocalState.Peer(
            nodeID: known?.nodeID ?? pending.flatMap { $0.node?.description }, label: label ?? known?.label, address: address,
            syncPaths: syncPaths ?? known?.syncPaths))
        if let pending {
            link.state.withLock { $0.pendingJoin = pending }
            return info(of: link)
        }
        do {
            _ = try await identify(link)
        } catch let error as NodeError where error.reason == Node.isItself(address).reason {
            try await removePeer(.address(address))
            throw error
        } catch {
            // Whether it answers is no matter here; it is tried again.
        }
        return info(of: link)
    }

    /// Joins the cluster of a peer that did not answer when it was added with a token.
    ///
    /// The token is kept in memory alone, and until the peer says no to it.
    func joinPending(_ link: PeerLink) async throws {
        guard let pending = link.state.withLock({ state in
            defer { state.pendingJoin = nil }
            return state.pendingJoin
        }) else { return }
        do {
            // So that what follows finds this link under the peer's id.
            let id = try await identify(link)
            let (address, paths) = link.state.withLock { ($0.address, $0.syncPaths) }
            try await join(address: address, token: pending.token, syncPaths: paths, fingerprint: pending.fingerprint)
            if let label = pending.label { _ = try await updatePeer(id, label: label, syncPaths: nil) }
        } catch let error as NodeError where [.forbidden, .invalid, .conflict].contains(error.code) {
            logger.warning("a peer that was added with a token does not let this node in", metadata: ["peer": "\(link.name)", "reason": "\(error.reason)"])
            throw error
        } catch {
            link.state.withLock { $0.pendingJoin = $0.pendingJoin ?? pending }
            throw error
        }
    }

    /// An address as peers are remembered by it.
    ///
    /// - Throws: `NodeError(.invalid)` for a text that is none.
    public static func checkedAddress(_ text: String) throws -> String {
        guard let url = URL(string: text), let scheme = url.scheme, ["http", "https"].contains(scheme), url.host?.isEmpty == false,
            url.user == nil, url.password == nil, url.query == nil, url.fragment == nil, ["", "/"].contains(url.path),
            (1...65_535).contains(url.port ?? 6830), text.utf8.count <= 255
        else { throw NodeError(.invalid, "'\(text.prefix(200))' is not an address; it should look like http://host:6830") }
        return text.hasSuffix("/") ? String(text.dropLast()) : text
    }

    @discardableResult
    private func remember(_ peer: LocalState.Peer) async throws -> PeerLink {
        try await database.threads.run { [local] in
            try local.change { state in
                if let index = state.peers.firstIndex(where: {
                    // Whoever gives another's address does not take its place.
                    $0.nodeID == nil || peer.nodeID == nil ? $0.address == peer.address : $0.nodeID == peer.nodeID
                }) {
                    state.peers[index] = peer
                } else {
                    state.peers.append(peer)
                }
            }
        }
        let link = link(for: peer)
        link.state.withLock { state in
            state.address = peer.address
            state.label = peer.label ?? state.label
            state.setPaths(peer.syncPaths)
        }
        link.wake.ring()
        return link
    }

    public func members() throws -> [MemberInfo] {
        try cluster().members.values.sorted { $0.nodeID < $1.nodeID }.map { member in
            MemberInfo(
                nodeID: member.nodeID, label: member.label, address: member.address, joinedAt: member.joinedAt.rfc3339,
                syncPaths: member.syncPaths, isSelf: member.nodeID == id.description)
        }
    }

    public func isMember(_ node: NodeID) throws -> Bool {
        try cluster().members[node] != nil
    }

    /// Removes a member for good. Its requests and tokens fail wherever this is known.
    public func removeMember(_ node: NodeID) async throws {
        guard node != id else { throw NodeError(.conflict, "a node cannot remove itself; ask another member to") }
        guard try cluster().members[node] != nil else { throw NodeError(.notFound, "no member has the id \(node)") }
        try await database.setDocument(nil, at: ClusterDocument.member(node))
        try forget(node)
    }

    /// Whether a node was a member and is none any more. One that is not known yet may have joined elsewhere.
    func wasRemoved(_ node: NodeID) throws -> Bool {
        guard try cluster().members[node] == nil else { return false }
        return try database.view.entry(at: ClusterDocument.member(node), in: .system)?.register != nil
    }

    func forget(_ node: NodeID) throws {
        try local.change { state in state.peers.removeAll { $0.nodeID == node.description } }
        if let link = links.withLock({ $0.removeValue(forKey: node.description) }) { stopKeepingInTouch(with: link) }
    }

    private static func joinMessage(token: String, guest: NodeID) -> [UInt8] {
        Array("pando join\n\(ContentHash(sha256: token.utf8))\n\(guest)".utf8)
    }

    private static func welcomeMessage(token: String, guest: NodeID, host: NodeID, cluster: String, paths: [String]?) -> [UInt8] {
        let lines = ["pando welcome", ContentHash(sha256: token.utf8).description, guest.description, host.description, cluster]
        return Array((lines + (paths ?? [])).joined(separator: "\n").utf8)
    }
}

extension Date {
    /// RFC 3339 in UTC with milliseconds.
    var rfc3339: String {
        formatted(Date.ISO8601FormatStyle(includingFractionalSeconds: true))
    }
}
