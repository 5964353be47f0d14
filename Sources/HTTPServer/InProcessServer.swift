import HTTPTypes
import Hummingbird
import Logging
import NIOCore
import Node
import Platform
import Synchronization

/// Answers requests to a node without a socket: the very routes, rules and errors of the server, for simulations and for
/// programs that embed a node.
public struct InProcessServer: Sendable {
    public struct Request: Sendable {
        public var method: String
        /// The path and the query, percent-encoded.
        public var target: String
        public var token: String?
        public var contentType: String?
        public var body: [UInt8]

        public init(_ method: String, _ target: String, token: String? = nil, contentType: String? = nil, body: [UInt8] = []) {
            self.method = method
            self.target = target
            self.token = token
            self.contentType = contentType
            self.body = body
        }
    }

    /// A body up to this size is made at once. In bytes.
    private static let maximumWholeBody = 64 << 10

    private let dispatcher: Dispatcher
    private let channel: any Channel
    private let logger: Logger

    /// - Parameter channel: stands for the connection; an `EmbeddedChannel` will do.
    public init(node: Node, channel: any Channel) {
        dispatcher = Dispatcher(node: node, isEncrypted: false)
        self.channel = channel
        logger = node.logger
    }

    /// The answer's head; the body is made as it is read, and no further once it is let go.
    public func respond(to request: Request) async -> TransportResponse {
        var head = HTTPRequest(
            method: HTTPRequest.Method(request.method) ?? .get, scheme: nil, authority: nil, path: request.target)
        if let token = request.token { head.headerFields[.authorization] = "Bearer \(token)" }
        if let type = request.contentType { head.headerFields[.contentType] = type }
        head.headerFields[.contentLength] = String(request.body.count)
        let context = ConnectionContext(source: ApplicationRequestContextSource(channel: channel, logger: logger))
        let response: Response
        do {
            response = try await dispatcher.respond(
                to: Hummingbird.Request(head: head, body: RequestBody(buffer: ByteBuffer(bytes: request.body))), context: context)
        } catch {
            response = Dispatcher.response(for: error, logger)
        }
        let body = response.body
        if let length = body.contentLength, length <= InProcessServer.maximumWholeBody {
            return TransportResponse(status: response.status.code, body: await whole(body))
        }
        let pipe = BodyPipe()
        let producer = Task {
            do {
                try await body.write(PipeWriter(pipe: pipe))
                pipe.end(nil)
            } catch {
                pipe.end(error)
            }
        }
        let reading = PipeReading(pipe: pipe, producer: producer)
        return TransportResponse(status: response.status.code, body: TransportBody { () async throws(TransportError) in
            do {
                return try await reading.pipe.next()
            } catch {
                throw TransportError("the answer broke off: \(error)", isUnreachable: false)
            }
        })
    }
}

extension InProcessServer {
    /// A short body, in one piece.
    private func whole(_ body: ResponseBody) async -> TransportBody {
        let collector = BodyCollector()
        do {
            try await body.write(collector)
        } catch {
            collector.failure.withLock { $0 = TransportError("the answer broke off: \(error)", isUnreachable: false) }
        }
        return TransportBody { () async throws(TransportError) in
            let bytes = collector.bytes.withLock { bytes in
                defer { bytes = [] }
                return bytes
            }
            if !bytes.isEmpty { return bytes }
            if let failure = collector.failure.withLock({ $0 }) { throw failure }
            return nil
        }
    }
}

private final class BodyCollector: ResponseBodyWriter, Sendable {
    let bytes = Mutex<[UInt8]>([])
    let failure = Mutex<TransportError?>(nil)

    func write(_ buffer: ByteBuffer) async throws { bytes.withLock { $0 += buffer.readableBytesView } }

    consuming func finish(_ trailingHeaders: HTTPFields?) async throws {}
}

/// Ends the writer of a body that nobody reads any more.
private final class PipeReading: Sendable {
    let pipe: BodyPipe
    private let producer: Task<Void, Never>

    init(pipe: BodyPipe, producer: Task<Void, Never>) {
        self.pipe = pipe
        self.producer = producer
    }

    deinit {
        producer.cancel()
        pipe.close()
    }
}

/// Hands the pieces of a body from its writer to its reader, one at a time.
private final class BodyPipe: Sendable {
    private struct State {
        var piece: [UInt8]?
        var isEnded = false
        var isClosed = false
        var failure: (any Error)?
        var reader: CheckedContinuation<Void, Never>?
        var writer: CheckedContinuation<Void, Never>?
    }

    private let state = Mutex(State())

    /// Returns when the reader has taken the piece.
    func write(_ piece: [UInt8]) async throws {
        if piece.isEmpty { return }
        let isClosed = state.withLock { state in
            state.piece = piece
            return state.isClosed
        }
        if isClosed { throw CancellationError() }
        wakeReader()
        await withCheckedContinuation { continuation in
            let goesOn = state.withLock { state in
                if state.piece == nil || state.isClosed { return true }
                state.writer = continuation
                return false
            }
            if goesOn { continuation.resume() }
        }
        if state.withLock({ $0.isClosed }) { throw CancellationError() }
    }

    func end(_ failure: (any Error)?) {
        state.withLock { state in
            state.isEnded = true
            state.failure = failure
        }
        wakeReader()
    }

    func close() {
        state.withLock { $0.isClosed = true }
        wakeWriter()
    }

    func next() async throws -> [UInt8]? {
        await withCheckedContinuation { continuation in
            let goesOn = state.withLock { state in
                if state.piece != nil || state.isEnded { return true }
                state.reader = continuation
                return false
            }
            if goesOn { continuation.resume() }
        }
        let (piece, failure) = state.withLock { state in
            defer { state.piece = nil }
            return (state.piece, state.failure)
        }
        wakeWriter()
        if piece == nil, let failure { throw failure }
        return piece
    }

    private func wakeReader() {
        state.withLock { state in
            defer { state.reader = nil }
            return state.reader
        }?.resume()
    }

    private func wakeWriter() {
        state.withLock { state in
            defer { state.writer = nil }
            return state.writer
        }?.resume()
    }
}

private struct PipeWriter: ResponseBodyWriter {
    let pipe: BodyPipe

    mutating func write(_ buffer: ByteBuffer) async throws {
        try await pipe.write(Array(buffer: buffer))
    }

    consuming func finish(_ trailingHeaders: HTTPFields?) async throws {}
}
