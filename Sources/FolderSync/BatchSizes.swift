/// How much is held in memory at once while a folder and its tree are brought together, so that memory does not grow with the folder.
struct BatchSizes: Sendable {
    /// New, changed and moved files that one look at the folder holds: some hundred bytes each.
    var found = 4096
    /// Files that are read before any of them becomes an edit.
    var read = 1024
    /// Edits of one commit: about two kibibytes each until it is written.
    var edits = 4096
    /// Bytes of the files in one commit, and of those that are read before it, about: while the next are read, these are sent on.
    var bytes: UInt64 = 32 << 20
    /// Files that are taken out of the folder, or written into it, before the index is told.
    var placed = 4096
}
