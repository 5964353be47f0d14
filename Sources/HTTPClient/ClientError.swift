import AsyncHTTPClient
import Foundation
import NIOCore
import NIOPosix

/// A request that failed: refused by the node, or never answered.
public struct ClientError: Error, Sendable, CustomStringConvertible {
    /// The HTTP status, or nil where no answer came.
    public var status: Int?
    /// What went wrong, in a few words.
    public var title: String
    /// What was wrong exactly and what to do.
    public var detail: String
    /// The path that the node named, if it named one.
    public var path: String?
    /// The objects that a commit missed on the node, as hexadecimal hashes.
    public var missing: [String]
    /// Seconds to wait before the next try, where the node said so.
    public var retryAfter: Int?
    /// Whether the same request can succeed later.
    public var canRetry: Bool

    /// The title where whoever answers is not believed to be the node.
    public static let distrust = "not trusted"

    public init(
        status: Int? = nil, title: String, detail: String = "", path: String? = nil, missing: [String] = [],
        retryAfter: Int? = nil, canRetry: Bool = false
    ) {
        self.status = status
        self.title = title
        self.detail = detail
        self.path = path
        self.missing = missing
        self.retryAfter = retryAfter
        self.canRetry = canRetry
    }

    /// One sentence for people.
    public var description: String {
        var text = detail.isEmpty ? title : detail
        if let path, !text.contains(path) { text = "\(path): \(text)" }
        return text
    }
}

// MARK: - Refusals

extension ClientError {
    /// RFC 9457, with the fields that Pando adds.
    private struct Problem: Decodable {
        var title: String?
        var detail: String?
        var path: String?
        var missing: [String]?
    }

    /// The error that an answer of status 400 or higher stands for.
    static func refusal(status: Int, reason: String, body: [UInt8], retryAfter: String?) -> ClientError {
        let problem = try? JSONDecoder().decode(Problem.self, from: Data(body))
        let title = problem?.title ?? "\(status) \(reason)"
        var detail = problem?.detail ?? ""
        if status == 401 {
            detail = detail.isEmpty ? "the node does not accept the token" : detail
            detail += "; log in with 'pando login URL --key KEY' or set PANDO_TOKEN or PANDO_KEY"
        } else if detail.isEmpty {
            detail = "the node answered \(status) \(reason)"
        }
        return ClientError(
            status: status, title: title, detail: detail, path: problem?.path, missing: problem?.missing ?? [],
            retryAfter: retryAfter.flatMap { Int($0) }, canRetry: status == 429 || status == 503)
    }
}

// MARK: - Connection failures

extension ClientError {
    /// The sentence for a request that got no answer from the node at `url`.
    static func unanswered(_ error: any Error, url: String) -> any Error {
        if error is CancellationError || error is ClientError { return error }
        if let error = error as? HTTPClientError {
            switch error {
            case .cancelled: return CancellationError()
            case .readTimeout, .writeTimeout, .deadlineExceeded:
                return ClientError(
                    title: "no answer", detail: "the node at \(url) did not answer in time", canRetry: true)
            case .remoteConnectionClosed:
                return ClientError(
                    title: "connection lost", detail: "the node at \(url) closed the connection before it answered",
                    canRetry: true)
            case .connectTimeout, .getConnectionFromPoolTimeout:
                return ClientError(
                    title: "no connection",
                    detail: "no node answers at \(url): the connection timed out; is it running?", canRetry: true)
            case .invalidURL, .emptyHost, .emptyScheme:
                return ClientError(title: "bad address", detail: "'\(url)' is not the address of a node")
            default:
                return ClientError(
                    title: "no answer", detail: "no answer from the node at \(url): \(ConnectionFault.words(error))")
            }
        }
        if ConnectionFault.isDistrust(error) {
            return ClientError(title: distrust, detail: "the node at \(url) is not trusted: \(ConnectionFault.words(error))")
        }
        return ClientError(
            title: "no connection", detail: "no node answers at \(url): \(ConnectionFault.words(error)); is it running?",
            canRetry: true)
    }
}
