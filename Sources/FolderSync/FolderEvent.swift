import FileDatabase
import Platform

/// What happens while a folder is kept in sync, for whoever shows it.
public enum FolderEvent: Sendable {
    /// The folder was gone through.
    case looked(names: Int, changes: Int)
    case progress(FolderProgress)
    case notice(FolderNotice)
    case held(HeldDeletions)
    /// Paths with losing versions.
    case conflicts(UInt64)
    /// The server cannot be reached, or refuses; the sync goes on once it can.
    case offline(String)
    case online
    /// Something failed here that may pass, such as a full disk.
    case waiting(String)
    case paused
    case resumed
    /// The folder and the tree are the same.
    case inSync
}

/// What a sync did, in sum.
public struct FolderSummary: Codable, Sendable {
    /// Files that were new or changed here,
    public var sentFiles = 0
    public var sentBytes: UInt64 = 0
    /// and files that were deleted here.
    public var sentDeletions = 0
    public var receivedFiles = 0
    public var receivedBytes: UInt64 = 0
    public var receivedDeletions = 0
    public var conflicts: UInt64 = 0
    public var held: [HeldDeletions] = []
    public var notices: [FolderNotice] = []
    /// Whether the folder and the server's tree are the same now, as far as the folder takes part.
    public var isInSync = false

    public init() {}

    /// - Parameter isWhole: whether all of the folder was looked at.
    mutating func add(_ outcome: LocalOutcome, isWhole: Bool) {
        sentFiles += outcome.edits
        sentBytes += outcome.bytes
        sentDeletions += outcome.deletions
        if isWhole { notices.removeAll { $0.kind == .skipped } }
        notices += outcome.notices.filter { !notices.contains($0) }
        if isWhole || outcome.held != nil { note(outcome.held, .sending) }
    }

    mutating func add(_ outcome: PlacementOutcome) {
        receivedFiles += outcome.written
        receivedBytes += outcome.bytes
        receivedDeletions += outcome.deleted
        notices += outcome.notices.filter { !notices.contains($0) }
        note(outcome.held, .receiving)
    }

    private mutating func note(_ new: HeldDeletions?, _ direction: HeldDeletions.Direction) {
        held.removeAll { $0.direction == direction }
        if let new { held.append(new) }
    }
}
