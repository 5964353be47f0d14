import Platform

/// Where a folder's sync keeps its things: all in one directory at the top of the folder, so that they are on the same file
/// system and go where the folder goes.
struct FolderLayout: Sendable {
    /// Never synced.
    static let name = ".pando"

    /// The folder, an absolute path.
    let folder: String

    var state: String { folder + "/" + FolderLayout.name }
    /// The node's key and database.
    var node: String { state + "/node" }
    /// The index of the folder.
    var index: String { state + "/index" }
    /// Chunks that have no place in the folder.
    var spool: String { state + "/spool" }
    /// Files on their way into the folder or out of it.
    static let incoming = "incoming"
    var incoming: String { state + "/" + FolderLayout.incoming }
    /// With whom the folder is paired. Its being there shows that the folder is.
    var pairing: String { state + "/pairing.json" }
    /// What other processes ask of the one that syncs.
    var requests: String { state + "/requests" }
    var paused: String { state + "/paused" }
}

/// Whether a folder's sync rests. A file says so, so that it holds for a sync that is started later too.
public enum FolderPause {
    public static func set(_ isPaused: Bool, folder: String) throws {
        let path = FolderLayout(folder: folder).paused
        if isPaused { try PrivateFile.write([], to: path) } else { PrivateFile.remove(path) }
    }

    static func isSet(_ layout: FolderLayout) -> Bool { ((try? PrivateFile.read(layout.paused)) ?? nil) != nil }
}
