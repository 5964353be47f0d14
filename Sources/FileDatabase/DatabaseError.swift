import Content
import Merkle
import Objects
import Platform

/// Why the database refused or failed.
public struct DatabaseError: Error, Sendable, CustomStringConvertible {
    public enum Code: Sendable, Equatable {
        /// Input that breaks a rule.
        case invalid
        case notFound
        /// It was here once, and was let go.
        case gone
        /// The state of the tree forbids it.
        case conflict
        /// A condition of the request does not hold.
        case preconditionFailed
        /// No room on the disk.
        case full
        /// A stored object is missing or damaged.
        case damaged
        /// The database is closed, or its disk has failed.
        case unavailable
    }

    public var code: Code
    public var path: String?
    /// What was wrong and what to do.
    public var reason: String
    /// Objects that are missing, where that is what was wrong.
    public var missing: [ContentHash] = []

    public init(_ code: Code, _ reason: String, path: TreePath? = nil) {
        self.code = code
        self.reason = reason
        self.path = path?.description
    }

    /// Puts what lower modules throw into the database's words.
    init(_ error: any Error) {
        switch error {
        case let error as DatabaseError: self = error
        case let error as InvalidPath:
            self.init(.invalid, error.description)
            path = error.path
        case let error as OversizedDirectory: self.init(.invalid, error.description)
        case let error as OversizedEntry: self.init(.conflict, error.description)
        case let error as StoreError:
            switch error.code {
            case .full: self.init(.full, "the disk is full; nothing was changed")
            case .missing, .damaged:
                self.init(.damaged, error.description)
                missing = error.hash.map { [$0] } ?? []
            case .disk, .failed, .index, .format: self.init(.unavailable, error.description)
            }
        case let error as MalformedBytes: self.init(.damaged, error.description)
        case let error as MissingNode:
            self.init(.damaged, error.description)
            missing = [error.hash]
        default: self.init(.unavailable, "\(error)")
        }
    }

    /// Whether the same call may succeed later.
    public var isRetryable: Bool { code == .full || code == .unavailable }

    public var description: String { path.map { "\($0): \(reason)" } ?? reason }
}
