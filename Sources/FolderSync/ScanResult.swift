import Merkle
import Platform

/// What a look at the folder found, compared with the index.
struct ScanResult: Sendable {
    /// A name in the folder.
    struct Item: Sendable {
        /// The number of the directory that it is in.
        var directory: UInt64
        var name: [UInt8]
        /// In the tree.
        var path: TreePath
        var row: IndexRow
        /// Of a directory that was moved here, or of a file in one: where it was, in the tree.
        var movedFrom: TreePath?
        /// Of a name that is gone: what stands in its place now.
        var replacement: Replacement?

        /// Whether its own name stands for something else now,
        var isReplaced: Bool { replacement?.hasOwnRow == false }
        /// or there is something at its path again that has a row of its own: in another directory, or by a name that is the same in the tree.
        var isBesideReplacement: Bool { replacement?.hasOwnRow == true }
        var isReplacedByFile: Bool { replacement?.kind == .file || replacement?.kind == .symlink }
    }

    /// What has taken the place of something else.
    struct Replacement: Sendable {
        var kind: FileStatus.Kind
        /// The names from the folder down to it; none where it is a directory above that was replaced.
        var local: [[UInt8]]
        /// Whether its row is not that of what was there.
        var hasOwnRow: Bool
    }

    /// A name in a directory.
    struct Name: Hashable, Sendable {
        var directory: UInt64
        var name: [UInt8]

        init(_ item: Item) {
            directory = item.directory
            name = item.name
        }
    }

    /// A directory in which more was found than one result holds.
    struct Rest: Sendable {
        var directory: UInt64
        var local: [[UInt8]]
        var path: TreePath
        var movedFrom: TreePath?
        /// Where in it to go on.
        var name: [UInt8]
        /// The names in it, where they are known already.
        var names: NameList?
    }

    /// Files and links that are new or changed, whose content is not known.
    var changed: [Item] = []
    /// Files and links that are as they were, in directories that have moved.
    var moved: [Item] = []
    /// What has more of both. Memory does not grow with the folder, so it is looked at again when these are done.
    var rest: [Rest] = []
    /// How many are changed, and their bytes, those of the rest included.
    var changedCount = 0
    var changedBytes: UInt64 = 0
    /// Directories that are new, changed or moved.
    var directories: [Item] = []
    /// New directories in which nothing is,
    var empty: [Item] = []
    /// and known ones.
    var emptied: [Item] = []
    /// What is gone from where it was. What was in directories stands in the index; see `LostFiles`.
    var vanished: [Item] = []
    /// The directories among them, or in them, that stand elsewhere now.
    var movedIDs: Set<UInt64> = []
    /// Directories of a rest that could not be gone on with.
    var unsettled: Set<UInt64> = []
    var notices: [FolderNotice] = []
    /// Names that were looked at.
    var count = 0
    /// Whether patterns of what to ignore have changed, so that all has to be looked at.
    var rulesChanged = false
}
