import Content
import Merkle
import Objects
import Platform
import Synchronization

/// What is known of a name in the folder: its status when its content was last known, and its number.
struct IndexRow: Hashable, Sendable {
    /// Never used again. A directory's names the rows in it, so that moving it moves one row.
    var id: UInt64
    var status: FileStatus
    /// The name in the tree, where the folder has another.
    var treeName: String?
}

/// What the folder holds, as far as it was looked at: rows by directory and name, and where each chunk is. On disk, so that
/// memory does not grow with the folder.
///
/// Losing it costs a look at every file. `docs/format.md` has the layout.
final class FolderIndex: Sendable {
    static let rootID: UInt64 = 1
    /// Numbers from here on are the spool's files.
    static let spoolBase: UInt64 = 1 << 63
    private static let format: [UInt8] = [2]

    /// Changes leave free pages behind. Where they are more than a quarter of the file, and more than these, the file is made anew without.
    private static let tolerableFreePages = 256

    let tables: OrderedTables
    private let directory: String
    private let nextID: Mutex<UInt64>

    /// - Parameter directory: made if it is missing.
    init(directory: String) throws {
        _ = try OperatingSystemDisk(path: directory)
        self.directory = directory
        try FolderIndex.reduce(try FolderIndex.open(directory), in: directory)
        tables = try FolderIndex.open(directory)
        let format = try tables.read { try $0.get(Table.state, StateKey.format) }
        if let format {
            guard format == FolderIndex.format else {
                throw FolderError(.state, "\(directory) was written by another version; use the program that wrote it")
            }
        } else {
            try tables.write { try $0.put(Table.state, StateKey.format, FolderIndex.format) }
        }
        let last = try tables.read { transaction in
            var last = FolderIndex.rootID
            if let bytes = try transaction.get(Table.state, StateKey.lastID) { last = max(last, bytes[...].readInteger(at: 0)) }
            return last
        }
        nextID = Mutex(last + 1)
    }

    private static func open(_ directory: String) throws -> OrderedTables {
        try OrderedTables(directory: directory, tables: ["entries", "places", "chunks", "aliases", "state", "spool"])
    }

    /// Gives room back to the disk. Whatever is changed afterwards is lost, which is no worse than if it had not come to the disk.
    func close() throws {
        try FolderIndex.reduce(tables, in: directory)
    }

    private static func reduce(_ tables: OrderedTables, in directory: String) throws {
        let pages = try tables.pages()
        guard pages.free > tolerableFreePages, pages.free * 4 > pages.all else { return }
        let parent = try DirectoryHandle(path: directory)
        let name = Array("copy".utf8)
        let file = Array(OrderedTables.fileName.utf8)
        try parent.makeDirectory(name, mode: 0o700)
        guard let copy = try parent.directory(name) else { return }
        // One of an earlier try that a crash broke off.
        try copy.remove(file)
        try tables.copy(to: directory + "/copy")
        try copy.syncFileSystem()
        _ = try copy.replace(parent, file, with: file)
        _ = try parent.removeDirectory(name)
    }

    enum Table {
        static let entries = OrderedTables.Table(0)
        static let places = OrderedTables.Table(1)
        static let chunks = OrderedTables.Table(2)
        static let aliases = OrderedTables.Table(3)
        static let state = OrderedTables.Table(4)
        static let spool = OrderedTables.Table(5)
    }

    enum StateKey {
        static let format = Array("format".utf8)
        static let lastID = Array("last-id".utf8)
        static let placed = Array("placed".utf8)
    }

    func newID() -> UInt64 {
        nextID.withLock { next in
            defer { next += 1 }
            return next
        }
    }

    func read<Result>(_ body: (IndexView) throws -> Result) throws -> Result {
        try tables.read { try body(IndexView(transaction: $0)) }
    }

    /// Changes the index, all or nothing; durable on return.
    func write<Result>(_ body: (IndexView) throws -> Result) throws -> Result {
        try tables.write { transaction in
            let result = try body(IndexView(transaction: transaction))
            var last: [UInt8] = []
            last.append(integer: nextID.withLock { $0 } - 1)
            try transaction.put(Table.state, StateKey.lastID, last)
            return result
        }
    }
}

/// One state of the index, while it is read or written.
struct IndexView {
    let transaction: OrderedTables.Transaction

    private typealias Table = FolderIndex.Table

    private static func key(_ directory: UInt64, _ name: some Collection<UInt8>) -> [UInt8] {
        var key: [UInt8] = []
        key.reserveCapacity(9 + name.count)
        key.append(ordered: directory)
        key.append(contentsOf: name)
        return key
    }

    private static func key(_ id: UInt64) -> [UInt8] {
        var key: [UInt8] = []
        key.append(ordered: id)
        return key
    }

    // MARK: Rows

    func row(_ directory: UInt64, _ name: some Collection<UInt8>) throws -> IndexRow? {
        try transaction.get(Table.entries, IndexView.key(directory, name)).flatMap { bytes in bytes.withUnsafeBytes { IndexRow($0) } }
    }

    /// The rows of a directory in the order of their names' bytes.
    func rows(in directory: UInt64) throws -> [(name: [UInt8], row: IndexRow)] {
        try rows(in: directory, after: [], limit: .max)
    }

    /// Some of them, those behind a name.
    func rows(in directory: UInt64, after last: [UInt8], limit: Int) throws -> [(name: [UInt8], row: IndexRow)] {
        var rows: [(name: [UInt8], row: IndexRow)] = []
        let cursor = try cursor(in: directory, from: last)
        while rows.count < limit, let found = try cursor.next() {
            if !last.isEmpty, found.name.elementsEqual(last) { continue }
            rows.append((Array(found.name), found.row))
        }
        return rows
    }

    /// Goes through the rows of a directory, from a name on.
    func cursor(in directory: UInt64, from name: some Collection<UInt8>) throws -> RowCursor {
        let prefix = IndexView.key(directory)
        return RowCursor(try transaction.cursor(Table.entries, prefix: prefix, from: prefix + name), prefixLength: prefix.count)
    }

    /// Rows one by one, in the order of their names' bytes.
    struct RowCursor {
        private let cursor: OrderedTables.Cursor
        private let prefixLength: Int

        fileprivate init(_ cursor: OrderedTables.Cursor, prefixLength: Int) {
            self.cursor = cursor
            self.prefixLength = prefixLength
        }

        /// The next one; nil at the end. The name is good until the next call.
        func next() throws -> (name: UnsafeRawBufferPointer, row: IndexRow)? {
            while let (key, value) = try cursor.next() {
                if let row = IndexRow(value) { return (UnsafeRawBufferPointer(rebasing: key[prefixLength...]), row) }
            }
            return nil
        }
    }

    func count() throws -> Int { try transaction.count(Table.entries) }

    func put(_ directory: UInt64, _ name: [UInt8], _ row: IndexRow) throws {
        let key = IndexView.key(directory, name)
        if let old = try self.row(directory, name), old.treeName != row.treeName || old.id != row.id { try forgetNames(directory, name, old) }
        // A row stands in one place.
        if let place = try place(of: row.id), place.directory != directory || place.name != name { try remove(place.directory, place.name) }
        try transaction.put(Table.entries, key, row.encoded())
        try transaction.put(Table.places, IndexView.key(row.id), key)
        if let treeName = row.treeName { try transaction.put(Table.aliases, IndexView.key(directory, treeName.utf8), name) }
    }

    func remove(_ directory: UInt64, _ name: [UInt8]) throws {
        guard let old = try row(directory, name) else { return }
        try forgetNames(directory, name, old)
        try transaction.remove(Table.entries, IndexView.key(directory, name))
    }

    private func forgetNames(_ directory: UInt64, _ name: [UInt8], _ old: IndexRow) throws {
        // Its number may stand elsewhere by now, and another name for the tree's.
        if try transaction.get(Table.places, IndexView.key(old.id))?.elementsEqual(IndexView.key(directory, name)) == true {
            try transaction.remove(Table.places, IndexView.key(old.id))
        }
        if let treeName = old.treeName, try alias(directory, treeName) == name { try transaction.remove(Table.aliases, IndexView.key(directory, treeName.utf8)) }
    }

    /// The inodes of all directories.
    func directoriesByInode() throws -> [UInt64: UInt64] {
        var result: [UInt64: UInt64] = [:]
        try transaction.each(Table.entries, prefix: []) { _, value in
            if let row = IndexRow(value), row.status.kind == .directory { result[row.status.inode] = row.id }
            return true
        }
        return result
    }

    // MARK: Names and places

    /// The name in the folder that stands for a name in the tree, if it is not the same.
    func alias(_ directory: UInt64, _ treeName: String) throws -> [UInt8]? {
        try transaction.get(Table.aliases, IndexView.key(directory, treeName.utf8))
    }

    /// The names in a directory that stand for another in the tree, by that one.
    func aliases(in directory: UInt64) throws -> [[UInt8]: [UInt8]] {
        var aliases: [[UInt8]: [UInt8]] = [:]
        let prefix = IndexView.key(directory)
        try transaction.each(Table.aliases, prefix: prefix) { key, value in
            aliases[Array(key[prefix.count...])] = Array(value)
            return true
        }
        return aliases
    }

    /// All paths of the tree that stand under another name in the folder, and that name; those that differ in their Unicode form alone are left out.
    func allAliases(limit: Int) throws -> [(path: [String], name: String)] {
        var found: [(path: [String], name: String)] = []
        try transaction.each(Table.aliases, prefix: []) { key, value in
            var rest = Array(key)[...]
            guard let directory = rest.readOrdered(), let above = try path(of: directory)?.tree else { return true }
            let (treeName, name) = (String(decoding: rest, as: UTF8.self), String(decoding: value, as: UTF8.self))
            // Strings are equal across forms.
            if treeName != name { found.append((above + [treeName], name)) }
            return found.count < limit
        }
        return found
    }

    /// The row of a tree's name, and its name in the folder.
    func row(_ directory: UInt64, treeName: String) throws -> (name: [UInt8], row: IndexRow)? {
        let name = try alias(directory, treeName) ?? Array(treeName.utf8)
        guard let row = try row(directory, name), row.treeName == nil || row.treeName?.utf8.elementsEqual(treeName.utf8) == true else { return nil }
        return (name, row)
    }

    /// The directory that a row is in, and its name there.
    func place(of id: UInt64) throws -> (directory: UInt64, name: [UInt8])? {
        guard let bytes = try transaction.get(Table.places, IndexView.key(id)) else { return nil }
        var rest = bytes[...]
        guard let directory = rest.readOrdered() else { return nil }
        return (directory, Array(rest))
    }

    /// The names from the root down, in the folder and in the tree; nil for a row that is gone.
    func path(of id: UInt64) throws -> (local: [[UInt8]], tree: [String])? {
        var local: [[UInt8]] = []
        var tree: [String] = []
        var id = id
        while id != FolderIndex.rootID {
            guard let place = try place(of: id), let row = try row(place.directory, place.name), row.id == id,
                let name = row.treeName ?? String(validating: place.name, as: UTF8.self)
            else { return nil }
            local.append(place.name)
            tree.append(name)
            id = place.directory
        }
        return (local.reversed(), tree.reversed())
    }

    /// The row at a path of the tree.
    func find(_ path: TreePath) throws -> (directory: UInt64, name: [UInt8], row: IndexRow)? {
        var directory = FolderIndex.rootID
        var found: (directory: UInt64, name: [UInt8], row: IndexRow)?
        for treeName in path.names {
            if let last = found {
                guard last.row.status.kind == .directory else { return nil }
                directory = last.row.id
            }
            guard let (name, row) = try row(directory, treeName: treeName) else { return nil }
            found = (directory, name, row)
        }
        return found
    }

    // MARK: Chunks

    /// A run of a file's bytes that is a chunk.
    struct ChunkPlace: Hashable, Sendable {
        var file: UInt64
        var offset: UInt64
        var size: UInt32
    }

    /// As much of a hash as tells the chunks of a folder apart; what is read is checked against the whole.
    static let hashPrefix = 8

    private static func key(_ hash: ContentHash, _ place: ChunkPlace? = nil, length: Int = hashPrefix) -> [UInt8] {
        var key: [UInt8] = []
        key.reserveCapacity(length + 18)
        hash.withBytes { key.append(contentsOf: $0.prefix(length)) }
        if let place {
            key.append(ordered: place.file)
            key.append(ordered: place.offset)
        }
        return key
    }

    private static func isSpooled(_ place: ChunkPlace) -> Bool { place.file >= FolderIndex.spoolBase }

    func addChunk(_ hash: ContentHash, _ place: ChunkPlace) throws {
        var size: [UInt8] = []
        size.append(ordered: UInt64(place.size))
        if IndexView.isSpooled(place) {
            try transaction.put(Table.spool, IndexView.key(hash, place, length: ContentHash.byteCount), size)
        } else {
            try transaction.put(Table.chunks, IndexView.key(hash, place), size)
        }
    }

    func removeChunk(_ hash: ContentHash, _ place: ChunkPlace) throws {
        if IndexView.isSpooled(place) {
            try transaction.remove(Table.spool, IndexView.key(hash, place, length: ContentHash.byteCount))
        } else {
            try transaction.remove(Table.chunks, IndexView.key(hash, place))
        }
    }

    /// Where a chunk may be, at most `limit` places; the files are asked first. Another chunk may be there, whose hash begins alike.
    func chunkPlaces(_ hash: ContentHash, limit: Int = 16) throws -> [ChunkPlace] {
        var places: [ChunkPlace] = []
        for (table, length) in [(Table.chunks, IndexView.hashPrefix), (Table.spool, ContentHash.byteCount)] where places.count < limit {
            try transaction.each(table, prefix: IndexView.key(hash, length: length)) { key, value in
                if let place = ChunkPlace(key, behind: length, value) { places.append(place) }
                return places.count < limit
            }
        }
        return places
    }

    /// The chunks that stand in the spool's files.
    func spooledChunks() throws -> [(hash: ContentHash, place: ChunkPlace)] {
        var result: [(hash: ContentHash, place: ChunkPlace)] = []
        try transaction.each(Table.spool, prefix: []) { key, value in
            guard key.count > ContentHash.byteCount, let place = ChunkPlace(key, behind: ContentHash.byteCount, value) else { return true }
            result.append((ContentHash(UnsafeRawBufferPointer(rebasing: key[..<ContentHash.byteCount])), place))
            return true
        }
        return result
    }

    // MARK: State

    /// The tree that the folder shows.
    func placed() throws -> Subtree {
        guard let bytes = try transaction.get(Table.state, FolderIndex.StateKey.placed) else { return .empty }
        var decoder = CanonicalDecoder(bytes)
        let subtree = try Subtree(from: &decoder)
        try decoder.finish()
        return subtree
    }

    func setPlaced(_ subtree: Subtree) throws {
        var encoder = CanonicalEncoder(reserving: 64)
        subtree.encode(to: &encoder)
        try transaction.put(Table.state, FolderIndex.StateKey.placed, encoder.bytes)
    }
}
