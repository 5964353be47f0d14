import AsyncHTTPClient
import NIOHTTP1

extension PandoClient {
    /// How the node is.
    public func status<Document: Decodable>(as type: Document.Type = NodeStatus.self) async throws -> Document {
        try await document(.GET, "/sync/status")
    }

    public func peers<Item: Decodable & Sendable>(as type: Item.Type = Peer.self) async throws -> [Item] {
        try await all("/sync/peers")
    }

    public func addPeer(_ peer: NewPeer) async throws -> JSONValue {
        try await document(.POST, "/sync/peers", body: peer, isRepeatable: false)
    }

    /// Changes what is exchanged with a peer, or what of the files a member takes part in.
    ///
    /// - Parameter paths: nil for everything.
    public func limit(_ kind: NodeKind, _ id: String, to paths: [String]?) async throws -> JSONValue {
        struct Limit: Encodable, Sendable {
            var paths: [String]?

            func encode(to encoder: any Encoder) throws {
                var container = encoder.container(keyedBy: Keys.self)
                // Null means everything, and a field that is missing no change.
                try container.encode(paths, forKey: .paths)
            }

            enum Keys: String, CodingKey { case paths = "sync_paths" }
        }
        return try await document(.PATCH, "/sync/\(kind.rawValue)/" + PercentEncoding.component(id), body: Limit(paths: paths), isRepeatable: false)
    }

    /// In what capacity a node is meant.
    public enum NodeKind: String, Sendable {
        case peer = "peers"
        case member = "members"
    }

    /// - Parameter id: the address of a peer that has never answered.
    public func removePeer(_ id: String) async throws {
        try await discard(try await send(.DELETE, "/sync/peers/" + PercentEncoding.component(id)))
    }

    public func members<Item: Decodable & Sendable>(as type: Item.Type = Member.self) async throws -> [Item] {
        try await all("/sync/members")
    }

    /// Removes a node from the cluster for good.
    public func removeMember(_ id: String) async throws {
        try await discard(try await send(.DELETE, "/sync/members/" + PercentEncoding.component(id)))
    }

    public func invite(_ invitation: NewInvitation) async throws -> Invitation {
        try await document(.POST, "/sync/invitations", body: invitation, isRepeatable: false)
    }

    /// Has the node join the cluster of the node at `address`.
    ///
    /// - Parameter fingerprint: the id of the node that has to answer there.
    public func join(address: String, token: String, fingerprint: String? = nil) async throws -> JSONValue {
        var body = ["address": address, "token": token]
        body["fingerprint"] = fingerprint
        return try await document(.POST, "/sync/join-cluster", body: body, isRepeatable: false)
    }

    /// Has the node drop the files that lie outside of what it exchanges with its peers.
    public func drop<Document: Decodable>(isDryRun: Bool, as type: Document.Type = DropOutcome.self) async throws -> Document {
        try await document(.POST, "/sync/drop", body: ["dry_run": isDryRun], isRepeatable: false)
    }

    /// Syncs with one peer, or with all, and waits for it.
    public func trigger<Document: Decodable>(peer: String? = nil, as type: Document.Type = SyncOutcomes.self) async throws -> Document {
        try await document(.POST, "/sync/trigger", body: peer.map { ["peer": $0] } ?? [:])
    }

    /// All items of a listing, page by page.
    func all<Item: Decodable & Sendable>(_ route: String, _ query: [(String, String?)] = []) async throws -> [Item] {
        var items: [Item] = []
        var cursor: String?
        repeat {
            let page: Page<Item> = try await document(.GET, route + PercentEncoding.query(query + [("after", cursor)]))
            items += page.items
            cursor = page.next
        } while cursor != nil
        return items
    }
}

// MARK: - Conflicts

extension PandoClient {
    /// One page of the conflicts at or below a path.
    public func conflicts<Item: Decodable & Sendable>(
        under prefix: String? = nil, after cursor: String? = nil, as type: Item.Type = Conflict.self
    ) async throws -> Page<Item> {
        try await document(.GET, "/sync/conflicts" + PercentEncoding.query([("prefix", prefix), ("after", cursor)]))
    }

    /// Decides a conflict.
    ///
    /// - Parameter pick: `winner`, `loser`, or a version.
    public func resolve(_ path: String, pick: String) async throws -> JSONValue {
        try await document(.POST, "/sync/conflicts" + PercentEncoding.path(path), body: ["pick": pick], isRepeatable: false)
    }
}
