import FileDatabase
import Hummingbird
import HummingbirdCore
import Logging
import NIOCore
import Node
import Platform
import ServiceLifecycle

/// A node's HTTP server: the routes of the API page and of `docs/protocol.md`.
public struct PandoServer: Service {
    private let node: Node
    private let host: String
    private let port: Int
    private let certificate: ServerCertificate?
    private let onServerRunning: @Sendable (Int) async -> Void

    /// - Parameters:
    ///   - port: 0 for any that is free.
    ///   - certificate: for TLS; nil for plain HTTP.
    ///   - onServerRunning: is told the port once requests are taken.
    public init(
        node: Node, host: String = "127.0.0.1", port: Int = 6830, certificate: ServerCertificate? = nil,
        onServerRunning: @escaping @Sendable (Int) async -> Void = { _ in }
    ) {
        self.node = node
        self.host = host
        self.port = port
        self.certificate = certificate
        self.onServerRunning = onServerRunning
    }

    /// Serves until the task is cancelled or asked to shut down gracefully. Then idle connections are closed at once, and
    /// requests under way have `ServerLimits.shutdown` to end.
    public func run() async throws {
        let connections = Connections()
        if let certificate { try node.setCertificate(certificate.leaf) }
        let application = Application(
            responder: Dispatcher(node: node, isEncrypted: certificate != nil),
            server: HTTPServerBuilder { [certificate] responder in
                let channel = ConnectionChannel(responder: responder, connections: connections)
                if let certificate { return TLSChannel(connections: channel, certificate: certificate) }
                return channel
            },
            configuration: ApplicationConfiguration(
                address: .hostname(host, port: port), backlog: ServerLimits.backlog,
                availableConnectionsDelegate: MaximumAvailableConnections(PandoServer.maximumConnections, logger: node.logger)),
            onServerRunning: { [onServerRunning, port] channel in
                await onServerRunning(channel.localAddress?.port ?? port)
            },
            logger: node.logger)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await application.run() }
            group.addTask {
                try await gracefulShutdown()
                node.events.close()
                try await Task.sleep(for: ServerLimits.shutdown)
                connections.closeAll()
                // The application ends when the last connection has.
                try await Task.sleep(for: .seconds(3600))
            }
            if let certificate {
                group.addTask {
                    while true {
                        try await Sleep.wait(ServerLimits.certificateInterval)
                        await refresh(certificate)
                    }
                }
            }
            defer { group.cancelAll() }
            try await group.next()
        }
    }

    /// Shows a new certificate to those who connect from now on, where there is one.
    private func refresh(_ certificate: ServerCertificate) async {
        do {
            guard try await node.database.threads.run({ try certificate.refresh() }) else { return }
            try node.setCertificate(certificate.leaf)
            node.logger.notice("took a new certificate into use")
        } catch {
            // The one that is in use may be good for long.
            node.logger.error("cannot take a new certificate into use", metadata: ["reason": "\(error)"])
        }
    }

    /// What the process' descriptors allow.
    private static var maximumConnections: Int {
        guard let limit = ProcessLimits.descriptors else { return 512 }
        return min(ServerLimits.connections, max(limit - ServerLimits.reservedDescriptors, 64))
    }
}
