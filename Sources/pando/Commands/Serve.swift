import ArgumentParser
import FileDatabase
import Foundation
import HTTPClient
import HTTPServer
import Logging
import Node
import Objects
import Platform
import ServiceLifecycle
import UnixSignals

struct Serve: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Run a node.",
        discussion: """
            The first start makes the data directory and a cluster of one, and prints the root key, once. With --join the \
            node becomes a member of another node's cluster instead. SIGTERM and Ctrl-C end it cleanly.
            """)

    @Option(help: ArgumentHelp("The data directory (also PANDO_DATA).", valueName: "dir"))
    var data: String?

    @Option(help: "The address to listen at (also PANDO_HOST).")
    var host: String?

    @Option(help: "The port to listen at (also PANDO_PORT); 0 for any that is free.")
    var port: Int?

    @Option(help: "What the node is called (also PANDO_LABEL).")
    var label: String?

    @Option(help: ArgumentHelp("A member of the cluster to join.", valueName: "url"))
    var join: String?

    @Option(help: "An invitation, or the root key, of that cluster (also PANDO_JOIN_TOKEN).")
    var joinToken: String?

    @Option(name: .customLong("peer"), help: ArgumentHelp("A member to exchange changes with (can be given several times).", valueName: "url"))
    var peers: [String] = []

    @Option(name: .customLong("sync-path"), help: ArgumentHelp("What to take from the peers (can be given several times; default: all).", valueName: "glob"))
    var syncPaths: [String] = []

    @Option(help: ArgumentHelp("The URL by which others reach this node, where it is not http://HOST:PORT (also PANDO_ADDRESS).", valueName: "url"))
    var address: String?

    @Flag(help: "Listen at an address that is not loopback. There is no TLS yet: everything, tokens included, travels readable.")
    var insecure = false

    @Flag(help: "Sync only when told to, by 'pando sync trigger' or another node's.")
    var manual = false

    @Option(help: "trace, debug, info, notice, warning or error (also PANDO_LOG_LEVEL).")
    var logLevel: String?

    func validate() throws {
        if let port = port ?? variable("PORT").flatMap({ Int($0) }), !(0...65_535).contains(port) {
            throw ValidationError("a port is a number from 0 to 65535")
        }
        let host = host ?? variable("HOST") ?? "127.0.0.1"
        guard insecure || host == "localhost" || host == "::1" || host.hasPrefix("127.") else {
            throw ValidationError(
                "there is no TLS yet, so \(host) would let the network read everything; keep to loopback and a tunnel, or say --insecure")
        }
        if join != nil, joinToken ?? variable("JOIN_TOKEN") == nil {
            throw ValidationError("--join needs --join-token: 'pando invite' on a member makes an invitation")
        }
    }

    func run() async throws {
        let directory = data ?? variable("DATA") ?? "./pando-data"
        let logger = try makeLogger()
        let transport = HTTPTransport()
        let node: Node
        do {
            node = try await BlockingThreads(count: 1, name: "start").run {
                try Node(Node.Options(directory: directory, label: label ?? variable("LABEL"), transport: transport, logger: logger))
            }
        } catch {
            await transport.shutdown()
            throw Failure("\(error)")
        }
        report(node.database.store.recovery, logger)
        let service = NodeService(
            node: node, directory: directory, join: join.map { ($0, joinToken ?? variable("JOIN_TOKEN") ?? "") }, peers: peers,
            syncPaths: syncPaths.isEmpty ? nil : syncPaths, address: address ?? variable("ADDRESS"), isLive: !manual)
        let server = PandoServer(
            node: node, host: host ?? variable("HOST") ?? "127.0.0.1", port: port ?? variable("PORT").flatMap { Int($0) } ?? 6830,
            onServerRunning: { port in service.serverIsRunning(host: host ?? variable("HOST") ?? "127.0.0.1", port: port) })
        var configuration = ServiceGroupConfiguration(
            services: [
                .init(service: service, successTerminationBehavior: .gracefullyShutdownGroup, failureTerminationBehavior: .gracefullyShutdownGroup),
                .init(service: server, successTerminationBehavior: .gracefullyShutdownGroup, failureTerminationBehavior: .gracefullyShutdownGroup),
            ],
            gracefulShutdownSignals: [.sigterm, .sigint], logger: logger)
        configuration.maximumGracefulShutdownDuration = .seconds(20)
        let result: Result<Void, any Error>
        do {
            try await ServiceGroup(configuration: configuration).run()
            result = .success(())
        } catch is CancellationError {
            // How a service that was asked to stop says that it did.
            result = .success(())
        } catch {
            result = .failure(Failure("\(error)"))
        }
        PrivateFile.remove(directory + "/endpoint.json")
        await transport.shutdown()
        await closed(node)
        try result.get()
    }

    private func closed(_ node: Node) async {
        try? await BlockingThreads(count: 1, name: "stop").run { node.close() }
    }

    private func variable(_ name: String) -> String? {
        let value = ProcessInfo.processInfo.environment["PANDO_" + name]
        return value?.isEmpty == false ? value : nil
    }

    private func makeLogger() throws -> Logger {
        let name = logLevel ?? variable("LOG_LEVEL") ?? "notice"
        guard let level = Logger.Level(rawValue: name) else {
            throw ValidationError("'\(name)' is no log level; use trace, debug, info, notice, warning or error")
        }
        var logger = Logger(label: "pando") { StreamLogHandler.standardError(label: $0) }
        logger.logLevel = level
        return logger
    }

    private func report(_ recovery: RecoveryReport, _ logger: Logger) {
        if recovery.cutBytes > 0 {
            logger.warning("cut a torn tail off the log; nothing acknowledged was in it", metadata: ["bytes": "\(recovery.cutBytes)"])
        }
        for place in recovery.damaged {
            logger.error("the log is damaged; run 'pando verify'", metadata: ["segment": "\(place.segment)", "offset": "\(place.offset)"])
        }
        if recovery.rebuiltIndex { logger.notice("made the index anew from the log") }
    }
}
