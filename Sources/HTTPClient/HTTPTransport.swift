import AsyncHTTPClient
import Foundation
import NIOCore
import NIOHTTP1
import NIOPosix
import Platform
import Synchronization

/// Nodes' requests over HTTP/1.1, on kept connections.
public final class HTTPTransport: Transport {
    /// Gives up on a peer that is silent for this long in the middle of an answer.
    private static let silence = 60

    private let http: AsyncHTTPClient.HTTPClient
    /// For requests that a peer may take long to begin to answer.
    private let patient: AsyncHTTPClient.HTTPClient

    public init() {
        http = HTTPTransport.makeClient(silence: .seconds(Int64(HTTPTransport.silence)))
        patient = HTTPTransport.makeClient(silence: nil)
    }

    private static func makeClient(silence: TimeAmount?) -> AsyncHTTPClient.HTTPClient {
        var configuration = AsyncHTTPClient.HTTPClient.Configuration()
        configuration.httpVersion = .http1Only
        configuration.redirectConfiguration = .disallow
        configuration.timeout.connect = .seconds(5)
        configuration.timeout.read = silence
        configuration.connectionPool.concurrentHTTP1ConnectionsPerHostSoftLimit = 16
        configuration.connectionPool.retryConnectionEstablishment = false
        return AsyncHTTPClient.HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
    }

    public func shutdown() async {
        try? await http.shutdown()
        try? await patient.shutdown()
    }

    public func send(_ request: TransportRequest) async throws(TransportError) -> TransportResponse {
        var message = HTTPClientRequest(url: request.address + request.path)
        message.method = HTTPMethod(rawValue: request.method.rawValue)
        if let token = request.token { message.headers.add(name: "Authorization", value: "Bearer \(token)") }
        if !request.body.isEmpty {
            message.headers.add(name: "Content-Type", value: request.contentType)
            message.body = .bytes(ByteBuffer(bytes: request.body))
        }
        let address = request.address
        do {
            // The timeout holds until the head is here; the body is then read as long as it keeps coming.
            let client = request.timeoutSeconds > HTTPTransport.silence ? patient : http
            let response = try await client.execute(message, timeout: .seconds(Int64(request.timeoutSeconds)))
            let pieces = Pieces(response.body.makeAsyncIterator())
            return TransportResponse(status: Int(response.status.code), body: TransportBody { () async throws(TransportError) in
                do {
                    return try await pieces.next().map { Array($0.readableBytesView) }
                } catch {
                    throw TransportError("the connection to \(address) broke: \(HTTPTransport.words(error))", isUnreachable: false)
                }
            })
        } catch {
            throw TransportError("no answer from \(address): \(HTTPTransport.words(error))", isUnreachable: true)
        }
    }

    /// The library's errors say more than people need.
    private static func words(_ error: any Error) -> String {
        switch error {
        case let error as HTTPClientError:
            switch error {
            case .connectTimeout: "connecting took too long"
            case .readTimeout, .deadlineExceeded: "it took too long"
            case .remoteConnectionClosed: "it closed the connection"
            default: error.shortDescription
            }
        case let error as NIOConnectionError: error.connectionErrors.first.map { "\($0.error)" } ?? "nothing listens there"
        case is HTTPParserError: "it ended in the middle of an answer"
        case let error as IOError: "\(error.localizedDescription)"
        default: "\(type(of: error))"
        }
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
