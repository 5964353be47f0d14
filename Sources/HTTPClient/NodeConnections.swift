import AsyncHTTPClient
import Content
import Foundation
import NIOCore
import Node

/// Whom a client believes, over TLS, that they are the node.
public enum Trust: Sendable {
    /// Whoever proves to be this node. No authority is needed.
    case node(NodeID)
    /// Whoever is first to prove to be a node.
    case firstNode
    /// Whoever an authority vouches for that this machine trusts.
    case authorities
}

/// Who answers at an address.
public struct NodeIntroduction: Sendable {
    /// The node, where it has proven itself.
    public var node: NodeID?
    /// SHA-256 of its certificate, in hexadecimal, where it has proven that it is its own.
    public var fingerprint: String?
}

/// A client's connections to one node.
final class NodeConnections: Sendable {
    private let http: HTTPClient
    /// Set where the node has to prove itself.
    private let secure: SecureAddress?

    init(url: String, trust: Trust) {
        let connectTimeout = TimeAmount.seconds(10)
        // A commit may wait for a slow disk, and a triggered sync for slow peers.
        let readTimeout = TimeAmount.minutes(30)
        let secure: SecureAddress? = switch trust {
        case _ where !SecureAddress.isSecure(url): nil
        case .node(let id): SecureAddress(url, expecting: id)
        case .firstNode: SecureAddress(url, expecting: nil)
        case .authorities: nil
        }
        self.secure = secure
        if let secure {
            http = .overTLS(connectTimeout: connectTimeout, readTimeout: readTimeout) { try secure.check($0) }
        } else {
            http = HTTPClient(
                eventLoopGroupProvider: .singleton, configuration: .plain(connectTimeout: connectTimeout, readTimeout: readTimeout))
        }
    }

    func shutdown() async {
        try? await http.shutdown()
    }

    func execute(_ request: HTTPClientRequest, deadline: NIODeadline) async throws -> HTTPClientResponse {
        guard let secure else { return try await http.execute(request, deadline: deadline) }
        return try await secure.send { try await http.execute(request, deadline: deadline) }
    }

    func introduce() async throws -> NodeIntroduction {
        guard let secure else { return NodeIntroduction() }
        try await secure.ensureProven()
        return NodeIntroduction(node: secure.node, fingerprint: secure.fingerprint)
    }
}
