import Content
import FileDatabase
import Merkle
import Node
import Platform
import Replication

/// The server of a folder's sync: another node, of which the folder's own is a client.
public final class NodeRemote: FolderRemote {
    private let node: Node
    private let address: String

    /// - Parameter node: connected to the server by a key, and to nobody else.
    public init(node: Node, address: String) {
        self.node = node
        self.address = address
    }

    public func meet() async throws { try await node.meetServer() }

    public func exchange() async throws -> ExchangeOutcome {
        guard let report = try await node.trigger().first else { throw FolderError(.unreachable, "no server is connected") }
        guard report.ok else { throw FolderError(.unreachable, report.error ?? "\(address) does not answer") }
        return ExchangeOutcome(entries: report.entries + report.pushed, refused: refusals)
    }

    public func pull() async throws { try await node.pullFromServer() }

    public func fetch(_ wanted: [WantedChunk], _ deliver: @escaping @Sendable ([ArrivedChunk]) throws -> Void) async throws {
        try await node.fetch(wanted, deliver)
    }

    public func goLive() { node.goLive() }
    public func stopLive() { node.stopLive() }

    public var trouble: String? {
        guard let peer = node.peers().first else { return "no server is connected" }
        return peer.state == PeerPhase.active.rawValue ? nil : peer.reason ?? "\(address) does not answer"
    }

    public var refusals: [FolderNotice] {
        guard let id = node.peers().first?.nodeID.flatMap({ NodeID($0) }) else { return [] }
        return node.refusals(by: id).map { FolderNotice(.kept, String($0.path.drop { $0 == "/" }), $0.reason) }
    }
}
