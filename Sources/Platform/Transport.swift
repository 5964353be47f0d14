import Content

/// How a node talks to another. Over HTTP it is `HTTPTransport`; simulations put their own network in its place.
public protocol Transport: Sendable {
    /// Sends a request and returns when the answer's head is there. The body is read as the caller takes it, so that a
    /// fast sender waits for a slow reader.
    func send(_ request: TransportRequest) async throws(TransportError) -> TransportResponse
}

public struct TransportRequest: Sendable {
    public enum Method: String, Sendable {
        case get = "GET"
        case post = "POST"
    }

    /// The peer's base URL.
    public var address: String
    /// Who has to answer there. Where the transport can tell, nothing is sent to anybody else; nil for whoever it is.
    public var node: NodeID?
    public var method: Method
    /// The path and the query.
    public var path: String
    /// Goes into the authorization header, and nowhere else.
    public var token: String?
    public var contentType: String
    public var body: OutgoingBody
    /// How long the peer may take to begin its answer, and between any two pieces of it.
    public var timeoutSeconds: Int

    public init(
        _ method: Method, _ path: String, at address: String, node: NodeID? = nil, token: String? = nil,
        contentType: String = "application/octet-stream", body: OutgoingBody = .bytes([]), timeoutSeconds: Int = 30
    ) {
        self.method = method
        self.path = path
        self.address = address
        self.node = node
        self.token = token
        self.contentType = contentType
        self.body = body
        self.timeoutSeconds = timeoutSeconds
    }
}

public struct TransportResponse: Sendable {
    public var status: Int
    /// Who answered, where the transport can tell.
    public var node: NodeID?
    public var body: TransportBody

    public init(status: Int, node: NodeID? = nil, body: TransportBody) {
        self.status = status
        self.node = node
        self.body = body
    }
}

/// The body of an answer, in pieces. Read once, by one task.
public struct TransportBody: Sendable {
    private let nextPiece: @Sendable (_ take: (UnsafeRawBufferPointer) -> Void) async throws(TransportError) -> Bool

    /// - Parameter next: shows the next piece to `take`; false at the end.
    public init(reading next: @escaping @Sendable (_ take: (UnsafeRawBufferPointer) -> Void) async throws(TransportError) -> Bool) {
        nextPiece = next
    }

    /// - Parameter next: the next piece; nil at the end.
    public init(_ next: @escaping @Sendable () async throws(TransportError) -> [UInt8]?) {
        nextPiece = { take throws(TransportError) in
            guard let piece = try await next() else { return false }
            piece.withUnsafeBytes(take)
            return true
        }
    }

    /// What `take` makes of the next piece, which it is shown where it lies; nil at the end.
    public func next<Result>(_ take: (UnsafeRawBufferPointer) throws -> Result) async throws -> Result? {
        var taken: Swift.Result<Result, any Error>?
        guard try await nextPiece({ piece in taken = Swift.Result { try take(piece) } }) else { return nil }
        return try taken?.get()
    }

    /// The next piece; nil at the end.
    public func next() async throws(TransportError) -> [UInt8]? {
        var piece: [UInt8]?
        guard try await nextPiece({ piece = Array($0) }) else { return nil }
        return piece
    }

    /// The whole body.
    /// - Throws: `TransportError` where it is longer than `limit`.
    public func collect(limit: Int) async throws(TransportError) -> [UInt8] {
        var bytes: [UInt8] = []
        while let piece = try await next() {
            guard bytes.count + piece.count <= limit else {
                throw TransportError("the peer's answer is longer than \(limit) bytes", isUnreachable: false)
            }
            bytes += piece
        }
        return bytes
    }
}

/// A request that did not get its answer.
public struct TransportError: Error, Sendable, CustomStringConvertible {
    public var reason: String
    /// Whether the peer could not be reached at all.
    public var isUnreachable: Bool

    public init(_ reason: String, isUnreachable: Bool) {
        self.reason = reason
        self.isUnreachable = isUnreachable
    }

    public var description: String { reason }
}
