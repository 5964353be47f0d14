import Access
import Content
import Foundation
import Platform
import Synchronization

/// This node as the client of another: let in by an API key, it pulls what the key may read and pushes what it may write.
extension Node {
    /// Exchanges files with a node of which this one is no member.
    ///
    /// The key is kept in memory only. Whether the node answers is no matter here; it is tried again.
    /// - Parameter syncPaths: what of the key's part is wanted; nil for all of it.
    @discardableResult
    public func connect(to address: String, apiKey: String, label: String? = nil, syncPaths: [String]? = nil) async throws -> PeerInfo {
        let address = try Node.checkedAddress(address)
        guard APIKey(apiKey) != nil else { throw NodeError(.invalid, "this is no API key; it should look like pando_ID_SECRET") }
        try Node.check(syncPaths: syncPaths)
        let link = PeerLink(LocalState.Peer(nodeID: nil, label: label, address: address, syncPaths: syncPaths), apiKey: apiKey)
        link.state.withLock { $0.isScoped = true }
        let isNew = links.withLock { links in
            guard links[address] == nil else { return false }
            links[address] = link
            return true
        }
        guard isNew else { throw NodeError(.conflict, "\(address) is being connected to already") }
        _ = try? await identify(link)
        keepInTouch(with: link)
        return info(of: link)
    }

    /// A token for the node that the key is of, in this node's name.
    func token(for link: PeerLink, receiver: NodeID, apiKey: String) async throws -> String {
        let time = Int64(clamping: peerTime(link))
        if let token = link.state.withLock({ $0.token }), token.expiresAt > time / 1_000_000 + 60 { return token.text }
        guard let id = APIKey(apiKey)?.id else { throw NodeError(.unauthorized, "this is no API key") }
        let proof = try ClientProof(of: key, keyID: id, receiver: receiver, time: time)
        let request = TokenRequest(apiKey: apiKey, publicKey: proof.publicKey.hex, time: time, signature: proof.signature.hex)
        let response = try await transport.send(TransportRequest(
            .post, "/auth/token", at: link.address, node: receiver, contentType: "application/json", body: .bytes(JSON.encode(request))))
        guard response.status == 200 else { throw await refusal(response, by: link) }
        let answer = try JSON.decode(TokenAnswer.self, await response.body.collect(limit: 16 << 10))
        link.state.withLock { $0.token = (answer.token, time / 1_000_000 + Int64(answer.expiresIn)) }
        return answer.token
    }
}

/// The body of `POST /auth/token` of a client that is a node.
private struct TokenRequest: Encodable {
    var apiKey: String
    var publicKey: String
    var time: Int64
    var signature: String
}

private struct TokenAnswer: Decodable {
    var token: String
    var expiresIn: Int
}
