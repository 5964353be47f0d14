import Access
import Causality
import Content
import FileDatabase
import FolderSync
import Foundation
import HTTPClient
import Logging
import Merkle
import Node
import Platform

/// One folder's sync while it runs: its own node, connected to the server.
final class FolderSession: Sendable {
    let folder: String
    let url: String
    let state: FolderState
    let remote: NodeRemote
    private let node: Node
    private let transport: HTTPTransport
    private let started = ContinuousClock.now

    private init(folder: String, url: String, state: FolderState, node: Node, transport: HTTPTransport) {
        self.folder = folder
        self.url = url
        self.state = state
        self.node = node
        self.transport = transport
        remote = NodeRemote(node: node, address: url)
    }

    // MARK: Opening

    static func open(
        folder: String, url: String?, paths: [String]?, isNew: Bool, limitUp: UInt64?, limitDown: UInt64?
    ) async throws -> FolderSession {
        let pairing = try pairing(folder: folder, url: url, paths: paths, isNew: isNew)
        let scope = FolderScope(try pairing.paths.map { try Glob($0) })
        let (key, server) = try await key(for: pairing, folder: folder)
        // Only now is anything written: with a key there is somebody to sync with.
        try pairing.store(in: folder)
        try PairedFolder.remember(folder)
        var logger = Logger(label: "pando") { StreamLogHandler.standardError(label: $0) }
        logger.logLevel = .error
        let quiet = logger
        let transport = HTTPTransport()
        let limited: any Transport = limitUp == nil && limitDown == nil ? transport : LimitedTransport(transport, up: limitUp, down: limitDown)
        do {
            let (node, state) = try await BlockingThreads(count: 1, name: "start").run {
                let node = try Node(Node.Options(directory: folder + "/.pando/node", label: nil, transport: limited, logger: quiet))
                do {
                    return (node, try FolderState(folder: folder, database: node.database, scope: scope))
                } catch {
                    node.close()
                    throw error
                }
            }
            let session = FolderSession(folder: folder, url: pairing.url, state: state, node: node, transport: transport)
            let peer = try await node.connect(to: pairing.url, apiKey: key, syncPaths: pairing.paths.isEmpty ? nil : pairing.paths)
            if let server, let found = peer.nodeID, found != server {
                await session.close()
                throw Failure("another node answers at \(pairing.url) than at 'pando login'; log in again if that is right")
            }
            return session
        } catch let error as DirectoryInUse {
            await transport.shutdown()
            throw Failure("\(folder) is being synced already, by \(error.pid.map { "process \($0)" } ?? "another process")")
        } catch {
            await transport.shutdown()
            throw error is Failure ? error : Failure(FolderSync.words(error))
        }
    }

    /// The process that syncs a folder now; nil if none does.
    static func process(syncing folder: String) -> Int? {
        guard FileManager.default.fileExists(atPath: folder + "/.pando/node") else { return nil }
        do {
            _ = try DirectoryLock(directory: folder + "/.pando/node")
            return nil
        } catch {
            return (error as? DirectoryInUse)?.pid
        }
    }

    private static func pairing(folder: String, url: String?, paths: [String]?, isNew: Bool) throws -> Pairing {
        let url = try url.map { try Connection.normalise($0) }
        if var known = try Pairing.of(folder: folder) {
            if let url, url != known.url {
                throw Failure("\(folder) is paired with \(known.url); remove \(folder)/.pando to pair it with another node")
            }
            if let paths { known.paths = paths }
            return known
        }
        if PairedFolder.isRemembered(folder), !isNew {
            throw Failure(
                "\(folder) was paired, and its .pando is gone: is its disk mounted? Nothing was changed; --new pairs the folder anew")
        }
        guard let url else { throw Failure("\(folder) is not paired yet: give the node's address, as in 'pando sync \(folder) http://localhost:6830'") }
        return Pairing(id: UUID().uuidString, url: url, cluster: nil, paths: paths ?? [])
    }

    /// The key by which the server lets this folder in, and the server's id where it is known.
    private static func key(for pairing: Pairing, folder: String) async throws -> (key: String, server: String?) {
        let connection = try Connection.resolve(node: pairing.url, data: nil, environment: ProcessInfo.processInfo.environment)
        let server: String? = if case .node(let id) = connection.trust { id.description } else { nil }
        let path = folder + "/.pando/key"
        switch connection.credential {
        case .key(let key): return (key, server)
        case .made:
            // On the machine of a running node its owner needs no login; the folder gets a key of its own.
            if let bytes = try PrivateFile.read(path) { return (String(decoding: bytes, as: UTF8.self), server) }
            let client = connection.client()
            do {
                let label = "folder \(URL(filePath: folder).lastPathComponent)"
                let made = try await client.makeKey(NewKey(
                    label: label, rules: [KeyRule(path: "/**", allow: Permission.allCases.map(\.rawValue))], expiresIn: nil))
                await client.shutdown()
                _ = try OperatingSystemDisk(path: folder + "/.pando")
                try PrivateFile.write(Array(made.apiKey.utf8), to: path)
                return (made.apiKey, server)
            } catch {
                await client.shutdown()
                throw error
            }
        case .token, .none:
            if let bytes = try PrivateFile.read(path) { return (String(decoding: bytes, as: UTF8.self), server) }
            throw Failure("a folder needs a key for \(pairing.url): 'pando login \(pairing.url) --key KEY', or set PANDO_KEY")
        }
    }

    /// Nobody waits for the room of what is not needed any more, and the log of a folder is small.
    private static let collectionInterval = Duration.seconds(24 * 3600)

    /// Keeps the folder's log small while it is synced.
    func startCare() {
        node.startCare(CareSchedule(collection: FolderSession.collectionInterval, scrub: nil, rate: Node.careRate))
    }

    /// The same for a folder that is synced once now and then.
    func collectIfDue() async {
        await node.collectIfDue(after: FolderSession.collectionInterval)
    }

    func close() async {
        await node.endTasks()
        try? await BlockingThreads(count: 1, name: "stop").run { [node, state] in
            node.close()
            state.close()
        }
        await transport.shutdown()
    }

    /// What is known of a path, without the server.
    static func explain(_ path: TreePath, in folder: String) async throws -> FolderExplanation {
        try await withDatabase(of: folder) { state in try state.explain(path) }
    }

    /// Opens a folder's state without its server.
    static func withDatabase<Result: Sendable>(
        of folder: String, _ body: @escaping @Sendable (FolderState) async throws -> Result
    ) async throws -> Result {
        guard let pairing = try Pairing.of(folder: folder) else { throw Failure("\(folder) is not paired") }
        guard let key = try NodeKey.existing(directory: folder + "/.pando/node") else { throw Failure("\(folder) was never synced") }
        let database = try FileDatabase(directory: folder + "/.pando/node", actor: Causality.Actor(node: key.id), time: SystemTime())
        do {
            let state = try FolderState(folder: folder, database: database, scope: FolderScope(try pairing.paths.map { try Glob($0) }))
            let result = try await body(state)
            database.close()
            return result
        } catch {
            database.close()
            throw error
        }
    }

    /// A path of the tree from what a person typed: within the folder, or as it stands in the tree.
    static func treePath(_ text: String, in folder: String) throws -> TreePath {
        var name = text
        let absolute = text.hasPrefix("/") ? text : FileManager.default.currentDirectoryPath + "/" + text
        let standard = URL(filePath: absolute).standardizedFileURL.path(percentEncoded: false)
        if standard.hasPrefix(folder + "/") { name = String(standard.dropFirst(folder.count)) }
        return try TreePath(RemotePath(name).path)
    }

    // MARK: Rates

    /// Bytes that crossed the network so far.
    var traffic: (sent: UInt64, received: UInt64) {
        guard let peer = node.peers().first else { return (0, 0) }
        return (peer.bytesSent, peer.bytesReceived)
    }

    private var ratePath: String { folder + "/.pando/rate" }

    /// Bytes a second of the last sync that moved enough to tell.
    var lastRate: Double? {
        guard let bytes = try? PrivateFile.read(ratePath) else { return nil }
        return Double(String(decoding: bytes, as: UTF8.self))
    }

    func noteRate() {
        let (sent, received) = traffic
        let elapsed = ContinuousClock.now - started
        let seconds = Double(elapsed.components.seconds) + Double(elapsed.components.attoseconds) / 1e18
        // Less tells more of the beginning than of the rate. Without it the next estimate is a guess, which is no loss.
        guard sent + received > 4 << 20, seconds > 0 else { return }
        try? PrivateFile.write(Array(String(Double(sent + received) / seconds).utf8), to: ratePath)
    }
}
