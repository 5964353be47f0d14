/// Holds back what would delete a good part of everything, until somebody says that it is meant.
public struct DeletionGuard: Sendable {
    /// Files that may go at once.
    static let maximumCount = 1000
    /// Fewer are never held back: in a small folder half of everything is not much.
    static let minimumCount = 10

    /// Whether a change that deletes so many of the files has to be confirmed.
    static func holds(deleting count: Int, of total: UInt64) -> Bool {
        count > maximumCount || count >= minimumCount && UInt64(count) * 2 > total
    }
}

/// Deletions that wait for somebody to confirm them.
public struct HeldDeletions: Hashable, Codable, Sendable {
    public enum Direction: String, Codable, Sendable {
        /// Made here, and not sent.
        case sending
        /// Made elsewhere, and not carried out here.
        case receiving
    }

    public var direction: Direction
    public var files: Int
    /// Of how many.
    public var total: UInt64
}
