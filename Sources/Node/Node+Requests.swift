import Access
import Causality
import Content
import FileDatabase
import Foundation
import Platform
import Synchronization

/// What this node asks of its peers.
extension Node {
    /// A token for a peer, from the last minute or new.
    ///
    /// Its times are the peer's: what this node's clock says counts for nothing before the two agree.
    private func token(for link: PeerLink, receiver: NodeID) async throws -> String {
        if let apiKey = link.apiKey { return try await token(for: link, receiver: receiver, apiKey: apiKey) }
        let now = Int64(peerTime(link) / 1_000_000)
        if let token = link.state.withLock({ $0.token }), token.expiresAt > now + 15, token.expiresAt <= now + TokenClaims.nodeLifetime {
            return token.text
        }
        let claims = TokenClaims(
            iss: id.description, sub: id.description, aud: receiver.description, kind: .node, iat: now,
            exp: now + TokenClaims.nodeLifetime, jti: "\(instance).\(randomness.name())")
        let text = try await Tokens.sign(claims, with: key)
        link.state.withLock { $0.token = (text, claims.exp) }
        return text
    }

    func peerTime(_ link: PeerLink) -> UInt64 {
        guard let correction = link.state.withLock({ $0.correction }) else { return clock.wallMicroseconds() }
        return UInt64(clamping: Int64(clamping: clock.monotonicMicroseconds()) + correction)
    }

    /// Sends a request to a peer in this node's name.
    ///
    /// - Parameter passing: statuses besides success that the caller deals with.
    func send(
        _ method: TransportRequest.Method, _ path: String, to link: PeerLink, body: [UInt8] = [],
        contentType: String = "application/octet-stream", timeoutSeconds: Int = 30, passing: Set<Int> = []
    ) async throws -> TransportResponse {
        try await send(method, path, to: link, body: .bytes(body), contentType: contentType, timeoutSeconds: timeoutSeconds, passing: passing)
    }

    /// The same with a body that may be made while it is sent.
    func send(
        _ method: TransportRequest.Method, _ path: String, to link: PeerLink, body: OutgoingBody,
        contentType: String = "application/octet-stream", timeoutSeconds: Int = 30, passing: Set<Int> = []
    ) async throws -> TransportResponse {
        let receiver: NodeID
        if let known = link.nodeID { receiver = known } else { receiver = try await identify(link) }
        let token = try await token(for: link, receiver: receiver)
        let response = try await transport.send(TransportRequest(
            method, path, at: link.address, node: receiver, token: token, contentType: contentType, body: body,
            timeoutSeconds: timeoutSeconds))
        link.state.withLock { $0.bytesSent += UInt64(body.count) }
        guard response.status == 200 || response.status == 201 || passing.contains(response.status) else {
            // A key's token may have been of a state that is no more.
            if response.status == 401 { link.state.withLock { $0.token = nil } }
            throw await refusal(response, by: link)
        }
        return response
    }

    /// Asks who answers at a peer's address, and what time it is there.
    @discardableResult
    func identify(_ link: PeerLink) async throws -> NodeID {
        let sent = clock.monotonicMicroseconds()
        let response = try await transport.send(TransportRequest(
            .get, "/sync/identity", at: link.address, node: link.nodeID, timeoutSeconds: 10))
        guard response.status == 200 else { throw await refusal(response, by: link) }
        guard let identity = try? JSON.decode(NodeIdentity.self, await response.body.collect(limit: 4096)), let id = NodeID(identity.nodeID),
            response.node == nil || response.node == id
        else { throw NodeError(.unavailable, "what answers at \(link.address) is not a Pando node") }
        guard id != self.id else {
            guard identity.instance != instance else { throw Node.isItself(link.address) }
            let advice = "one of the two data directories is a copy; start that node with a new one"
            throw NodeError(.conflict, "the node at \(link.address) has this node's identity: \(advice)")
        }
        let arrived = clock.monotonicMicroseconds()
        if let sample = ClockSample(sent: sent, received: identity.time, answered: identity.time, arrived: arrived) {
            link.state.withLock { $0.correction = sample.offset }
        }
        if let known = link.nodeID {
            guard known == id else {
                throw NodeError(.conflict, "node \(id.short) answers at \(link.address), where node \(known.short) is expected")
            }
            return id
        }
        link.state.withLock { $0.nodeID = id }
        try await database.threads.run { [local] in
            try local.change { state in
                guard let index = state.peers.firstIndex(where: { $0.nodeID == nil && $0.address == link.address }) else { return }
                if state.peers.contains(where: { $0.nodeID == id.description }) {
                    state.peers.remove(at: index)
                } else {
                    state.peers[index].nodeID = id.description
                }
            }
        }
        let isSecond = links.withLock { links in
            links[link.address] = nil
            if let other = links[id.description], other !== link { return true }
            links[id.description] = link
            return false
        }
        guard !isSecond else {
            stopKeepingInTouch(with: link)
            throw NodeError(.conflict, "the node at \(link.address) is a peer already, at another address")
        }
        return id
    }

    static func isItself(_ address: String) -> NodeError { NodeError(.conflict, "\(address) is this node itself") }

    /// A peer's refusal in words.
    func refusal(_ response: TransportResponse, by link: PeerLink) async -> NodeError {
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

/// The answer of `GET /sync/identity`: what a node has to know of another before it can ask for anything else.
public struct NodeIdentity: Codable, Sendable {
    public var nodeID: String
    public var version: String
    /// Another one at each start, so that two processes with one identity can be told apart.
    public var instance: String
    /// Microseconds since 1970, on the node's virtual clock.
    public var time: UInt64
    /// 64 hexadecimal digits; the id is its hash.
    public var publicKey: String
    /// Over TLS, the fingerprint of the certificate and the node's word for it.
    public var certificate: String?
    public var certificateSignature: String?
}

extension NodeIdentity {
    /// The node that has given its word for a certificate, DER-encoded; nil if none has.
    public func prover(of certificate: [UInt8]) -> NodeID? {
        guard let key = [UInt8](hex: publicKey), let fingerprint = self.certificate.flatMap({ ContentHash($0) }),
            let signature = certificateSignature.flatMap({ [UInt8](hex: $0) }),
            CertificateProof(fingerprint: fingerprint, signature: signature).holds(for: certificate, publicKey: key)
        else { return nil }
        let id = NodeID(publicKey: key)
        return id.description == nodeID ? id : nil
    }
}
