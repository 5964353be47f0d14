import Access
import Content
import Foundation
import Merkle
import Platform
import Synchronization

/// What this node knows of a peer, and how it talks to it.
final class PeerLink: Sendable {
    struct State {
        var nodeID: NodeID?
        var label: String?
        var address: String
        var syncPaths: [String]?
        var isActive = false
        /// Why it is not active, in words.
        var reason: String? = "not contacted yet"
        var lastSyncAt: Date?
        /// The peer's roots when they were last joined here: where the next sync goes on from.
        var joined: [String: ContentHash] = [:]
        var root: ContentHash?
        var bytesReceived: UInt64 = 0
        var bytesSent: UInt64 = 0
        var token: (text: String, expiresAt: Int64)?
    }

    let state: Mutex<State>
    /// Pulls from one peer follow each other: two at once would fetch the same things twice.
    let pulls = Turn()

    init(_ peer: LocalState.Peer) {
        state = Mutex(State(
            nodeID: peer.nodeID.flatMap { NodeID($0) }, label: peer.label, address: peer.address, syncPaths: peer.syncPaths))
    }

    var address: String { state.withLock { $0.address } }
    var nodeID: NodeID? { state.withLock { $0.nodeID } }

    /// Names the peer where its id is not known yet.
    var name: String { state.withLock { $0.nodeID?.short ?? $0.address } }
}

extension Node {
    /// The link to a peer of the local state; made at the first call.
    func link(for peer: LocalState.Peer) -> PeerLink {
        links.withLock { links in
            let name = peer.nodeID ?? peer.address
            if let link = links[name] { return link }
            let link = PeerLink(peer)
            links[name] = link
            return link
        }
    }

    /// The links to all peers, in a fixed order.
    func allLinks() -> [PeerLink] {
        links.withLock { links in links.sorted { $0.key < $1.key }.map(\.value) }
    }

    /// A token for a peer, from the last minute or new.
    func token(for link: PeerLink, receiver: NodeID) async throws -> String {
        let now = Int64(Date().timeIntervalSince1970)
        if let token = link.state.withLock({ $0.token }), token.expiresAt > now + 15 { return token.text }
        let claims = TokenClaims(
            iss: id.description, sub: id.description, aud: receiver.description, kind: .node, iat: now,
            exp: now + TokenClaims.nodeLifetime, jti: UUID().uuidString)
        let text = try await Tokens.sign(claims, with: key)
        link.state.withLock { $0.token = (text, claims.exp) }
        return text
    }

    /// Sends a request to a peer in this node's name.
    func send(
        _ method: TransportRequest.Method, _ path: String, to link: PeerLink, body: [UInt8] = [],
        contentType: String = "application/octet-stream", timeoutSeconds: Int = 30
    ) async throws -> TransportResponse {
        let receiver = try await identify(link)
        let token = try await token(for: link, receiver: receiver)
        let response = try await transport.send(TransportRequest(
            method, path, at: link.address, token: token, contentType: contentType, body: body, timeoutSeconds: timeoutSeconds))
        link.state.withLock { $0.bytesSent += UInt64(body.count) }
        guard response.status == 200 || response.status == 201 else {
            throw await refusal(response, by: link)
        }
        return response
    }

    /// Who answers at a peer's address, where that is not known yet.
    func identify(_ link: PeerLink) async throws -> NodeID {
        if let id = link.nodeID { return id }
        let response = try await transport.send(TransportRequest(.get, "/sync/identity", at: link.address, timeoutSeconds: 10))
        struct Identity: Decodable { var nodeID: String }
        guard response.status == 200,
            let identity = try? JSON.decode(Identity.self, await response.body.collect(limit: 4096)), let id = NodeID(identity.nodeID)
        else { throw NodeError(.unavailable, "what answers at \(link.address) is not a Pando node") }
        guard id != self.id else { throw NodeError(.conflict, "\(link.address) is this node itself") }
        link.state.withLock { $0.nodeID = id }
        try local.change { state in
            guard let index = state.peers.firstIndex(where: { $0.nodeID == nil && $0.address == link.address }) else { return }
            if state.peers.contains(where: { $0.nodeID == id.description }) {
                state.peers.remove(at: index)
            } else {
                state.peers[index].nodeID = id.description
            }
        }
        links.withLock { links in
            links[link.address] = nil
            if links[id.description] == nil { links[id.description] = link }
        }
        return id
    }

    /// A peer's refusal in words.
    private func refusal(_ response: TransportResponse, by link: PeerLink) async -> NodeError {
        struct Problem: Decodable { var detail: String? }
        let body = (try? await response.body.collect(limit: 64 << 10)) ?? []
        let detail = (try? JSON.decode(Problem.self, body))?.detail ?? "status \(response.status)"
        let code: NodeError.Code =
            switch response.status {
            case 401: .unauthorized
            case 403: .forbidden
            case 404: .notFound
            case 409: .conflict
            case 410: .gone
            case 429: .tooManyRequests
            default: .unavailable
            }
        return NodeError(code, "the peer at \(link.address) says: \(detail)")
    }
}

/// JSON between nodes: snake_case names, times as RFC 3339.
public enum JSON {
    public static func decode<Value: Decodable>(_ type: Value.Type, _ bytes: [UInt8]) throws -> Value {
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .custom { path in
            JSONName(path[path.count - 1].stringValue.fromSnakeCase)
        }
        return try decoder.decode(type, from: Data(bytes))
    }

    public static func encode(_ value: some Encodable) throws -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.withoutEscapingSlashes]
        encoder.keyEncodingStrategy = .custom { path in JSONName(path[path.count - 1].stringValue.toSnakeCase) }
        return Array(try encoder.encode(value))
    }
}

private struct JSONName: CodingKey {
    var stringValue: String
    var intValue: Int? { nil }
    init(_ text: String) { stringValue = text }
    init?(stringValue: String) { self.stringValue = stringValue }
    init?(intValue: Int) { nil }
}

extension String {
    /// `node_id` to `nodeID`, the way this project spells abbreviations.
    fileprivate var fromSnakeCase: String {
        let parts = split(separator: "_", omittingEmptySubsequences: false)
        return parts.enumerated().map { index, part in
            if index == 0 { return String(part) }
            return part == "id" ? "ID" : part.prefix(1).uppercased() + part.dropFirst()
        }.joined()
    }

    /// `nodeID` to `node_id`.
    fileprivate var toSnakeCase: String {
        var result = ""
        var wasUpper = true
        for character in self {
            if character.isUppercase, !wasUpper { result.append("_") }
            wasUpper = character.isUppercase
            result += character.lowercased()
        }
        return result
    }
}
