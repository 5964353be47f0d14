import Causality
import Content
import FileDatabase
import Merkle
import Platform

/// What became of bringing the tree's state into the folder.
struct PlacementOutcome: Sendable {
    var written = 0
    var deleted = 0
    var bytes: UInt64 = 0
    /// How many more the tree has than the folder had, where it has more.
    var totalBytes: UInt64?
    /// Bytes of them that had to be fetched.
    var fetched: UInt64 = 0
    var held: HeldDeletions?
    /// Directories in which something has changed that the index does not know.
    var dirty: Set<UInt64> = []
    var notices: [FolderNotice] = []
    /// Whether content could not be had, so that it has to be tried again.
    var isIncomplete = false
}

/// One bringing of the tree's state into the folder: what to do, the places where it is done, and what goes into the index with
/// it. Blocks, but for what it wants to have fetched.
///
/// Whatever is about to be replaced or removed is first compared with the index. What the index does not know was done by somebody
/// since, and is left for the next look at the folder to find.
struct Placement: Sendable {
    let state: FolderState
    /// What the folder showed when this began.
    let placed: Subtree
    let view: TreeView
    /// Told each directory that is made.
    let visit: @Sendable (DirectoryHandle, UInt64) -> Void
    var outcome = PlacementOutcome()
    private(set) var edits: [TreeEdit] = []
    var changes: [IndexChange] = []
    /// Files that were taken out, by the content that they have and somebody else wants.
    var salvaged: [ContentHash: [Salvaged]] = [:]
    private var directories: [TreePath: Directory] = [:]
    private var rules: [TreePath: IgnoreStack?] = [:]

    struct Salvaged: Sendable {
        var name: [UInt8]
        var mode: UInt16
    }

    struct Directory: Sendable {
        var handle: DirectoryHandle
        var id: UInt64
    }

    /// Directories that are held open at the most.
    private static let maximumDirectories = 128

    init(
        state: FolderState, placed: Subtree, view: TreeView, visit: @escaping @Sendable (DirectoryHandle, UInt64) -> Void = { _, _ in }
    ) {
        self.visit = visit
        self.state = state
        self.placed = placed
        self.view = view
    }

    // MARK: What to do

    enum Step: Sendable {
        /// The folder shows what it is to show.
        case adopt
        case makeDirectory
        case write(Value)
    }

    struct Difference: Sendable {
        var path: TreePath
        /// What the tree has there now; nil where a directory stands that was never made as one, and where a deletion has been dropped.
        var register: Register?
        var before: Entry
        var after: Entry

        init(_ difference: TreeDifference) {
            path = difference.path
            register = difference.after
            let name = difference.path.name ?? ""
            before = Entry(name: name, register: difference.before, subtree: difference.subtreeBefore)
            after = Entry(name: name, register: difference.after, subtree: difference.subtreeAfter)
        }

        /// The file or link that the folder is to have no longer.
        var lostFile: Value? { after.current == nil ? before.current?.value : nil }
        var losesDirectory: Bool { before.isDirectory && !after.isDirectory }

        var step: Step {
            if let now = after.current?.value { return now == before.current?.value ? .adopt : .write(now) }
            return after.isDirectory && !before.isDirectory ? .makeDirectory : .adopt
        }
    }

    /// The differences in order of path, from behind `last` on, until `body` returns false.
    func eachDifference(after last: TreePath? = nil, _ body: (Difference) throws -> Bool) throws {
        let scope = state.scope
        var diff = try TreeDiff(from: placed, to: view.files, in: view.reader, tellsVisibility: true, after: last, descend: { path in
            scope.includesBelow(path) && !FolderScope.isReserved(path)
        })
        while let difference = try diff.next() {
            guard scope.includes(difference.path), !FolderScope.isReserved(difference.path) else { continue }
            if try !body(Difference(difference)) { return }
        }
    }

    /// Notes that the folder shows the tree's state at a path.
    mutating func settle(_ difference: Difference) {
        if let register = difference.register {
            edits.append(TreeEdit(difference.path, .set(register)))
        } else if difference.before.register != nil {
            edits.append(TreeEdit(difference.path, .forget))
        }
    }

    mutating func takeResults() -> (edits: [TreeEdit], changes: [IndexChange]) {
        defer {
            edits = []
            changes = []
            directories = [:]
            madeDirectories = []
        }
        return (edits, changes)
    }

    mutating func forgetDirectory(_ path: TreePath) {
        directories[path] = nil
    }

    /// Does something at a path; that the disk refuses it there holds up nothing else, unless it is full.
    mutating func attempt(_ path: TreePath, _ body: (inout Placement) throws -> Void) throws {
        do {
            try body(&self)
        } catch let error as DiskError where error.code != .full {
            note(.blocked, path, error.description)
            outcome.isIncomplete = true
        }
    }

    mutating func note(_ kind: FolderNotice.Kind, _ path: TreePath, _ reason: String) {
        outcome.notices.append(FolderNotice(kind, path.names.joined(separator: "/"), reason))
    }

    // MARK: Places

    /// Whether what is at a path is ignored here, by itself or with a directory above it.
    mutating func isIgnored(_ path: TreePath, isDirectory: Bool) throws -> Bool {
        guard let parent = path.parent, let rules = try rules(in: parent) else { return !path.isRoot }
        return rules.decision(path.names, isDirectory: isDirectory)?.isIgnored ?? false
    }

    /// The patterns that bear on the names of a directory; nil for one that is ignored itself.
    private mutating func rules(in path: TreePath) throws -> IgnoreStack? {
        if let known = rules[path] { return known }
        var result: IgnoreStack?
        if let parent = path.parent {
            if let above = try rules(in: parent), above.decision(path.names, isDirectory: true)?.isIgnored != true {
                result = try patterns(in: known(path)?.handle, path).map { above.adding($0) }
            }
        } else {
            result = patterns(in: state.root, path).map { IgnoreStack().adding($0) }
        }
        if rules.count >= 4096 { rules = [:] }
        rules.updateValue(result, forKey: path)
        return result
    }

    /// The list in a directory, if there is one. Where it cannot be read, nil: all in the directory is left alone.
    private func patterns(in handle: DirectoryHandle?, _ path: TreePath) -> IgnoreList?? {
        do throws(DiskError) {
            return .some(try handle.flatMap { handle throws(DiskError) in try IgnoreList(in: handle, names: path.names) })
        } catch {
            return nil
        }
    }

    /// The directory of the folder that stands for one of the tree; nil if there is none.
    mutating func known(_ path: TreePath) throws -> Directory? {
        if let known = directories[path] { return known }
        guard let parent = path.parent, let treeName = path.name else { return Directory(handle: state.root, id: FolderIndex.rootID) }
        guard let above = try known(parent), let (name, row) = try state.index.read({ try $0.row(above.id, treeName: treeName) }),
            row.status.kind == .directory, let handle = try above.handle.directory(name)
        else { return nil }
        return remember(Directory(handle: handle, id: row.id), path)
    }

    private mutating func remember(_ directory: Directory, _ path: TreePath) -> Directory {
        if directories.count >= Placement.maximumDirectories {
            // Those on the way stay, since rows of new ones are not in the index yet.
            directories = directories.filter { path.isWithin($0.key) || madeDirectories.contains($0.key) }
        }
        directories[path] = directory
        return directory
    }

    /// Directories whose rows wait to be written.
    private var madeDirectories: Set<TreePath> = []

    /// The same; makes it, and those above it, if they are missing.
    ///
    /// - Returns: nil if something stands in its place that the index does not know.
    mutating func directory(_ path: TreePath) throws -> Directory? {
        if let known = try known(path) { return known }
        guard let parent = path.parent, let treeName = path.name, let above = try directory(parent) else { return nil }
        let name = try localName(treeName, in: parent, above.id)
        if let (_, row) = try state.index.read({ try $0.row(above.id, treeName: treeName) }) {
            // It was there, and somebody has removed or replaced it; a file in its place is dealt with before.
            let isTaken = try above.handle.status(name) != nil
            if row.status.kind == .directory || isTaken {
                outcome.dirty.insert(above.id)
                return nil
            }
        }
        guard try above.handle.makeDirectory(name) else {
            outcome.dirty.insert(above.id)
            return nil
        }
        guard let handle = try above.handle.directory(name) else { return nil }
        let id = state.index.newID()
        visit(handle, id)
        let row = IndexRow(id: id, status: try handle.status().asRow, treeName: name.elementsEqual(treeName.utf8) ? nil : treeName)
        changes.append(.put(directory: above.id, name: name, row))
        madeDirectories.insert(path)
        return remember(Directory(handle: handle, id: id), path)
    }

    /// The name in the folder for a name of the tree.
    mutating func localName(_ treeName: String, in parent: TreePath, _ directory: UInt64) throws -> [UInt8] {
        if let known = try state.index.read({ try $0.row(directory, treeName: treeName) }) { return known.name }
        let alias = try state.names.alias(for: treeName, among: try siblings(in: parent))
        guard let alias else { return Array(treeName.utf8) }
        let reason = state.names.fault(treeName) ?? "is the same name as another here"
        note(.renamed, parent.appending(treeName), "\(reason); it stands here as '\(alias)'")
        return Array(alias.utf8)
    }

    /// The names that a directory of the tree shows.
    private func siblings(in path: TreePath) throws -> [String] {
        guard let directory = try view.entry(at: path)?.subtree else { return [] }
        var names: [String] = []
        var entries = try directory.entries(in: view.reader)
        while let entry = try entries.next() { if entry.isVisible { names.append(entry.name) } }
        return names
    }
}
