import Content
import Platform

/// What went wrong in the object store.
public struct StoreError: Error, Sendable, CustomStringConvertible {
    public enum Code: Sendable, Equatable {
        /// The object is not here.
        case missing
        /// The stored bytes do not have the object's hash.
        case damaged
        /// No room on the disk; nothing was written.
        case full
        /// The disk failed.
        case disk
        /// A sync failed earlier, and what is durable is not known: nothing more is written until the next start.
        case failed
        /// The index cannot be used.
        case index
        /// The directory is none of this format, or of a later version.
        case format
    }

    public var code: Code
    public var reason: String
    public var hash: ContentHash?

    public init(_ code: Code, _ reason: String, hash: ContentHash? = nil) {
        self.code = code
        self.reason = reason
        self.hash = hash
    }

    init(_ error: DiskError) {
        self.init(error.code == .full ? .full : .disk, error.description)
    }

    /// - Parameter reason: what the disk said when a sync failed.
    init(failed reason: String) {
        self.init(.failed, "\(reason); restart the node once the disk works")
    }

    /// Whether the same call may succeed later.
    public var isRetryable: Bool { code == .full || code == .disk }

    public var description: String { reason }
}
