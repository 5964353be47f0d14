/// Why a node refused, in words for the one who asked.
public struct NodeError: Error, Sendable, CustomStringConvertible {
    public enum Code: Sendable, Equatable {
        case invalid
        case unauthorized
        case forbidden
        case notFound
        case conflict
        /// What was asked about is no longer known.
        case gone
        case tooManyRequests
        case unavailable
    }

    public var code: Code
    /// What was wrong and what to do. Never holds a secret.
    public var reason: String
    /// Seconds to wait before the next try.
    public var retryAfter: Int?

    public init(_ code: Code, _ reason: String, retryAfter: Int? = nil) {
        self.code = code
        self.reason = reason
        self.retryAfter = retryAfter
    }

    public var description: String { reason }
}
