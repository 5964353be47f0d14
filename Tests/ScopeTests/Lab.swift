import Access
import Causality
import Content
import FileDatabase
import Foundation
import HTTPTypes
@testable import HTTPServer
import Hummingbird
import Logging
import Merkle
import NIOCore
import NIOEmbedded
@testable import Node
import Platform
import Replication
import Synchronization
import TestSupport
import Testing

/// Whole nodes in one process, which talk to each other without sockets.
final class Lab: Sendable {
    private struct Machine {
        var node: Node
        var directory: TemporaryDirectory
        var server: InProcessServer
    }

    private let machines = Mutex<[String: Machine]>([:])
    /// Bytes of the bodies that were sent to a node, by its address and the route.
    private let traffic = Mutex<[String: Int]>([:])
    /// Called before each request, with the address that it goes to and its path.
    let onRequest = Mutex<(@Sendable (String, String) async -> Void)?>(nil)

    /// Pairs of addresses between which nothing gets through.
    private let cuts = Mutex<Set<Set<String>>>([])

    struct Wire: Transport {
        weak let lab: Lab?
        let address: String

        func send(_ request: TransportRequest) async throws(TransportError) -> TransportResponse {
            guard let lab, let server = lab.machines.withLock({ $0[request.address]?.server }),
                  !lab.cuts.withLock({ $0.contains([address, request.address]) }) else {
                throw TransportError("nothing listens there", isUnreachable: true)
            }
            let path = String(request.path.prefix { $0 != "?" })
            if let hook = lab.onRequest.withLock({ $0 }) { await hook(request.address, path) }
            lab.traffic.withLock { $0[request.address + path, default: 0] += request.body.count }
            // As with a connection, the reason does not get through.
            guard let body = try? await request.body.collect() else { throw TransportError("the request broke off", isUnreachable: true) }
            return await server.respond(to: InProcessServer.Request(
                request.method.rawValue, request.path, token: request.token, contentType: request.contentType, body: body))
        }
    }

    private let time: any TimeSource
    private let retention: Duration

    init(time: any TimeSource = SystemTime(), retention: Duration = Node.defaultRetention) {
        self.time = time
        self.retention = retention
    }

    static func address(_ name: String) -> String { "http://\(name):6830" }

    /// A node that is in no cluster, or has founded its own.
    ///
    /// - Parameter isHidden: whether nobody can connect to it.
    func node(_ name: String, founds: Bool = false, isHidden: Bool = false) async throws -> Node {
        let directory = try TemporaryDirectory()
        var options = Node.Options(
            directory: directory.path, label: name, transport: Wire(lab: self, address: Lab.address(name)),
            logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() }), time: time)
        options.retention = retention
        let node = try Node(options)
        if !isHidden { node.setAddress(Lab.address(name)) }
        let server = InProcessServer(node: node, channel: NIOAsyncTestingChannel())
        machines.withLock { $0[Lab.address(name)] = Machine(node: node, directory: directory, server: server) }
        if founds { _ = try await node.foundCluster() }
        return node
    }

    /// A node that has joined another's cluster.
    func node(_ name: String, joining host: String, syncPaths: [String]? = nil, isHidden: Bool = false) async throws -> Node {
        let invitation = try self[host].invite(label: nil, expiresIn: nil, syncPaths: syncPaths).invitation
        let node = try await node(name, isHidden: isHidden)
        try await node.join(address: Lab.address(host), token: invitation)
        return node
    }

    /// A node that uses another with a key of these rules.
    func client(_ name: String, of host: String, rules: [(path: String, allow: [Permission])]) async throws -> (node: Node, key: String) {
        let key = try await self[host].makeKey(label: name, rules: rules, expiresIn: nil, maker: Lab.owner).key
        let node = try await node(name)
        try await node.connect(to: Lab.address(host), apiKey: key)
        return (node, key)
    }

    static let owner = Principal(identity: .owner, rules: .everything)

    subscript(_ name: String) -> Node {
        get throws {
            guard let node = machines.withLock({ $0[Lab.address(name)]?.node }) else { throw Missing() }
            return node
        }
    }

    struct Missing: Error {}

    /// Cuts some nodes off from others.
    func cut(_ names: [String], from others: [String]) {
        cuts.withLock { cuts in
            for name in names { for other in others { cuts.insert([Lab.address(name), Lab.address(other)]) } }
        }
    }

    func endCuts() { cuts.withLock { $0 = [] } }

    /// Bytes that have gone to a route of a node.
    func bytes(to name: String, _ path: String) -> Int { traffic.withLock { $0[Lab.address(name) + path] ?? 0 } }

    func close() {
        for machine in machines.withLock({ $0.values.map(\.node) }) { machine.close() }
        machines.withLock { $0 = [:] }
    }
}

/// Runs a test with a lab of its own.
func withLab(
    time: any TimeSource = SystemTime(), retention: Duration = Node.defaultRetention, _ body: (Lab) async throws -> Void
) async throws {
    let lab = Lab(time: time, retention: retention)
    defer { lab.close() }
    try await body(lab)
}

// MARK: - Files

extension Node {
    func put(_ text: String, at path: String) async throws { try await put(Array(text.utf8), at: path) }

    func put(_ bytes: [UInt8], at path: String) async throws {
        let upload = FileUpload(to: database)
        bytes.withUnsafeBytes { upload.add($0) }
        try await upload.drain()
        let (content, objects) = try await upload.finish()
        let value = Value.file(FileValue(content: content, mediaType: "text/plain", modifiedAt: 1))
        _ = try await database.put(value, at: TreePath(path), objects: objects)
    }

    func text(_ path: String) async throws -> String? {
        guard let file = try database.view.info(at: TreePath(path))?.file else { return nil }
        var bytes: [UInt8] = []
        for try await piece in database.bytes(of: file.content) { bytes += piece }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// The paths of all files and links.
    func paths() throws -> [String] {
        var options = ListOptions()
        options.recursive = true
        options.limit = .max
        return try database.view.list(.root, options).items.filter { $0.kind != .directory }.map(\.path.description)
    }

    func register(_ path: String) throws -> Register? { try database.view.entry(at: TreePath(path))?.register }

    func actor() -> Actor { database.actor }

    /// Syncs with all peers.
    @discardableResult
    func sync() async throws -> [SyncReport] {
        let reports = try await trigger()
        for report in reports where !report.ok { throw NodeError(.unavailable, report.error ?? "") }
        return reports
    }
}

// MARK: - Requests

/// An answer with everything that a client sees of it.
struct Seen: Sendable {
    var status: Int
    var headers: [(String, String)]
    var body: [UInt8]

    var text: String { String(decoding: body, as: UTF8.self) }
    var json: [String: Any] { (try? JSONSerialization.jsonObject(with: Data(body))) as? [String: Any] ?? [:] }
}

/// What a body writes, as it comes.
final class Collected: Sendable {
    private let bytes = Mutex<[UInt8]>([])

    var value: [UInt8] { bytes.withLock { $0 } }

    struct Writer: ResponseBodyWriter {
        let collected: Collected

        mutating func write(_ buffer: ByteBuffer) async throws {
            let piece = Array(buffer: buffer)
            collected.bytes.withLock { $0 += piece }
        }

        consuming func finish(_ trailingHeaders: HTTPFields?) async throws {}
    }
}

extension Node {
    func response(
        _ method: String, _ target: String, token: String?, body: [UInt8] = [], headers: [String: String] = [:], server: Dispatcher? = nil
    ) async throws -> Response {
        var head = HTTPRequest(method: HTTPRequest.Method(method) ?? .get, scheme: nil, authority: nil, path: target)
        if let token { head.headerFields[.authorization] = "Bearer \(token)" }
        for (name, value) in headers { if let name = HTTPField.Name(name) { head.headerFields[name] = value } }
        head.headerFields[.contentLength] = String(body.count)
        let context = ConnectionContext(source: ApplicationRequestContextSource(channel: NIOAsyncTestingChannel(), logger: logger))
        return try await (server ?? Dispatcher(node: self, isEncrypted: false)).respond(
            to: Request(head: head, body: RequestBody(buffer: ByteBuffer(bytes: body))), context: context)
    }

    func ask(
        _ method: String, _ target: String, token: String?, body: [UInt8] = [], headers: [String: String] = [:], server: Dispatcher? = nil
    ) async throws -> Seen {
        let response = try await response(method, target, token: token, body: body, headers: headers, server: server)
        let collected = Collected()
        // A body that fails ends the connection, and shows what it has written.
        try? await response.body.write(Collected.Writer(collected: collected))
        return Seen(
            status: response.status.code, headers: response.headers.map { ($0.name.rawName, $0.value) }, body: collected.value)
    }

    func ask(_ method: String, _ target: String, token: String?, json: String) async throws -> Seen {
        try await ask(method, target, token: token, body: Array(json.utf8), headers: ["Content-Type": "application/json"])
    }

    /// A token for the holder of an API key who also holds a node's.
    func token(apiKey: String, as key: NodeKey) async throws -> String {
        let time = Int64(clock.wallMicroseconds())
        let id = try #require(APIKey(apiKey)).id
        let proof = try ClientProof(of: key, keyID: id, receiver: self.id, time: time)
        let answer = try await ask(
            "POST", "/auth/token", token: nil,
            json: #"{"api_key": "\#(apiKey)", "public_key": "\#(proof.publicKey.hex)", "time": \#(time), "signature": "\#(proof.signature.hex)"}"#)
        return try #require(answer.json["token"] as? String)
    }

    /// Gets the honeymoon over for whoever has a token.
    func settle(_ token: String, as id: NodeID) async throws {
        for _ in 0..<5 {
            let now = clock.wallMicroseconds()
            let answer = try await ask(
                "POST", "/sync/heartbeat", token: token, json: #"{"intent_time": \#(now), "construct_time": \#(now), "node_id": "\#(id)"}"#)
            #expect(answer.status == 200, "\(answer.text)")
        }
    }
}
