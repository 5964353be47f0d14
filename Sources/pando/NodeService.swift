import Content
import Foundation
import HTTPServer
import Logging
import Node
import Platform
import ServiceLifecycle

#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

/// What a node does once its server listens: tells where it is, founds or joins a cluster, and meets its peers.
struct NodeService: Service {
    let node: Node
    let directory: String
    let join: (address: String, token: String)?
    let peers: [String]
    let syncPaths: [String]?
    let address: String?
    /// Whether the peers are kept in touch with; otherwise nothing is synced until somebody asks for it.
    let isLive: Bool
    private let running = AsyncStream<String>.makeStream()

    init(node: Node, directory: String, join: (String, String)?, peers: [String], syncPaths: [String]?, address: String?, isLive: Bool) {
        self.node = node
        self.directory = directory
        self.join = join
        self.peers = peers
        self.syncPaths = syncPaths
        self.address = address
        self.isLive = isLive
    }

    func serverIsRunning(host: String, port: Int) {
        let name = host.contains(":") ? "[\(host)]" : host
        running.continuation.yield("http://\(name):\(port)")
        running.continuation.finish()
    }

    func run() async throws {
        try await cancelWhenGracefulShutdown {
            for await url in running.stream { try await start(url) }
            // The server does the rest.
            try await Sleep.wait(.seconds(Int64.max / 2_000_000_000))
        }
    }

    private func start(_ url: String) async throws {
        // Nobody reaches a node at the address that stands for all of its addresses.
        let isReachable = !url.contains("//0.0.0.0:") && !url.contains("//[::]:")
        if let own = address ?? (isReachable ? url : nil) { node.setAddress(own) }
        try writeEndpoint(url)
        if let join {
            try await joinCluster(join)
        } else if let rootKey = try await node.foundCluster() {
            print("root key (shown this once; whoever has it may do everything): \(rootKey)")
        }
        for peer in peers { _ = try await node.addPeer(address: peer, label: nil, syncPaths: syncPaths, token: nil) }
        print("node \(node.id.short) listens at \(url)")
        fflush(nil)
        if isLive {
            node.goLive()
        } else if join != nil || !peers.isEmpty {
            _ = try await node.trigger()
        }
    }

    /// Tries until the member answers: it may be started after this node.
    private func joinCluster(_ join: (address: String, token: String)) async throws {
        if node.isReady {
            node.logger.notice("a member of a cluster already; --join is not needed any more")
            return
        }
        var wait = Duration.milliseconds(250)
        while true {
            do {
                return try await node.join(address: join.address, token: join.token, syncPaths: syncPaths)
            } catch let error as TransportError where error.isUnreachable {
                node.logger.warning("cannot join yet", metadata: ["reason": "\(error)"])
            } catch let error as NodeError where error.code == .unavailable {
                node.logger.warning("cannot join yet", metadata: ["reason": "\(error)"])
            }
            try await Sleep.wait(wait)
            wait = min(wait * 2, .seconds(10))
        }
    }

    private func writeEndpoint(_ url: String) throws {
        let local = url.replacing("//0.0.0.0:", with: "//127.0.0.1:").replacing("//[::]:", with: "//[::1]:")
        let endpoint: [String: Any] = ["url": local, "node_id": node.id.description, "pid": Int(getpid())]
        let bytes = try JSONSerialization.data(withJSONObject: endpoint, options: [.sortedKeys, .withoutEscapingSlashes])
        try PrivateFile.write(Array(bytes), to: directory + "/endpoint.json")
    }
}
