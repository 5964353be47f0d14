import AsyncHTTPClient
import Foundation
import NIOCore
import NIOHTTP1

/// Talks to one node over HTTP.
///
/// A client holds connections: end it with `shutdown()`.
public struct PandoClient: Sendable {
    /// The node's address, without a slash at its end.
    public let url: String
    private let connections: NodeConnections
    private let tokens: TokenSource

    /// Answers other than files are not longer: a page of 10,000 items has a few MiB, the chunk list of 100 GB some 50.
    static let maximumDocumentLength = 256 << 20
    static let maximumTries = 5
    /// Seconds. Whoever is told to wait longer is told so instead of left waiting.
    static let longestWait = 30

    /// - Parameters:
    ///   - url: `http://HOST:PORT` or `https://HOST:PORT`.
    ///   - trust: whom to believe that they are the node, over TLS.
    public init(url: String, credential: Credential, trust: Trust = .authorities) {
        var base = Substring(url)
        while base.last == "/" { base = base.dropLast() }
        let node = String(base)
        self.url = node
        let connections = NodeConnections(url: node, trust: trust)
        self.connections = connections
        tokens = TokenSource(credential) { request in
            try await PandoClient.exchange(request, url: node, connections)
        }
    }

    public func shutdown() async {
        await connections.shutdown()
    }

    /// Connects, and finds out who answers: nothing is sent to anybody whom `trust` does not cover.
    public func introduce() async throws -> NodeIntroduction {
        do {
            return try await connections.introduce()
        } catch {
            throw ClientError.unanswered(error, url: url)
        }
    }

    /// A body that can be sent again when a request is repeated.
    typealias BodySource = @Sendable () -> HTTPClientRequest.Body

    /// Sends a request and returns the answer's head, its body still to be read; refusals are thrown.
    func send(
        _ method: HTTPMethod, _ target: String, headers: [(String, String)] = [], body: BodySource? = nil,
        isRepeatable: Bool = true
    ) async throws -> HTTPClientResponse {
        var tries = 0
        var renewed = false
        while true {
            tries += 1
            let token = try await tokens.current()
            var request = HTTPClientRequest(url: url + target)
            request.method = method
            for (name, value) in headers { request.headers.add(name: name, value: value) }
            if let token { request.headers.add(name: "Authorization", value: "Bearer \(token)") }
            request.body = body?()
            do {
                let response = try await execute(request)
                if response.status.code < 400 { return response }
                throw try await refusal(response)
            } catch let error as ClientError {
                if error.status == 401, !renewed, let token, await tokens.forget(token) {
                    renewed = true
                    continue
                }
                guard isRepeatable, error.canRetry, tries < PandoClient.maximumTries else { throw error }
                // A node that never answered is not there; one that did may be starting again.
                guard error.status != nil || wasReached.value else { throw error }
                guard error.retryAfter ?? 0 <= PandoClient.longestWait else { throw error }
                try await Task.sleep(for: .milliseconds((error.retryAfter ?? 0) * 1000 + 100 << tries))
            }
        }
    }

    private let wasReached = ReachedFlag()

    private func execute(_ request: HTTPClientRequest) async throws -> HTTPClientResponse {
        do {
            let response = try await connections.execute(request, deadline: .distantFuture)
            wasReached.set()
            return response
        } catch {
            throw ClientError.unanswered(error, url: url)
        }
    }

    private func refusal(_ response: HTTPClientResponse) async throws -> ClientError {
        var body: [UInt8] = []
        // The problem document is small; whatever else comes is not worth waiting for.
        if let collected = try? await response.body.collect(upTo: 16 << 20) { body = Array(collected.readableBytesView) }
        return ClientError.refusal(
            status: Int(response.status.code), reason: response.status.reasonPhrase, body: body,
            retryAfter: response.headers.first(name: "Retry-After"))
    }

    // MARK: Documents

    func bytes(of response: HTTPClientResponse) async throws -> [UInt8] {
        do {
            let buffer = try await response.body.collect(upTo: PandoClient.maximumDocumentLength)
            return Array(buffer.readableBytesView)
        } catch {
            throw ClientError.unanswered(error, url: url)
        }
    }

    func decode<Document: Decodable>(_ type: Document.Type, from response: HTTPClientResponse) async throws -> Document {
        try PandoClient.decode(type, from: await bytes(of: response), url: url)
    }

    private static func decode<Document: Decodable>(_ type: Document.Type, from bytes: [UInt8], url: String) throws -> Document {
        do {
            return try JSONDecoder().decode(type, from: Data(bytes))
        } catch {
            throw ClientError(
                title: "unexpected answer",
                detail: "the answer from \(url) is not what a Pando node of this version sends (\(type))")
        }
    }

    /// A request that has a JSON document for an answer, and perhaps one for a body.
    func document<Document: Decodable>(
        _ method: HTTPMethod, _ target: String, body: (any Encodable & Sendable)? = nil, as type: Document.Type = Document.self,
        isRepeatable: Bool = true
    ) async throws -> Document {
        var source: BodySource?
        if let body {
            let buffer = ByteBuffer(bytes: try JSONEncoder().encode(body))
            source = { HTTPClientRequest.Body.bytes(buffer) }
        }
        let response = try await send(
            method, target, headers: source == nil ? [] : [("Content-Type", "application/json")], body: source,
            isRepeatable: isRepeatable)
        return try await decode(type, from: response)
    }

    /// Reads the rest of an answer that says nothing more, so that its connection can be used again.
    func discard(_ response: HTTPClientResponse) async throws {
        _ = try await bytes(of: response)
    }

    // MARK: Tokens

    private static func exchange(
        _ request: TokenRequest, url: String, _ connections: NodeConnections
    ) async throws -> TokenGrant {
        let (route, field, secret) = switch request {
        case .key(let key): ("/auth/token", "api_key", key)
        case .refresh(let token): ("/auth/refresh", "refresh_token", token)
        }
        var message = HTTPClientRequest(url: url + route)
        message.method = .POST
        message.headers.add(name: "Content-Type", value: "application/json")
        message.body = .bytes(ByteBuffer(bytes: try JSONEncoder().encode([field: secret])))
        let response: HTTPClientResponse
        let body: [UInt8]
        do {
            response = try await connections.execute(message, deadline: .now() + .seconds(60))
            body = Array(try await response.body.collect(upTo: 1 << 20).readableBytesView)
        } catch {
            throw ClientError.unanswered(error, url: url)
        }
        guard response.status.code < 400 else {
            var error = ClientError.refusal(
                status: Int(response.status.code), reason: response.status.reasonPhrase, body: body,
                retryAfter: response.headers.first(name: "Retry-After"))
            if error.status == 401 { error.detail = "the node at \(url) does not accept the key" }
            if error.status == 429 { error.detail = "the node at \(url) was asked too often with wrong keys; try again later" }
            error.canRetry = false
            throw error
        }
        return try decode(TokenGrant.self, from: body, url: url)
    }

    /// Exchanges an API key for a token, to see that the node takes it.
    public func checkKey(_ key: String) async throws {
        _ = try await PandoClient.exchange(.key(key), url: url, connections)
    }
}
