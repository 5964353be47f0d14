import CLMDB
import Content

/// The index in an LMDB environment. Each insert is one transaction, synced, so that a crash leaves the index at its
/// last checkpoint; the log behind it is read again at the next start.
public final class LMDBIndex: ObjectIndex, @unchecked Sendable {
    /// Address space, not memory or disk: room for two thousand million objects.
    private static let mapSize = 256 << 30
    /// Threads that read at once; beyond it a read fails, so it is far above the threads there are.
    private static let maximumReaders: UInt32 = 1024
    private static let layout: UInt8 = 1

    // LMDB does its own locking; the environment and the handles do not change after the start.
    private let environment: OpaquePointer
    let objects: MDB_dbi
    private let state: MDB_dbi

    /// Opens the environment in an existing directory.
    public init(directory: String) throws(StoreError) {
        var environment: OpaquePointer?
        try LMDBIndex.check(mdb_env_create(&environment), "create")
        guard let environment else { throw StoreError(.index, "index: no environment") }
        var objects: MDB_dbi = 0
        var state: MDB_dbi = 0
        do throws(StoreError) {
            try LMDBIndex.check(mdb_env_set_mapsize(environment, LMDBIndex.mapSize), "map size")
            try LMDBIndex.check(mdb_env_set_maxreaders(environment, LMDBIndex.maximumReaders), "readers")
            try LMDBIndex.check(mdb_env_set_maxdbs(environment, 2), "databases")
            // No read-ahead: lookups by hash have no locality.
            let flags = UInt32(MDB_NOTLS) | UInt32(MDB_NORDAHEAD)
            try LMDBEnvironment.open(environment, directory, flags: flags, place: "index")
            var transaction: OpaquePointer?
            try LMDBIndex.check(mdb_txn_begin(environment, nil, 0, &transaction), "begin")
            do throws(StoreError) {
                try LMDBIndex.check(mdb_dbi_open(transaction, "objects", UInt32(MDB_CREATE), &objects), "open objects")
                try LMDBIndex.check(mdb_dbi_open(transaction, "state", UInt32(MDB_CREATE), &state), "open state")
            } catch {
                mdb_txn_abort(transaction)
                throw error
            }
            try LMDBIndex.check(mdb_txn_commit(transaction), "commit")
        } catch {
            mdb_env_close(environment)
            throw error
        }
        self.environment = environment
        self.objects = objects
        self.state = state
    }

    deinit {
        mdb_env_close(environment)
    }

    public func checkpoint() throws(StoreError) -> Checkpoint? {
        try reading { transaction throws(StoreError) in
            guard let value = try LMDBIndex.get(transaction, state, key: Array("checkpoint".utf8)) else { return nil }
            guard value.count == 13 || value.count == 45, value[0] == LMDBIndex.layout else {
                throw StoreError(.index, "index: checkpoint of an unknown layout")
            }
            let position = LogPosition(segment: value[...].bigEndian(at: 1), offset: value[...].bigEndian(at: 5))
            let head = value.count == 45 ? value.withUnsafeBytes { ContentHash(UnsafeRawBufferPointer(rebasing: $0[13..<45])) } : nil
            return Checkpoint(position: position, head: head)
        }
    }

    public func location(of hash: ContentHash) throws(StoreError) -> Location? {
        try reading { transaction throws(StoreError) in try self.location(of: hash, transaction) }
    }

    public func locations(of hashes: [ContentHash]) throws(StoreError) -> [Location?] {
        try reading { transaction throws(StoreError) in
            var result: [Location?] = []
            result.reserveCapacity(hashes.count)
            for hash in hashes { result.append(try location(of: hash, transaction)) }
            return result
        }
    }

    public func count() throws(StoreError) -> Int {
        try reading { transaction throws(StoreError) in
            var statistics = MDB_stat()
            try LMDBIndex.check(mdb_stat(transaction, objects, &statistics), "count")
            return Int(statistics.ms_entries)
        }
    }

    public func insert(_ entries: [(ContentHash, Location)], checkpoint: Checkpoint) throws(StoreError) {
        // In the order of the keys each page is written once.
        let sorted = entries.sorted { $0.0 < $1.0 }
        try writing { transaction throws(StoreError) in
            for (hash, location) in sorted {
                try LMDBIndex.put(transaction, objects, key: hash.withBytes { Array($0) }, LMDBIndex.encode(location))
            }
            var value: [UInt8] = [LMDBIndex.layout]
            value.append(bigEndian: checkpoint.position.segment)
            value.append(bigEndian: checkpoint.position.offset)
            if let head = checkpoint.head { head.withBytes { value.append(contentsOf: $0) } }
            try LMDBIndex.put(transaction, state, key: Array("checkpoint".utf8), value)
        }
    }

    public func forgetEverything() throws(StoreError) {
        try writing { transaction throws(StoreError) in
            try LMDBIndex.check(mdb_drop(transaction, objects, 0), "drop objects")
            try LMDBIndex.check(mdb_drop(transaction, state, 0), "drop state")
        }
    }
}

// MARK: - LMDB's calls

extension LMDBIndex {
    func reading<Result>(_ body: (OpaquePointer) throws(StoreError) -> Result) throws(StoreError) -> Result {
        var transaction: OpaquePointer?
        try LMDBIndex.check(mdb_txn_begin(environment, nil, UInt32(MDB_RDONLY), &transaction), "begin")
        defer { mdb_txn_abort(transaction) }
        return try body(transaction!)
    }

    func writing(_ body: (OpaquePointer) throws(StoreError) -> Void) throws(StoreError) {
        var transaction: OpaquePointer?
        try LMDBIndex.check(mdb_txn_begin(environment, nil, 0, &transaction), "begin")
        do throws(StoreError) {
            try body(transaction!)
        } catch {
            mdb_txn_abort(transaction)
            throw error
        }
        try LMDBIndex.check(mdb_txn_commit(transaction), "commit")
    }

    func location(of hash: ContentHash, _ transaction: OpaquePointer) throws(StoreError) -> Location? {
        var value = MDB_val()
        let code = hash.withBytes { bytes in
            var key = MDB_val(mv_size: bytes.count, mv_data: UnsafeMutableRawPointer(mutating: bytes.baseAddress))
            return mdb_get(transaction, objects, &key, &value)
        }
        if code == MDB_NOTFOUND { return nil }
        try LMDBIndex.check(code, "get")
        return try LMDBIndex.decode(value, hash)
    }

    /// - Parameter value: aligned for nothing, and gone with its transaction.
    static func decode(_ value: MDB_val, _ hash: ContentHash) throws(StoreError) -> Location {
        let bytes = UnsafeRawBufferPointer(start: value.mv_data, count: value.mv_size)
        guard bytes.count == 22, let kind = ObjectKind(rawValue: bytes[20]), let codec = Codec(rawValue: bytes[21]) else {
            throw StoreError(.index, "index: entry of an unknown layout", hash: hash)
        }
        func number<Value: FixedWidthInteger>(_ offset: Int) -> Value {
            Value(bigEndian: bytes.loadUnaligned(fromByteOffset: offset, as: Value.self))
        }
        return Location(
            position: LogPosition(segment: number(0), offset: number(4)), storedLength: number(12), rawLength: number(16), kind: kind,
            codec: codec)
    }

    private static func encode(_ location: Location) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(22)
        bytes.append(bigEndian: location.position.segment)
        bytes.append(bigEndian: location.position.offset)
        bytes.append(bigEndian: location.storedLength)
        bytes.append(bigEndian: location.rawLength)
        bytes += [location.kind.rawValue, location.codec.rawValue]
        return bytes
    }

    private static func get(_ transaction: OpaquePointer, _ database: MDB_dbi, key: [UInt8]) throws(StoreError) -> [UInt8]? {
        var value = MDB_val()
        let code = key.withUnsafeBytes { bytes in
            var key = MDB_val(mv_size: bytes.count, mv_data: UnsafeMutableRawPointer(mutating: bytes.baseAddress))
            return mdb_get(transaction, database, &key, &value)
        }
        if code == MDB_NOTFOUND { return nil }
        try check(code, "get")
        return Array(UnsafeRawBufferPointer(start: value.mv_data, count: value.mv_size))
    }

    private static func put(
        _ transaction: OpaquePointer, _ database: MDB_dbi, key: [UInt8], _ value: [UInt8]
    ) throws(StoreError) {
        let code = key.withUnsafeBytes { key in
            value.withUnsafeBytes { value in
                var key = MDB_val(mv_size: key.count, mv_data: UnsafeMutableRawPointer(mutating: key.baseAddress))
                var value = MDB_val(mv_size: value.count, mv_data: UnsafeMutableRawPointer(mutating: value.baseAddress))
                return mdb_put(transaction, database, &key, &value, 0)
            }
        }
        try check(code, "put")
    }

    static func check(_ code: Int32, _ operation: String) throws(StoreError) {
        try StoreError.check(code, "index", operation)
    }
}
