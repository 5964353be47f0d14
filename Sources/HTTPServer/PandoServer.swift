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
    private let onServerRunning: @Sendable (Int) async -> Void

    /// - Parameters:
    ///   - port: 0 for any that is free.
    ///   - onServerRunning: is told the port once requests are taken.
    public init(
        node: Node, host: String = "127.0.0.1", port: Int = 6830, onServerRunning: @escaping @Sendable (Int) async -> Void = { _ in }
    ) {
        self.node = node
        self.host = host
        self.port = port
        self.onServerRunning = onServerRunning
    }

    /// Serves until the task is cancelled or asked to shut down gracefully. Then idle connections are closed at once, and
    /// requests under way have `ServerLimits.shutdown` to end.
    public func run() async throws {
        let connections = Connections()
        let application = Application(
            responder: Dispatcher(node: node, routes: .all(of: node)),
            server: HTTPServerBuilder { responder in ConnectionChannel(responder: responder, connections: connections) },
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
            defer { group.cancelAll() }
            try await group.next()
        }
    }

    /// What the process' descriptors allow.
    private static var maximumConnections: Int {
        guard let limit = ProcessLimits.descriptors else { return 512 }
        return min(ServerLimits.connections, max(limit - ServerLimits.reservedDescriptors, 64))
    }
}
