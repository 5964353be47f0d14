import Merkle

/// Something about one path that whoever works in the folder should know.
public struct FolderNotice: Hashable, Codable, Sendable {
    public enum Kind: String, Codable, Sendable, CaseIterable {
        /// Left alone: it is neither sent nor changed.
        case skipped
        /// Stands under another name in the folder.
        case renamed
        /// Its bytes changed though nobody wrote it: the disk is failing.
        case damaged
        /// A change here that the server does not take; it is kept.
        case kept
        /// Could not be written into the folder.
        case blocked
    }

    public var kind: Kind
    /// In the folder, without a slash in front.
    public var path: String
    public var reason: String

    public init(_ kind: Kind, _ path: String, _ reason: String) {
        self.kind = kind
        self.path = path
        self.reason = reason
    }
}
