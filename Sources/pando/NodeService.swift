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
    let settings: ServeSettings
    private let running = AsyncStream<String>.makeStream()

    init(node: Node, settings: ServeSettings) {
        self.node = node
        self.settings = settings
    }

    func serverIsRunning(port: Int) {
        let host = settings.host
        let name = host.contains(":") && !host.hasPrefix("[") ? "[\(host)]" : host
        running.continuation.yield("\(settings.encryption.scheme)://\(name):\(port)")
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
        if let own = settings.address ?? (Host.isWildcard(settings.host) ? nil : url) { node.setAddress(own) }
        try writeEndpoint(url)
        if let join = settings.join {
            try await joinCluster(join)
        } else if let rootKey = try await node.foundCluster() {
            print("root key (shown this once; whoever has it may do everything): \(rootKey)")
        }
        for peer in settings.peers {
            do {
                _ = try await node.addPeer(address: peer, label: nil, syncPaths: settings.syncPaths, token: nil)
            } catch let error as NodeError where error.code == .conflict {
                // One list of peers may be that of all nodes, this one among them.
                node.logger.warning("a peer is left out", metadata: ["peer": "\(peer)", "reason": "\(error.reason)"])
            }
        }
        // Before that, not even the owner's token would be good.
        await node.recoverCluster()
        print("node \(node.id.short) listens at \(url)")
        fflush(nil)
        node.startCare(settings.care)
        if !settings.isManual {
            node.goLive()
        } else if settings.join != nil || !settings.peers.isEmpty {
            _ = try await node.trigger()
        }
    }

    /// Tries until the member answers: it may be started after this node.
    private func joinCluster(_ join: (address: String, token: String, fingerprint: String?)) async throws {
        if node.hasCluster || node.hasLostCluster {
            node.logger.notice("a member of a cluster already; --join is not needed any more")
            return
        }
        var wait = Duration.milliseconds(250)
        while true {
            do {
                return try await node.join(
                    address: join.address, token: join.token, syncPaths: settings.syncPaths, fingerprint: join.fingerprint)
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
        try PrivateFile.write(Array(bytes), to: settings.directory + "/endpoint.json")
    }
}
