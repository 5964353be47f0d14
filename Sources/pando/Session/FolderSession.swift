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
    private let trial: Trial?
    private let started = ContinuousClock.now

    private init(folder: String, url: String, state: FolderState, node: Node, transport: HTTPTransport, trial: Trial?) {
        self.folder = folder
        self.url = url
        self.state = state
        self.node = node
        self.transport = transport
        self.trial = trial
        remote = NodeRemote(node: node, address: url)
    }

    // MARK: Opening

    /// - Parameter isTrial: whether a folder that is not paired is to be as it was afterwards, and a pairing is not changed.
    static func open(
        folder: String, url: String?, paths: [String]?, isNew: Bool, isTrial: Bool, limitUp: UInt64?, limitDown: UInt64?
    ) async throws -> FolderSession {
        let known = try Pairing.of(folder: folder)
        let pairing = try pairing(folder: folder, known: known, url: url, paths: paths, isNew: isNew)
        let isFresh = isTrial && known == nil && !FileManager.default.fileExists(atPath: folder + "/.pando")
        let access = try await access(for: pairing, folder: folder, isMoved: known.map { $0.url != pairing.url } ?? false)
        let trial = isFresh ? Trial(folder: folder, connection: access.connection, madeKey: access.madeKey) : nil
        do {
            return try await open(folder, pairing, known, access, isTrial: isTrial, trial, limitUp: limitUp, limitDown: limitDown)
        } catch {
            await trial?.end()
            throw error
        }
    }

    private static func open(
        _ folder: String, _ pairing: Pairing, _ known: Pairing?, _ access: Access, isTrial: Bool, _ trial: Trial?, limitUp: UInt64?, limitDown: UInt64?
    ) async throws -> FolderSession {
        var pairing = pairing
        let scope = FolderScope(try pairing.paths.map { try Glob($0) })
        let server: String? = if case .node(let id) = access.connection.trust { id.description } else { nil }
        if let known, known.url != pairing.url, let cluster = known.cluster {
            try await require(cluster, of: known, folder, at: pairing.url, access)
        }
        // Only now is anything written: with a key there is somebody to sync with.
        if known == nil {
            try pairing.store(in: folder)
            if !isTrial { try PairedFolder.remember(folder) }
        }
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
            let session = FolderSession(folder: folder, url: pairing.url, state: state, node: node, transport: transport, trial: trial)
            if let known, known.url != pairing.url, known.cluster == nil, !state.isUntouched {
                await session.close()
                throw Failure(
                    "\(folder) is paired with \(known.url), and has not noted of which cluster that is: run 'pando sync --once \(folder)' while it answers "
                        + "there, and give the new address then. Nothing was changed")
            }
            let peer = try await node.connect(to: pairing.url, apiKey: access.key, syncPaths: pairing.paths.isEmpty ? nil : pairing.paths)
            if let server, let found = peer.nodeID, found != server {
                await session.close()
                throw Failure("another node answers at \(pairing.url) than at 'pando login'; log in again if that is right")
            }
            if isTrial { return session }
            // By it a new address is known to be of the same cluster. Where it is not told now, it is the next time.
            if pairing.cluster == nil, peer.nodeID != nil { pairing.cluster = try? await cluster(at: access) }
            if pairing != known { try pairing.store(in: folder) }
            if let known, known.url != pairing.url { Output.note("\(folder) is synced with \(pairing.url) from now on, and no longer with \(known.url)") }
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

    private static func pairing(folder: String, known: Pairing?, url: String?, paths: [String]?, isNew: Bool) throws -> Pairing {
        let url = try url.map { try Connection.normalise($0) }
        if var known {
            if let url { known.url = url }
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

    /// What the server lets this folder in by.
    private struct Access {
        var connection: Connection
        var key: String
        /// The id of the key, if it was made now.
        var madeKey: String?
    }

    /// The cluster of a node that lets this folder in.
    private static func cluster(at access: Access) async throws -> String? {
        let client = PandoClient(url: access.connection.url, credential: .key(access.key), trust: access.connection.trust)
        do {
            let status: HTTPClient.NodeStatus = try await client.status()
            await client.shutdown()
            return status.clusterID
        } catch {
            await client.shutdown()
            throw error
        }
    }

    /// Makes sure that the node at a new address is of the cluster that a folder is paired with.
    private static func require(_ cluster: String, of known: Pairing, _ folder: String, at url: String, _ access: Access) async throws {
        let found: String?
        do {
            found = try await self.cluster(at: access)
        } catch {
            throw Failure(
                "\(folder) is paired with \(known.url), and nothing shows that the node at \(url) is of the same cluster: \(error). Nothing was changed")
        }
        guard found == cluster else {
            throw Failure(
                "\(folder) is paired with \(known.url), and the node at \(url) is of another cluster. Nothing was changed; "
                    + "give an address of the folder's own cluster, and sync another folder with that one")
        }
    }

    /// - Parameter isMoved: whether the folder is paired with another address until now. Its own key was made for that, and is shown to a node
    ///   that is known by its id alone.
    /// - Throws: `Failure` where there is no key.
    private static func access(for pairing: Pairing, folder: String, isMoved: Bool) async throws -> Access {
        let connection = try Connection.resolve(node: pairing.url, data: nil, environment: ProcessInfo.processInfo.environment)
        let path = folder + "/.pando/key"
        func storedKey() throws -> String? {
            guard let bytes = try PrivateFile.read(path) else { return nil }
            if isMoved {
                guard case .node = connection.trust else {
                    throw Failure("the folder's key is not shown to \(pairing.url) before you have logged in there: 'pando login \(pairing.url)', or set PANDO_KEY")
                }
            }
            return String(decoding: bytes, as: UTF8.self)
        }
        switch connection.credential {
        case .key(let key): return Access(connection: connection, key: key)
        case .made:
            // On the machine of a running node its owner needs no login; the folder gets a key of its own.
            if let key = try storedKey() { return Access(connection: connection, key: key) }
            let client = connection.client()
            do {
                let label = "folder \(URL(filePath: folder).lastPathComponent)"
                let made = try await client.makeKey(NewKey(
                    label: label, rules: [KeyRule(path: "/**", allow: Permission.allCases.map(\.rawValue))], expiresIn: nil))
                await client.shutdown()
                _ = try OperatingSystemDisk(path: folder + "/.pando")
                try PrivateFile.write(Array(made.apiKey.utf8), to: path)
                return Access(connection: connection, key: made.apiKey, madeKey: made.id)
            } catch {
                await client.shutdown()
                throw error
            }
        case .token, .none:
            if let key = try storedKey() { return Access(connection: connection, key: key) }
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
        await trial?.end()
    }

    /// A folder that is paired for as long as it takes to see what a sync would do.
    private struct Trial: Sendable {
        var folder: String
        var connection: Connection
        var madeKey: String?

        func end() async {
            try? FileManager.default.removeItem(atPath: folder + "/.pando")
            guard let madeKey else { return }
            let client = connection.client()
            // What is left without it is a key that nobody has.
            try? await client.revokeKey(madeKey)
            await client.shutdown()
        }
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
        let absolute = text.hasPrefix("/") ? text : FileManager.default.currentDirectoryPath + "/" + text
        let local = URL(filePath: absolute).standardizedFileURL
        // A link may lead to the folder. The last name is not followed: it may be a link that is synced.
        let resolved = local.deletingLastPathComponent().resolvingSymlinksInPath().appending(path: local.lastPathComponent)
        for path in [local, resolved].map({ $0.path(percentEncoded: false) }) {
            if path == folder || path == folder + "/" { return .root }
            if path.hasPrefix(folder + "/") { return try TreePath(RemotePath(String(path.dropFirst(folder.count))).path) }
        }
        return try TreePath(RemotePath(text).path)
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
