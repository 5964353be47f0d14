import CLMDB
import Content

/// Tables of byte strings in the order of their keys, in one LMDB environment: for what a program keeps beside the log and
/// changes in place. A change is a transaction, durable on return. Keys have at most 511 bytes.
public final class OrderedTables: @unchecked Sendable {
    /// Address space, not memory or disk.
    private static let mapSize = 64 << 30

    // LMDB does its own locking; the environment and the handles do not change after the start.
    private let environment: OpaquePointer
    private let handles: [MDB_dbi]

    /// One of the tables, by its place in the list of names.
    public struct Table: Sendable {
        fileprivate let index: Int

        public init(_ index: Int) {
            self.index = index
        }
    }

    /// Opens the tables in an existing directory.
    public init(directory: String, tables: [String]) throws(StoreError) {
        var environment: OpaquePointer?
        try check(mdb_env_create(&environment), "create")
        guard let environment else { throw StoreError(.index, "tables: no environment") }
        var handles: [MDB_dbi] = []
        do throws(StoreError) {
            try check(mdb_env_set_mapsize(environment, OrderedTables.mapSize), "map size")
            try check(mdb_env_set_maxdbs(environment, MDB_dbi(tables.count)), "tables")
            try check(mdb_env_open(environment, directory, UInt32(MDB_NOTLS), 0o600), "open \(directory)")
            var transaction: OpaquePointer?
            try check(mdb_txn_begin(environment, nil, 0, &transaction), "begin")
            do throws(StoreError) {
                for name in tables {
                    var handle: MDB_dbi = 0
                    try check(mdb_dbi_open(transaction, name, UInt32(MDB_CREATE), &handle), "open \(name)")
                    handles.append(handle)
                }
            } catch {
                mdb_txn_abort(transaction)
                throw error
            }
            try check(mdb_txn_commit(transaction), "commit")
        } catch {
            mdb_env_close(environment)
            throw error
        }
        self.environment = environment
        self.handles = handles
    }

    deinit {
        mdb_env_close(environment)
    }

    /// Reads one state of all tables.
    public func read<Result>(_ body: (Transaction) throws -> Result) throws -> Result {
        var transaction: OpaquePointer?
        try check(mdb_txn_begin(environment, nil, UInt32(MDB_RDONLY), &transaction), "begin")
        defer { mdb_txn_abort(transaction) }
        return try body(Transaction(pointer: transaction!, handles: handles))
    }

    /// Changes the tables, all or nothing. One at a time.
    public func write<Result>(_ body: (Transaction) throws -> Result) throws -> Result {
        var transaction: OpaquePointer?
        try check(mdb_txn_begin(environment, nil, 0, &transaction), "begin")
        let result: Result
        do {
            result = try body(Transaction(pointer: transaction!, handles: handles))
        } catch {
            mdb_txn_abort(transaction)
            throw error
        }
        try check(mdb_txn_commit(transaction), "commit")
        return result
    }

    // MARK: Room

    /// Pages on disk, and those of them that hold nothing: changes leave them behind, for later ones.
    public func pages() throws -> (all: Int, free: Int) {
        try read { transaction in
            var info = MDB_envinfo()
            try check(mdb_env_info(environment, &info), "info")
            // Two pages describe the environment; table 0 lists the free ones, and table 1 the tables.
            var used = 2
            for handle in [0, 1] + handles {
                var statistics = MDB_stat()
                try check(mdb_stat(transaction.pointer, handle, &statistics), "count")
                used += Int(statistics.ms_branch_pages + statistics.ms_leaf_pages + statistics.ms_overflow_pages)
            }
            let all = Int(info.me_last_pgno) + 1
            return (all, max(0, all - used))
        }
    }

    /// The name of the file that holds the tables, in their directory.
    public static let fileName = "data.mdb"

    /// Writes a copy that has no free pages into an empty directory. It is not durable yet.
    public func copy(to directory: String) throws(StoreError) {
        try check(mdb_env_copy2(environment, directory, UInt32(MDB_CP_COMPACT)), "copy to \(directory)")
    }

    /// One state of the tables, while `read` or `write` runs.
    public struct Transaction {
        fileprivate let pointer: OpaquePointer
        fileprivate let handles: [MDB_dbi]

        public func get(_ table: Table, _ key: [UInt8]) throws -> [UInt8]? {
            var value = MDB_val()
            let code = key.withUnsafeBytes { bytes in
                var key = MDB_val(bytes)
                return mdb_get(pointer, handles[table.index], &key, &value)
            }
            if code == MDB_NOTFOUND { return nil }
            try check(code, "get")
            return Array(UnsafeRawBufferPointer(value))
        }

        public func put(_ table: Table, _ key: [UInt8], _ value: [UInt8]) throws {
            let code = key.withUnsafeBytes { key in
                value.withUnsafeBytes { value in
                    var key = MDB_val(key)
                    var value = MDB_val(value)
                    return mdb_put(pointer, handles[table.index], &key, &value, 0)
                }
            }
            try check(code, "put")
        }

        public func remove(_ table: Table, _ key: [UInt8]) throws {
            let code = key.withUnsafeBytes { bytes in
                var key = MDB_val(bytes)
                return mdb_del(pointer, handles[table.index], &key, nil)
            }
            if code != MDB_NOTFOUND { try check(code, "remove") }
        }

        public func count(_ table: Table) throws -> Int {
            var statistics = MDB_stat()
            try check(mdb_stat(pointer, handles[table.index], &statistics), "count")
            return Int(statistics.ms_entries)
        }

        /// Goes through the rows whose keys begin with `prefix`, in order, until `body` returns false. The bytes are good only
        /// while it runs.
        public func each(
            _ table: Table, prefix: [UInt8], _ body: (UnsafeRawBufferPointer, UnsafeRawBufferPointer) throws -> Bool
        ) throws {
            let cursor = try cursor(table, prefix: prefix)
            while let row = try cursor.next() { guard try body(row.key, row.value) else { return } }
        }

        /// A cursor before the first row whose key begins with `prefix` and is not below `start`. It must not outlive the
        /// transaction.
        public func cursor(_ table: Table, prefix: [UInt8], from start: [UInt8]? = nil) throws -> Cursor {
            var cursor: OpaquePointer?
            try check(mdb_cursor_open(pointer, handles[table.index], &cursor), "cursor")
            return Cursor(pointer: cursor!, prefix: prefix, start: start ?? prefix)
        }
    }

    /// Goes through rows one by one, in the order of their keys.
    public final class Cursor {
        private let pointer: OpaquePointer
        private let prefix: [UInt8]
        private let start: [UInt8]
        private var isAtStart = true

        fileprivate init(pointer: OpaquePointer, prefix: [UInt8], start: [UInt8]) {
            self.pointer = pointer
            self.prefix = prefix
            self.start = start
        }

        deinit {
            mdb_cursor_close(pointer)
        }

        /// The next row; nil at the end. Its bytes are good until the next call or change.
        public func next() throws -> (key: UnsafeRawBufferPointer, value: UnsafeRawBufferPointer)? {
            var key = MDB_val()
            var value = MDB_val()
            let code = isAtStart
                ? start.withUnsafeBytes { bytes in
                    key = MDB_val(bytes)
                    return mdb_cursor_get(pointer, &key, &value, bytes.isEmpty ? MDB_FIRST : MDB_SET_RANGE)
                } : mdb_cursor_get(pointer, &key, &value, MDB_NEXT)
            isAtStart = false
            if code == MDB_NOTFOUND { return nil }
            try check(code, "cursor")
            let found = UnsafeRawBufferPointer(key)
            return found.starts(with: prefix) ? (found, UnsafeRawBufferPointer(value)) : nil
        }
    }
}

extension MDB_val {
    fileprivate init(_ bytes: UnsafeRawBufferPointer) {
        self.init(mv_size: bytes.count, mv_data: UnsafeMutableRawPointer(mutating: bytes.baseAddress))
    }
}

extension UnsafeRawBufferPointer {
    fileprivate init(_ value: MDB_val) {
        self.init(start: value.mv_data, count: value.mv_size)
    }
}

private func check(_ code: Int32, _ operation: String) throws(StoreError) {
    try StoreError.check(code, "tables", operation)
}
