import Foundation
import Testing

#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

/// Whose token goes with a request.
enum Bearer {
    case owner
    case nobody
    case token(String)
}

/// A node of the real program, on loopback, with its data in a directory that goes with it.
final class RunningNode {
    let directory: TemporaryDirectory
    let data: String
    private(set) var process: ChildProcess
    private(set) var port = 0
    private(set) var isSecure = false
    private(set) var token = ""
    /// What it printed at its first start.
    private(set) var rootKey = ""
    /// The output of all starts.
    private(set) var log = ""
    private let arguments: [String]
    private let environment: [String: String]

    /// - Parameters:
    ///   - data: where the data is, if not in a directory of its own.
    ///   - arguments: of `serve`, besides those for the directory and the port.
    ///   - isLive: whether it keeps in touch with its peers; if not, it syncs when it is told to.
    init(_ arguments: [String] = [], isLive: Bool = false, data: String? = nil, environment: [String: String] = [:], fileSizeLimit: Int? = nil) throws {
        directory = try TemporaryDirectory()
        self.data = data ?? directory.appending("data")
        self.arguments = arguments + (isLive ? [] : ["--manual"])
        self.environment = environment
        process = try ChildProcess(
            ["serve", "--data", self.data, "--port", "0"] + self.arguments, in: directory.path, environment: environment, fileSizeLimit: fileSizeLimit)
        try waitUntilListening()
        if let range = log.range(of: #"pando_[0-9a-f]{16}_[0-9a-f]{64}"#, options: .regularExpression) { rootKey = String(log[range]) }
    }

    /// One that has joined another's cluster.
    convenience init(
        joining host: RunningNode, label: String? = nil, at address: String? = nil, isLive: Bool = false, _ arguments: [String] = []
    ) throws {
        let invitation = try host.post("/sync/invitations", "{}").json["invitation"].text ?? ""
        try self.init(
            ["--join", address ?? host.url, "--join-token", invitation] + (label.map { ["--label", $0] } ?? []) + arguments, isLive: isLive)
    }

    /// One that has joined another's cluster over TLS, and speaks it too.
    convenience init(joiningOverTLS host: RunningNode, at address: String? = nil, isLive: Bool = false) throws {
        let invitation = try host.command("invite").output.trimmingCharacters(in: .whitespacesAndNewlines)
        try self.init(["--tls", "--join", address ?? host.url, "--join-token", invitation], isLive: isLive)
    }

    var url: String { "\(isSecure ? "https" : "http")://127.0.0.1:\(port)" }

    private func waitUntilListening() throws {
        for _ in 0..<6000 {
            if let range = process.output.range(of: #"listens at https?://[0-9.]+:\d+\n"#, options: .regularExpression) {
                port = Int(process.output[range].split(separator: ":").last?.dropLast() ?? "") ?? 0
                isSecure = process.output[range].contains("https://")
                log += process.output
                token = try command(["token", "--data", data], isGlobal: false).output.trimmingCharacters(in: .whitespacesAndNewlines)
                return
            }
            guard !process.isOver else { break }
            usleep(10_000)
        }
        throw TestFailure("the node did not start: \(process.output) \(process.errors)")
    }

    // MARK: Its life

    /// Ends it as an administrator would.
    @discardableResult
    func stop() throws -> ProcessEnd {
        process.signal(SIGTERM)
        return try process.wait()
    }

    /// Ends it as a power cut would, as far as a process can tell.
    func kill() throws {
        process.signal(SIGKILL)
        try process.wait()
    }

    /// Starts it again on the same data and the same port.
    func start(_ arguments: [String]? = nil, fileSizeLimit: Int? = nil) throws {
        process = try ChildProcess(
            ["serve", "--data", data, "--port", String(port)] + (arguments ?? self.arguments), in: directory.path, environment: environment,
            fileSizeLimit: fileSizeLimit)
        try waitUntilListening()
    }

    func restart() throws {
        try stop()
        try start()
    }

    // MARK: Requests

    /// Sends a request on a connection of its own, with the owner's token unless another or none is given.
    func send(
        _ method: String, _ target: String, _ headers: [String: String] = [:], body: [UInt8]? = nil, as bearer: Bearer = .owner
    ) throws -> Answer {
        let connection = try Connection(port: port)
        try connection.send(head(method, target, headers, length: body?.count, as: bearer))
        // A server that refuses may close before all is sent; its answer counts all the same.
        if let body { try? connection.send(body) }
        guard let answer = try connection.readAnswer(isHead: method == "HEAD") else {
            throw TestFailure("no answer to \(method) \(target)")
        }
        return answer
    }

    /// A request's head as bytes to send.
    func head(
        _ method: String, _ target: String, _ headers: [String: String] = [:], length: Int? = nil, as bearer: Bearer = .owner
    ) -> String {
        var head = "\(method) \(target) HTTP/1.1\r\nHost: 127.0.0.1:\(port)\r\n"
        let token: String? = switch bearer { case .owner: self.token; case .nobody: nil; case .token(let text): text }
        if let token { head += "Authorization: Bearer \(token)\r\n" }
        if let length { head += "Content-Length: \(length)\r\n" }
        for (name, value) in headers { head += "\(name): \(value)\r\n" }
        return head + "\r\n"
    }

    func get(_ target: String, _ headers: [String: String] = [:]) throws -> Answer { try send("GET", target, headers) }

    @discardableResult
    func put(_ target: String, _ text: String, _ headers: [String: String] = [:]) throws -> Answer {
        try send("PUT", target, headers, body: Array(text.utf8))
    }

    @discardableResult
    func post(_ target: String, _ json: String? = nil) throws -> Answer {
        try send("POST", target, json == nil ? [:] : ["Content-Type": "application/json"], body: Array((json ?? "").utf8))
    }

    /// A file's content; nil if there is none.
    func content(_ path: String) throws -> String? {
        let answer = try get("/files" + path)
        return answer.status == 200 ? answer.text : nil
    }

    func status() throws -> Document { try get("/sync/status").json }
    func root() throws -> String { try status()["root"].text ?? "" }
    func id() throws -> String { try status()["node_id"].text ?? "" }
    /// Its id, as its data directory has it.
    func nodeID() throws -> String { Document(json: try directory.read("data/endpoint.json"))["node_id"].text ?? "" }
    func conflicts() throws -> [Document] { try get("/sync/conflicts").json["items"].items }

    /// Syncs with all peers; the reports.
    @discardableResult
    func trigger(_ location: SourceLocation = #_sourceLocation) throws -> [Document] {
        let answer = try post("/sync/trigger")
        #expect(answer.status == 200, "\(answer.text)", sourceLocation: location)
        return answer.json["peers"].items
    }

    /// Syncs with all peers, which all must go well.
    @discardableResult
    func sync(_ location: SourceLocation = #_sourceLocation) throws -> [Document] {
        let reports = try trigger(location)
        #expect(!reports.isEmpty, sourceLocation: location)
        for report in reports { #expect(report["ok"].flag == true, "\(report)", sourceLocation: location) }
        return reports
    }

    // MARK: The command line

    struct CommandResult {
        var end: ProcessEnd
        var output: String
        var errors: String
        var code: Int32? { if case .exited(let code) = end { code } else { nil } }
        var json: Document { Document(json: output) }
    }

    /// Runs a command of the program on this node.
    @discardableResult
    func command(_ arguments: [String], environment: [String: String] = [:], isGlobal: Bool = true) throws -> CommandResult {
        // On the node's machine, and so by its wall clock.
        let process = try ChildProcess(
            (isGlobal ? ["--data", data] : []) + arguments, in: directory.path,
            environment: self.environment.merging(environment) { $1 })
        let end = try process.wait()
        return CommandResult(end: end, output: process.output, errors: process.errors)
    }

    @discardableResult
    func command(_ arguments: String...) throws -> CommandResult { try command(arguments) }
}
