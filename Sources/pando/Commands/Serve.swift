import ArgumentParser
import Content
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
        commandName: "serve", abstract: "Run a node.",
        discussion: """
            The first start makes the data directory and a cluster of one, and prints the root key, once. With --join the \
            node becomes a member of another node's cluster instead. SIGTERM and Ctrl-C end it cleanly. Flags stand over PANDO_* \
            variables, and those over the configuration file.
            """)

    @Option(help: ArgumentHelp(
        "A file of settings in YAML (also PANDO_CONFIG; default ~/.config/pando/pando.yaml, then /etc/pando/pando.yaml).", valueName: "file"))
    var config: String?

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

    @Option(help: ArgumentHelp(
        "The id of the member that has to answer there (also PANDO_JOIN_FINGERPRINT). An invitation names it; the root key does not.", valueName: "node id"))
    var joinFingerprint: String?

    @Option(name: .customLong("peer"), help: ArgumentHelp("A member to exchange changes with (can be given several times).", valueName: "url"))
    var peers: [String] = []

    @Option(name: .customLong("sync-path"), help: ArgumentHelp("What to take from the peers (can be given several times; default: all).", valueName: "glob"))
    var syncPaths: [String] = []

    @Option(help: ArgumentHelp("The URL by which others reach this node, where it is not the one that it listens at (also PANDO_ADDRESS).", valueName: "url"))
    var address: String?

    @Flag(help: "Speak TLS also on loopback, where plain HTTP is the default. Everywhere else TLS is.")
    var tls = false

    @Option(help: ArgumentHelp("A certificate of your own, in PEM, with those that lead to its authority (also PANDO_TLS_CERT).", valueName: "file"))
    var tlsCert: String?

    @Option(help: ArgumentHelp("Its key, in PEM (also PANDO_TLS_KEY).", valueName: "file"))
    var tlsKey: String?

    @Flag(help: "Plain HTTP also where others can reach it: everything, tokens included, travels readable.")
    var insecure = false

    @Flag(help: "Sync only when told to, by 'pando sync trigger' or another node's.")
    var manual = false

    @Option(help: ArgumentHelp(
        "How long deletions are kept at the least, until every member has them: 90d, 12h, 30m or 45s (also PANDO_DELETION_RETENTION).",
        valueName: "time"))
    var deletionRetention: String?

    @Option(help: ArgumentHelp("How often to collect garbage: 1d, 12h, or off (also PANDO_GC_INTERVAL; default 1d).", valueName: "time"))
    var gcInterval: String?

    @Option(help: ArgumentHelp(
        "How often to read all data and compare it with its hashes: 30d, 7d, or off (also PANDO_SCRUB_INTERVAL; default 30d).", valueName: "time"))
    var scrubInterval: String?

    @Option(help: ArgumentHelp("Bytes a second that either may read and write then: 64M, 500K, 1G (also PANDO_CARE_RATE; default 64M).", valueName: "rate"))
    var careRate: String?

    @Option(help: "trace, debug, info, notice, warning or error (also PANDO_LOG_LEVEL).")
    var logLevel: String?

    @Option(help: "text, or json for one document a line (also PANDO_LOG_FORMAT).")
    var logFormat: String?

    func validate() throws {
        do {
            _ = try ServeSettings(self, environment: ProcessInfo.processInfo.environment)
        } catch let failure as Failure {
            // Wrong use too, if not of the flags.
            throw ValidationError(failure.description)
        }
    }

    func run() async throws {
        ProcessLimits.keepLargePieces()
        let settings = try ServeSettings(self, environment: ProcessInfo.processInfo.environment)
        let logger = makeLogger(settings)
        let transport = HTTPTransport()
        let node: Node
        let certificate: ServerCertificate?
        do {
            (node, certificate) = try await BlockingThreads(count: 1, name: "start").run {
                var options = Node.Options(directory: settings.directory, label: settings.label, transport: transport, logger: logger)
                if let retention = settings.deletionRetention { options.retention = retention }
                let node = try Node(options)
                do {
                    return (node, try makeCertificate(settings, node))
                } catch {
                    node.close()
                    throw error
                }
            }
        } catch {
            await transport.shutdown()
            throw Failure("\(error)")
        }
        report(node.database.store.recovery, logger)
        if case .none = settings.encryption, !Host.isLoopback(settings.host) {
            logger.warning("--insecure: everything that travels to and from this node can be read and changed on its way")
        }
        let service = NodeService(node: node, settings: settings)
        let server = PandoServer(
            node: node, host: settings.host, port: settings.port, certificate: certificate,
            onServerRunning: { port in service.serverIsRunning(port: port) })
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
        } catch where ConnectionFault.isAddressInUse(error) {
            result = .failure(Failure(
                "port \(settings.port) of \(settings.host) is in use: does a node run there already? End what listens there, or give another port with --port"))
        } catch {
            result = .failure(Failure("\(error)"))
        }
        PrivateFile.remove(settings.directory + "/endpoint.json")
        await node.endTasks()
        await transport.shutdown()
        await closed(node)
        try result.get()
    }

    private func closed(_ node: Node) async {
        try? await BlockingThreads(count: 1, name: "stop").run { node.close() }
    }

    private func makeCertificate(_ settings: ServeSettings, _ node: Node) throws -> ServerCertificate? {
        switch settings.encryption {
        case .none: nil
        case .ownCertificate:
            try ServerCertificate(
                directory: settings.directory, name: "Pando node \(node.id.short)",
                hosts: Host.certificateHosts(listening: settings.host, address: settings.address))
        case .files(let certificate, let key): try ServerCertificate(certificateFile: certificate, keyFile: key)
        }
    }

    private func makeLogger(_ settings: ServeSettings) -> Logger {
        var logger = Logger(label: "pando") { label in
            switch settings.logFormat {
            case .text: StreamLogHandler.standardError(label: label)
            case .json: JSONLogHandler()
            }
        }
        logger.logLevel = settings.logLevel
        return logger
    }

    private func report(_ recovery: RecoveryReport, _ logger: Logger) {
        if recovery.lostEnd {
            logger.error("the end of the log is gone, and with it writes that were acknowledged; what peers have of them comes back")
        } else if recovery.cutBytes > 0 {
            logger.warning("cut a torn tail off the log; nothing acknowledged was in it", metadata: ["bytes": "\(recovery.cutBytes)"])
        }
        for place in recovery.damaged {
            logger.error("the log is damaged; a scrub begins, which fetches from peers what is lost", metadata: ["segment": "\(place.segment)", "offset": "\(place.offset)"])
        }
        if recovery.rebuiltIndex { logger.notice("made the index anew from the log") }
    }
}
