import Merkle
import Platform

/// Why a folder's sync stopped or refused, in words for the one who runs it.
public struct FolderError: Error, Sendable, CustomStringConvertible {
    public enum Code: Sendable, Equatable {
        /// The folder is not the one that was paired, or is not there.
        case folder
        /// Another process syncs the folder.
        case inUse
        /// What is kept in `.pando` cannot be used.
        case state
        /// The server refused.
        case refused
        /// The server cannot be reached now.
        case unreachable
        /// Somebody has paused the sync.
        case paused
        /// No room on the disk.
        case full
        /// Something else on this machine failed.
        case disk
    }

    public var code: Code
    /// What was wrong and what to do.
    public var reason: String

    public init(_ code: Code, _ reason: String) {
        self.code = code
        self.reason = reason
    }

    init(_ error: DiskError) {
        self.init(error.code == .full ? .full : .disk, error.description)
    }

    public var description: String { reason }
}
