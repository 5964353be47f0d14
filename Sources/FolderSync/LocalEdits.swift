import Causality
import Content
import FileDatabase
import Merkle
import Objects
import Platform

/// A change to the index that goes with a new state of the placed tree.
enum IndexChange: Sendable {
    case put(directory: UInt64, name: [UInt8], IndexRow)
    case remove(directory: UInt64, name: [UInt8])
    case addChunks(file: UInt64, [FileReading.Chunk])
    case removeChunks(file: UInt64, [FileReading.Chunk])

    func apply(to view: IndexView) throws {
        switch self {
        case .put(let directory, let name, let row): try view.put(directory, name, row)
        case .remove(let directory, let name): try view.remove(directory, name)
        case .addChunks(let file, let chunks):
            for chunk in chunks { try view.addChunk(chunk.hash, IndexView.ChunkPlace(file: file, offset: chunk.offset, size: chunk.size)) }
        case .removeChunks(let file, let chunks):
            for chunk in chunks { try view.removeChunk(chunk.hash, IndexView.ChunkPlace(file: file, offset: chunk.offset, size: chunk.size)) }
        }
    }
}

/// What one look at the folder has to remember, over all its commits.
struct Look: Sendable {
    /// What the folder held when it began: what has moved comes from there, whatever stands at its old path by now.
    let start: Subtree
    /// Keeps what is under that.
    private let hold: RootHold
    /// Paths at which it has found something, as hashes: where directories have exchanged their names, the old path of one thing is the new one of
    /// another, and must not be deleted. Nil where nothing is gone, so that memory does not grow with the first look at a folder.
    private var found: Set<Int>?

    /// - Parameter deletes: whether anything is gone from where it was.
    init(start: Subtree, in database: FileDatabase, deletes: Bool) {
        self.start = start
        hold = database.hold(.tree(start.root))
        found = deletes ? [] : nil
    }

    func hasFound(_ path: TreePath) -> Bool { found?.contains(path.hashValue) ?? false }

    mutating func note(_ path: TreePath) {
        found?.insert(path.hashValue)
    }
}

/// What a look at the folder means for the tree: edits, and what goes into the index with them.
struct LocalEdits {
    private(set) var look: Look
    /// New and changed values,
    private var puts: [FolderEdit] = []
    /// and deletions.
    private var deletions: [TreePath: FolderEdit] = [:]
    private(set) var objects: [PreparedObject] = []
    /// Paths at which the folder already holds what the tree does.
    private(set) var adopted: [TreeEdit] = []
    private(set) var changes: [IndexChange] = []
    /// Where the chunks of the files that were read are, before the index says so.
    private(set) var places: [ContentHash: FolderChunks.Place] = [:]
    /// Bytes of the files that are put.
    private(set) var bytes: UInt64 = 0

    let database: FileDatabase
    let placed: Subtree
    let view: TreeView
    let traits: FileSystemTraits

    init(_ look: Look, database: FileDatabase, placed: Subtree, view: TreeView, traits: FileSystemTraits) {
        self.look = look
        self.database = database
        self.placed = placed
        self.view = view
        self.traits = traits
    }

    /// What it takes to hold it, about.
    var count: Int { max(puts.count + deletions.count, changes.count / 3) }
    var isEmpty: Bool { puts.isEmpty && deletions.isEmpty && adopted.isEmpty && changes.isEmpty }

    var edits: [FolderEdit] { puts + deletions.values.sorted { $0.path < $1.path } }

    /// What the folder holds at a path, as far as the tree was told.
    func base(at path: TreePath) throws -> Register? {
        try placed.entry(at: path, in: view.reader)?.register
    }

    /// The value that the folder's file at a path was known to have when the look began.
    func knownValue(at path: TreePath) throws -> Value? {
        try look.start.entry(at: path, in: view.reader)?.current?.value
    }

    /// Where the chunks of a file are, as far as its manifest is here.
    func chunks(of value: Value?) -> [FileReading.Chunk] {
        guard case .file(let file)? = value else { return [] }
        return (try? database.placedChunks(of: file.content)) ?? []
    }

    // MARK: What was found

    mutating func put(_ item: ScanResult.Item) {
        changes.append(.put(directory: item.directory, name: item.name, item.row))
    }

    /// A file or a link that was read.
    mutating func add(_ item: ScanResult.Item, _ outcome: ReadingOutcome) throws {
        var item = item
        let base = try base(at: item.path)
        let value: Value
        switch outcome {
        case .file(let reading):
            item.row.status = reading.status
            value = .file(fileValue(item, reading.content, reading.attributes, base))
            changes.append(.removeChunks(file: item.row.id, chunks(of: try knownValue(at: item.path))))
            changes.append(.addChunks(file: item.row.id, reading.chunks))
            for chunk in reading.chunks {
                places[chunk.hash] = FolderChunks.Place(directory: item.directory, name: item.name, offset: chunk.offset, size: chunk.size)
            }
            objects += reading.objects
            bytes += reading.content.size
        case .link(let target, let status):
            item.row.status = status
            value = .symlink(target: target)
            changes.append(.removeChunks(file: item.row.id, chunks(of: try knownValue(at: item.path))))
        case .unsettled, .gone, .unreadable: return
        }
        put(item)
        try add(value, at: item.path, base)
    }

    private func fileValue(_ item: ScanResult.Item, _ content: FileContent, _ attributes: ContentHash?, _ base: Register?) -> FileValue {
        var known: FileValue?
        if case .file(let file)? = base?.winner.value { known = file }
        return FileValue(
            content: content, mediaType: known?.mediaType ?? MediaType.guess(fromName: item.path.name ?? ""),
            isExecutable: traits.hasModes ? item.row.status.isExecutable : known?.isExecutable ?? false,
            modifiedAt: item.row.status.modifiedAt, attributes: traits.hasAttributes ? attributes : known?.attributes)
    }

    /// A file or a link that was moved, unread. Its old place is deleted by itself.
    ///
    /// - Parameter replaced: the number of the file that it has taken the place of.
    mutating func move(_ item: ScanResult.Item, from source: TreePath, replacing replaced: UInt64? = nil) throws {
        guard let value = try knownValue(at: source) else { return }
        if let replaced { changes.append(.removeChunks(file: replaced, chunks(of: try knownValue(at: item.path)))) }
        put(item)
        try add(value, at: item.path, base(at: item.path))
    }

    /// A directory in which nothing is, and which would not be in the tree without a mark.
    ///
    /// - Parameter isNew: whether it stands there since the last look. One that does not, and that the tree does not show, was deleted elsewhere while
    ///   something was in it that takes no part.
    mutating func markEmpty(_ path: TreePath, isNew: Bool) throws {
        guard try isNew || view.entry(at: path)?.isDirectory == true else { return }
        let base = try base(at: path)
        if base?.winner.value == .directory { return }
        try add(.directory, at: path, base)
    }

    private mutating func add(_ value: Value, at path: TreePath, _ base: Register?) throws {
        if value.isTombstone {
            if look.hasFound(path) { return }
        } else {
            look.note(path)
            deletions[path] = nil
        }
        // Nothing was edited here, whatever has come to the tree meanwhile.
        if let base, base.winner.value == value { return }
        let entry = try view.entry(at: path)
        if base != entry?.register, let register = entry?.register, isShown(value, entry) {
            return adopted.append(TreeEdit(path, .set(register)))
        }
        let edit = FolderEdit(path: path, value: value, base: base)
        if value.isTombstone { deletions[path] = edit } else { puts.append(edit) }
    }

    /// Whether the tree holds the same at a path already: somebody saved the same, or a crash came between two steps.
    private func isShown(_ value: Value, _ entry: Entry?) -> Bool {
        guard let entry else { return value.isTombstone }
        if value == .directory { return entry.register?.winner.value == .directory }
        if value.isTombstone { return !entry.isVisible || entry.register?.winner.value.isTombstone == true }
        return entry.current?.value.hasSameContent(as: value) ?? false
    }

    /// A name that is gone.
    ///
    /// - Parameter keepsChunks: whether its file stands at another name now.
    mutating func delete(_ item: ScanResult.Item, keepsChunks: Bool, keepsRow: Bool) throws {
        let base = try base(at: item.path)
        if !keepsRow { changes.append(.remove(directory: item.directory, name: item.name)) }
        guard let base, !base.winner.value.isTombstone else { return }
        if !keepsChunks { changes.append(.removeChunks(file: item.row.id, chunks(of: try knownValue(at: item.path)))) }
        // A directory's row stands for its mark alone; what was in it has rows of its own.
        guard (base.winner.value == .directory) == (item.row.status.kind == .directory) else { return }
        try add(.tombstone, at: item.path, base)
    }

    /// The mark of a directory that has moved, if it had one.
    mutating func moveMark(from source: TreePath, to path: TreePath) throws {
        guard source != path, let old = try look.start.entry(at: source, in: view.reader)?.register, old.winner.value == .directory else { return }
        try add(.tombstone, at: source, old)
        try add(.directory, at: path, base(at: path))
    }

    /// The chunks of a file that another has taken the place of.
    mutating func forgetChunks(of item: ScanResult.Item) {
        let known = try? knownValue(at: item.path)
        changes.append(.removeChunks(file: item.row.id, chunks(of: known ?? nil)))
    }

    /// What is at the path again, in another directory, and has a row of its own there.
    mutating func forget(_ item: ScanResult.Item) {
        forgetChunks(of: item)
        changes.append(.remove(directory: item.directory, name: item.name))
    }

    /// The old place of a file in a directory that has moved; its row moved along.
    mutating func deleteMoved(_ item: ScanResult.Item, from source: TreePath) throws {
        guard let base = try base(at: source), !base.winner.value.isTombstone, base.winner.value != .directory else { return }
        try add(.tombstone, at: source, base)
    }

    // MARK: Writing

    /// The edits of the placed tree, once the edits are committed.
    ///
    /// - Parameter edits: those of this batch, of which these are the results.
    func placedEdits(_ edits: [FolderEdit], _ results: [FolderEditResult]) -> [TreeEdit] {
        adopted + zip(edits, results).map { edit, result in
            TreeEdit(edit.path, .set(result.isCurrent ? result.joined : result.own))
        }
    }
}

extension FileDatabase {
    /// The chunks of a file and where in it they stand. Blocks.
    func placedChunks(of content: FileContent) throws -> [FileReading.Chunk] {
        var offset: UInt64 = 0
        return try chunks(of: content, limit: .max).map { chunk in
            defer { offset += chunk.size }
            return FileReading.Chunk(hash: chunk.hash, offset: offset, size: UInt32(clamping: chunk.size))
        }
    }
}
