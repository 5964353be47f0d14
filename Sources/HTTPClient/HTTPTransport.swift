import AsyncHTTPClient
import Content
import Foundation
import NIOCore
import NIOHTTP1
import Platform
import Synchronization

/// Nodes' requests over HTTP/1.1, on kept connections. Over TLS, whoever answers has to prove to be the node that is meant
/// before anything but a question for the name is sent.
public final class HTTPTransport: Transport {
    /// Gives up on a peer that is silent for this long in the middle of an answer.
    private static let silence = 60
    private static let connectTimeout = TimeAmount.seconds(5)

    private struct Clients: Sendable {
        var http: HTTPClient
        /// For requests that a peer may take long to begin to answer.
        var patient: HTTPClient

        func shutdown() async {
            try? await http.shutdown()
            try? await patient.shutdown()
        }
    }

    /// An address over TLS has clients of its own: their connections are to one node alone.
    private struct Secure: Sendable {
        var address: SecureAddress
        var clients: Clients
    }

    private let plain: Clients
    private let secure = Mutex<[String: Secure]>([:])

    public init() {
        plain = HTTPTransport.clients { HTTPClient(
            eventLoopGroupProvider: .singleton,
            configuration: .plain(connectTimeout: HTTPTransport.connectTimeout, readTimeout: $0)) }
    }

    private static func clients(_ make: (TimeAmount?) -> HTTPClient) -> Clients {
        Clients(http: make(.seconds(Int64(silence))), patient: make(nil))
    }

    public func shutdown() async {
        await plain.shutdown()
        for secure in secure.withLock({ Array($0.values) }) { await secure.clients.shutdown() }
    }

    public func send(_ request: TransportRequest) async throws(TransportError) -> TransportResponse {
        let address = request.address
        do {
            guard SecureAddress.isSecure(address) else { return try await send(request, plain) }
            let secure = try await secure(for: request)
            return try await secure.address.send { try await send(request, secure.clients, from: secure.address.node) }
        } catch {
            let words = ConnectionFault.words(error)
            if ConnectionFault.isDistrust(error) {
                throw TransportError("what answers at \(address) is not trusted: \(words)", isUnreachable: false)
            }
            throw TransportError("no answer from \(address): \(words)", isUnreachable: true)
        }
    }

    private func send(_ request: TransportRequest, _ clients: Clients, from node: NodeID? = nil) async throws -> TransportResponse {
        var message = HTTPClientRequest(url: request.address + request.path)
        message.method = HTTPMethod(rawValue: request.method.rawValue)
        if let token = request.token { message.headers.add(name: "Authorization", value: "Bearer \(token)") }
        if request.body.count > 0 {
            message.headers.add(name: "Content-Type", value: request.contentType)
            message.body = HTTPTransport.body(request.body)
        }
        let address = request.address
        // The timeout holds until the head is here; the body is then read as long as it keeps coming.
        let client = request.timeoutSeconds > HTTPTransport.silence ? clients.patient : clients.http
        let response = try await client.execute(message, timeout: .seconds(Int64(request.timeoutSeconds)))
        let pieces = Pieces(response.body.makeAsyncIterator())
        return TransportResponse(status: Int(response.status.code), node: node, body: TransportBody(reading: { take throws(TransportError) in
            do {
                guard let piece = try await pieces.next() else { return false }
                piece.withUnsafeReadableBytes(take)
                return true
            } catch {
                throw TransportError("the connection to \(address) broke: \(ConnectionFault.words(error))", isUnreachable: false)
            }
        }))
    }

    /// A long body goes piece by piece: a second copy of megabytes costs more than to send them, most of it for memory that the system has to clear.
    private static func body(_ body: OutgoingBody) -> HTTPClientRequest.Body {
        switch body {
        case .pieces(let pieces, let threads): return .stream(FilledBody(pieces: pieces, threads: threads), length: .known(Int64(body.count)))
        case .bytes(let bytes):
            guard bytes.count > RangedBody.pieceLength else { return .bytes(ByteBuffer(bytes: bytes)) }
            let body = RangedBody(bytes: bytes, ranges: [0..<bytes.count], end: [])
            return .stream(body, length: .known(body.length))
        }
    }

    /// The proven address that a request goes to.
    private func secure(for request: TransportRequest) async throws -> Secure {
        let known = secure.withLock { $0[request.address] }
        if let known, let node = request.node, node == known.address.node { return known }
        // Nobody is known there yet, or somebody else than who is meant now, or whoever is there now is meant.
        let address = SecureAddress(request.address, expecting: request.node)
        try await address.prove()
        let made = Secure(address: address, clients: HTTPTransport.clients { readTimeout in
            .overTLS(connectTimeout: HTTPTransport.connectTimeout, readTimeout: readTimeout) { try address.check($0) }
        })
        let (kept, spare) = secure.withLock { secure -> (Secure, Secure?) in
            // Another request may have been as quick.
            if let present = secure[request.address], present.address.node == address.node { return (present, made) }
            defer { secure[request.address] = made }
            return (made, secure[request.address])
        }
        await spare?.clients.shutdown()
        return kept
    }
}

/// The pieces of one body, which one task reads at a time.
private final class Pieces: @unchecked Sendable {
    private var iterator: HTTPClientResponse.Body.AsyncIterator

    init(_ iterator: HTTPClientResponse.Body.AsyncIterator) {
        self.iterator = iterator
    }

    func next() async throws -> ByteBuffer? {
        try await iterator.next()
    }
}

/// The pieces of a request's body, each made in the buffer that it is sent from.
private struct FilledBody: AsyncSequence, Sendable {
    typealias Element = ByteBuffer

    let pieces: [OutgoingPiece]
    let threads: BlockingThreads

    struct AsyncIterator: AsyncIteratorProtocol {
        let body: FilledBody
        var index = 0

        mutating func next() async throws -> ByteBuffer? {
            guard index < body.pieces.count else { return nil }
            let piece = body.pieces[index]
            index += 1
            return try await body.threads.run {
                var buffer = ByteBufferAllocator().buffer(capacity: piece.count)
                try buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: piece.count) {
                    try piece.fill(UnsafeMutableRawBufferPointer(rebasing: $0[..<piece.count]))
                    return piece.count
                }
                return buffer
            }
        }
    }

    func makeAsyncIterator() -> AsyncIterator { AsyncIterator(body: self) }
}
