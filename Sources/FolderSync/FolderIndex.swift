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
    private static let format: [UInt8] = [1]

    let tables: OrderedTables
    private let nextID: Mutex<UInt64>

    /// - Parameter directory: made if it is missing.
    init(directory: String) throws {
        _ = try OperatingSystemDisk(path: directory)
        tables = try OrderedTables(directory: directory, tables: ["entries", "places", "chunks", "aliases", "state"])
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

    enum Table {
        static let entries = OrderedTables.Table(0)
        static let places = OrderedTables.Table(1)
        static let chunks = OrderedTables.Table(2)
        static let aliases = OrderedTables.Table(3)
        static let state = OrderedTables.Table(4)
    }

    enum StateKey {
        static let format = Array("format".utf8)
        static let lastID = Array("last-id".utf8)
        static let placed = Array("placed".utf8)
        static let scanned = Array("scanned".utf8)
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
        key.reserveCapacity(8 + name.count)
        key.append(integer: directory)
        key.append(contentsOf: name)
        return key
    }

    // MARK: Rows

    func row(_ directory: UInt64, _ name: some Collection<UInt8>) throws -> IndexRow? {
        try transaction.get(Table.entries, IndexView.key(directory, name)).flatMap { bytes in bytes.withUnsafeBytes { IndexRow($0) } }
    }

    /// The rows of a directory in the order of their names' bytes.
    func rows(in directory: UInt64) throws -> [(name: [UInt8], row: IndexRow)] {
        var rows: [(name: [UInt8], row: IndexRow)] = []
        try transaction.each(Table.entries, prefix: IndexView.key(directory, [])) { key, value in
            if let row = IndexRow(value) { rows.append((Array(key[8...]), row)) }
            return true
        }
        return rows
    }

    func count() throws -> Int { try transaction.count(Table.entries) }

    func put(_ directory: UInt64, _ name: [UInt8], _ row: IndexRow) throws {
        let key = IndexView.key(directory, name)
        if let old = try self.row(directory, name), old.treeName != row.treeName || old.id != row.id { try forgetNames(directory, old) }
        // A row stands in one place.
        if let place = try place(of: row.id), place.directory != directory || place.name != name { try remove(place.directory, place.name) }
        try transaction.put(Table.entries, key, row.encoded())
        try transaction.put(Table.places, IndexView.key(row.id, []), key)
        if let treeName = row.treeName { try transaction.put(Table.aliases, IndexView.key(directory, treeName.utf8), name) }
    }

    func remove(_ directory: UInt64, _ name: [UInt8]) throws {
        guard let old = try row(directory, name) else { return }
        try forgetNames(directory, old)
        try transaction.remove(Table.entries, IndexView.key(directory, name))
    }

    private func forgetNames(_ directory: UInt64, _ old: IndexRow) throws {
        try transaction.remove(Table.places, IndexView.key(old.id, []))
        if let treeName = old.treeName { try transaction.remove(Table.aliases, IndexView.key(directory, treeName.utf8)) }
    }

    /// The inodes of all directories.
    func directoriesByInode() throws -> [UInt64: UInt64] {
        var result: [UInt64: UInt64] = [:]
        try transaction.each(Table.entries, prefix: []) { _, value in
            if value.first == FileStatus.Kind.directory.rawValue, let row = IndexRow(value) { result[row.status.inode] = row.id }
            return true
        }
        return result
    }

    // MARK: Names and places

    /// The name in the folder that stands for a name in the tree, if it is not the same.
    func alias(_ directory: UInt64, _ treeName: String) throws -> [UInt8]? {
        try transaction.get(Table.aliases, IndexView.key(directory, treeName.utf8))
    }

    /// The row of a tree's name, and its name in the folder.
    func row(_ directory: UInt64, treeName: String) throws -> (name: [UInt8], row: IndexRow)? {
        let name = try alias(directory, treeName) ?? Array(treeName.utf8)
        guard let row = try row(directory, name), row.treeName == nil || row.treeName?.utf8.elementsEqual(treeName.utf8) == true else { return nil }
        return (name, row)
    }

    /// The directory that a row is in, and its name there.
    func place(of id: UInt64) throws -> (directory: UInt64, name: [UInt8])? {
        guard let bytes = try transaction.get(Table.places, IndexView.key(id, [])), bytes.count > 8 else { return nil }
        return (bytes[...].readInteger(at: 0), Array(bytes[8...]))
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

    private static func key(_ hash: ContentHash, _ place: ChunkPlace? = nil) -> [UInt8] {
        var key: [UInt8] = []
        key.reserveCapacity(48)
        hash.withBytes { key.append(contentsOf: $0) }
        if let place {
            key.append(integer: place.file)
            key.append(integer: place.offset)
        }
        return key
    }

    func addChunk(_ hash: ContentHash, _ place: ChunkPlace) throws {
        var value: [UInt8] = []
        value.append(integer: UInt64(place.size))
        try transaction.put(Table.chunks, IndexView.key(hash, place), value)
    }

    func removeChunk(_ hash: ContentHash, _ place: ChunkPlace) throws {
        try transaction.remove(Table.chunks, IndexView.key(hash, place))
    }

    /// Where a chunk may be, at most `limit` places; the files are asked first.
    func chunkPlaces(_ hash: ContentHash, limit: Int = 16) throws -> [ChunkPlace] {
        var places: [ChunkPlace] = []
        try transaction.each(Table.chunks, prefix: IndexView.key(hash)) { key, value in
            guard key.count == 48, value.count == 8 else { return true }
            places.append(ChunkPlace(
                file: UInt64(bigEndian: key.loadUnaligned(fromByteOffset: 32, as: UInt64.self)),
                offset: UInt64(bigEndian: key.loadUnaligned(fromByteOffset: 40, as: UInt64.self)),
                size: UInt32(truncatingIfNeeded: UInt64(bigEndian: value.loadUnaligned(as: UInt64.self)))))
            return places.count < limit
        }
        return places
    }

    /// The chunks that stand in the spool's files.
    func spooledChunks() throws -> [(hash: ContentHash, place: ChunkPlace)] {
        var result: [(hash: ContentHash, place: ChunkPlace)] = []
        try transaction.each(Table.chunks, prefix: []) { key, value in
            guard key.count == 48, value.count == 8 else { return true }
            let file = UInt64(bigEndian: key.loadUnaligned(fromByteOffset: 32, as: UInt64.self))
            guard file >= FolderIndex.spoolBase else { return true }
            result.append((ContentHash(UnsafeRawBufferPointer(rebasing: key[0..<32])), ChunkPlace(
                file: file, offset: UInt64(bigEndian: key.loadUnaligned(fromByteOffset: 40, as: UInt64.self)),
                size: UInt32(truncatingIfNeeded: UInt64(bigEndian: value.loadUnaligned(as: UInt64.self))))))
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

// MARK: - Encoding

extension IndexRow {
    private static let fixedSize = 49

    func encoded() -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(IndexRow.fixedSize + (treeName?.utf8.count ?? 0))
        bytes.append(status.kind.rawValue)
        bytes.append(integer: UInt64(status.mode))
        bytes.append(integer: id)
        bytes.append(integer: status.size)
        bytes.append(integer: UInt64(bitPattern: status.modifiedAt))
        bytes.append(integer: UInt64(bitPattern: status.changedAt))
        bytes.append(integer: status.inode)
        if let treeName { bytes.append(contentsOf: treeName.utf8) }
        return bytes
    }

    /// Nil for bytes that are no row.
    init?(_ bytes: UnsafeRawBufferPointer) {
        guard bytes.count >= IndexRow.fixedSize, let kind = FileStatus.Kind(rawValue: bytes[0]) else { return nil }
        func integer(_ offset: Int) -> UInt64 { UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self)) }
        status = FileStatus(
            kind: kind, size: integer(17), modifiedAt: Int64(bitPattern: integer(25)), changedAt: Int64(bitPattern: integer(33)),
            inode: integer(41), device: 0, mode: UInt16(truncatingIfNeeded: integer(1)))
        id = integer(9)
        treeName = bytes.count > IndexRow.fixedSize ? String(validating: bytes[IndexRow.fixedSize...], as: UTF8.self) : nil
    }
}

extension [UInt8] {
    mutating func append(integer value: UInt64) {
        Swift.withUnsafeBytes(of: value.bigEndian) { append(contentsOf: $0) }
    }
}

extension ArraySlice<UInt8> {
    /// Eight bytes from `offset` behind the start, big-endian.
    func readInteger(at offset: Int) -> UInt64 {
        self[(startIndex + offset)..<(startIndex + offset + 8)].reduce(0) { $0 << 8 | UInt64($1) }
    }
}
