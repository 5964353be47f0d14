import ArgumentParser
import Content
import Foundation
import HTTPClient

/// Options of every command that talks to a node.
struct GlobalOptions: ParsableArguments {
    @Option(help: ArgumentHelp("The node to talk to (also PANDO_NODE).", valueName: "url"))
    var node: String?

    @Option(help: ArgumentHelp("The data directory of the local node (also PANDO_DATA; default ./pando-data).", valueName: "dir"))
    var data: String?

    @Flag(help: "Print JSON.")
    var json = false

    /// Runs `body` with a client of the node that the flags, the environment or the stored login name.
    func withClient<Result: Sendable>(
        _ body: (PandoClient) async throws -> Result
    ) async throws -> Result {
        let client = try connection().client()
        do {
            let result = try await body(client)
            await client.shutdown()
            return result
        } catch {
            await client.shutdown()
            throw error
        }
    }

    func connection() throws -> Connection {
        try Connection.resolve(node: node, data: data, environment: ProcessInfo.processInfo.environment)
    }
}

/// A node and the means to be let in.
struct Connection: Sendable {
    var url: String
    var credential: Credential
    var trust = Trust.authorities

    func client() -> PandoClient {
        PandoClient(url: url, credential: credential, trust: trust)
    }

    /// Flags stand over the environment, that over the stored login, that over the running local node.
    static func resolve(node: String?, data: String?, environment: [String: String]) throws -> Connection {
        func variable(_ name: String) -> String? {
            guard let value = environment[name], !value.isEmpty else { return nil }
            return value
        }
        let directory = try data ?? variable("PANDO_DATA") ?? LocalNode.configuredDirectory() ?? "./pando-data"
        let local = LocalEndpoint.running(in: directory)
        let credentials = try Credentials.load()
        let url: String
        if let node {
            url = try normalise(node)
        } else if data != nil {
            guard let local else { throw Failure("no node is running on \(directory); start it with 'pando serve --data \(directory)'") }
            url = try normalise(local.url)
        } else if let node = variable("PANDO_NODE") {
            url = try normalise(node)
        } else if variable("PANDO_DATA") != nil, let local {
            url = try normalise(local.url)
        } else if let current = credentials.current {
            url = current
        } else if let local {
            url = try normalise(local.url)
        } else {
            throw Failure(
                "no node is named and none is running on \(directory): give --node URL, set PANDO_NODE, log in with "
                    + "'pando login URL --key KEY', or start one with 'pando serve'")
        }

        let localURL = try local.map { try normalise($0.url) }
        let isLocal = localURL.map { isSameNode($0, url) } ?? false
        let login = credentials.login(for: url)
        let trust = try trust(isLocal ? local?.nodeID : variable("PANDO_NODE_ID") ?? login?.node)
        let made = Credential.made { try await LocalNode.token(dataDirectory: directory) }
        // Whoever names a data directory means its owner's right to it.
        if data != nil, node == nil, isLocal { return Connection(url: url, credential: made, trust: trust) }
        if let token = variable("PANDO_TOKEN") { return Connection(url: url, credential: .token(token), trust: trust) }
        if let key = variable("PANDO_KEY") { return Connection(url: url, credential: .key(key), trust: trust) }
        if let login { return Connection(url: url, credential: .key(login.key), trust: trust) }
        return Connection(url: url, credential: isLocal ? made : .none, trust: trust)
    }

    /// Nodes that are known are known by their own keys; for others an authority has to vouch.
    private static func trust(_ node: String?) throws -> Trust {
        guard let node else { return .authorities }
        guard let id = NodeID(node) else { throw Failure("'\(node.prefix(80))' is not a node id: 64 lower-case hexadecimal digits") }
        return .node(id)
    }

    /// `http://HOST:PORT` or `https://HOST:PORT` from what a person types: without either, as nodes listen by default.
    static func normalise(_ text: String) throws -> String {
        var address = text
        if !text.contains("://") {
            let host = URLComponents(string: "http://" + text)?.host ?? ""
            address = (Host.isLoopback(host) ? "http://" : "https://") + text
        }
        while address.last == "/" { address.removeLast() }
        guard let components = URLComponents(string: address), let scheme = components.scheme?.lowercased(),
            scheme == "http" || scheme == "https", components.host?.isEmpty == false
        else { throw Failure("'\(text)' is not the address of a node; one looks like http://localhost:6830") }
        guard components.user == nil, components.password == nil else {
            throw Failure("an address must not hold a password; log in with 'pando login URL --key KEY'")
        }
        guard components.path.isEmpty, components.query == nil, components.fragment == nil else {
            throw Failure("'\(text)' has more than a host and a port; a node's address looks like http://localhost:6830")
        }
        return address
    }

    private static func isSameNode(_ left: String, _ right: String) -> Bool {
        guard let left = URLComponents(string: left), let right = URLComponents(string: right) else { return false }
        let loopback: Set<String> = ["127.0.0.1", "localhost", "::1", "[::1]", "0.0.0.0", "[::]", "::"]
        func host(_ components: URLComponents) -> String {
            let host = components.host?.lowercased() ?? ""
            return loopback.contains(host) ? "localhost" : host
        }
        return host(left) == host(right) && left.port == right.port
    }
}
