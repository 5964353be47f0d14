import CLMDB

/// A table in an LMDB environment of its own, so that its transactions hold up nobody else's. Each write is one synced
/// transaction.
public final class LMDBTable: OrderedTable, @unchecked Sendable {
    /// Address space, not memory or disk.
    private static let mapSize = 256 << 30
    /// As many as the threads that may read at once, and more.
    private static let maximumReaders: UInt32 = 1024

    // LMDB does its own locking; the environment and the handle do not change after the start.
    private let environment: OpaquePointer
    private let database: MDB_dbi

    /// Opens the environment in an existing directory.
    public init(directory: String) throws(StoreError) {
        var environment: OpaquePointer?
        try LMDBTable.check(mdb_env_create(&environment), "create")
        guard let environment else { throw StoreError(.index, "table: no environment") }
        var database: MDB_dbi = 0
        do throws(StoreError) {
            try LMDBTable.check(mdb_env_set_mapsize(environment, LMDBTable.mapSize), "map size")
            try LMDBTable.check(mdb_env_set_maxreaders(environment, LMDBTable.maximumReaders), "readers")
            try LMDBEnvironment.open(environment, directory, flags: UInt32(MDB_NOTLS) | UInt32(MDB_NORDAHEAD), place: "table")
            var transaction: OpaquePointer?
            try LMDBTable.check(mdb_txn_begin(environment, nil, 0, &transaction), "begin")
            let code = mdb_dbi_open(transaction, nil, 0, &database)
            if code != 0 { mdb_txn_abort(transaction) }
            try LMDBTable.check(code, "open")
            try LMDBTable.check(mdb_txn_commit(transaction), "commit")
        } catch {
            mdb_env_close(environment)
            throw error
        }
        self.environment = environment
        self.database = database
    }

    deinit {
        mdb_env_close(environment)
    }

    public func value(of key: [UInt8]) throws(StoreError) -> [UInt8]? {
        try reading { transaction throws(StoreError) in
            var value = MDB_val()
            let code = LMDBTable.withValue(key) { key in mdb_get(transaction, self.database, key, &value) }
            if code == MDB_NOTFOUND { return nil }
            try LMDBTable.check(code, "get")
            return LMDBTable.bytes(value)
        }
    }

    public func scan(_ keys: Range<TableKey>, isReversed: Bool, _ body: ([UInt8], [UInt8]) -> Bool) throws(StoreError) {
        try reading { transaction throws(StoreError) in
            var cursor: OpaquePointer?
            try LMDBTable.check(mdb_cursor_open(transaction, self.database, &cursor), "cursor")
            defer { mdb_cursor_close(cursor) }
            var (key, value) = (MDB_val(), MDB_val())
            let start = isReversed ? keys.upperBound.bytes : keys.lowerBound.bytes
            var code = LMDBTable.withValue(start) { wanted in
                key = wanted.pointee
                return mdb_cursor_get(cursor, &key, &value, MDB_SET_RANGE)
            }
            // Behind the upper bound, or at it: the one before is the last of the range.
            if isReversed { code = mdb_cursor_get(cursor, &key, &value, code == MDB_NOTFOUND ? MDB_LAST : MDB_PREV) }
            while code != MDB_NOTFOUND {
                try LMDBTable.check(code, "scan")
                let found = TableKey(LMDBTable.bytes(key))
                guard isReversed ? !(found < keys.lowerBound) : found < keys.upperBound else { return }
                guard body(found.bytes, LMDBTable.bytes(value)) else { return }
                code = mdb_cursor_get(cursor, &key, &value, isReversed ? MDB_PREV : MDB_NEXT)
            }
        }
    }

    public func write(_ entries: [TableEntry]) throws(StoreError) {
        // In the order of the keys each page is written once. Of two for one key the later counts, so the sort is stable.
        let order = entries.indices.sorted { left, right in
            entries[left].key == entries[right].key ? left < right : entries[left].key.lexicographicallyPrecedes(entries[right].key)
        }
        try writing { transaction throws(StoreError) in
            for entry in order.lazy.map({ entries[$0] }) {
                let code: Int32
                if let bytes = entry.value {
                    code = LMDBTable.withValue(entry.key) { key in
                        LMDBTable.withValue(bytes) { value in mdb_put(transaction, self.database, key, value, 0) }
                    }
                } else {
                    let removed = LMDBTable.withValue(entry.key) { key in mdb_del(transaction, self.database, key, nil) }
                    code = removed == MDB_NOTFOUND ? 0 : removed
                }
                try LMDBTable.check(code, "put")
            }
        }
    }

    public func forgetEverything() throws(StoreError) {
        try writing { transaction throws(StoreError) in
            try LMDBTable.check(mdb_drop(transaction, self.database, 0), "drop")
        }
    }
}

// MARK: - LMDB's calls

extension LMDBTable {
    private func reading<Result>(_ body: (OpaquePointer) throws(StoreError) -> Result) throws(StoreError) -> Result {
        var transaction: OpaquePointer?
        try LMDBTable.check(mdb_txn_begin(environment, nil, UInt32(MDB_RDONLY), &transaction), "begin")
        defer { mdb_txn_abort(transaction) }
        return try body(transaction!)
    }

    private func writing(_ body: (OpaquePointer) throws(StoreError) -> Void) throws(StoreError) {
        var transaction: OpaquePointer?
        try LMDBTable.check(mdb_txn_begin(environment, nil, 0, &transaction), "begin")
        do throws(StoreError) {
            try body(transaction!)
        } catch {
            mdb_txn_abort(transaction)
            throw error
        }
        try LMDBTable.check(mdb_txn_commit(transaction), "commit")
    }

    private static func withValue<Result>(_ bytes: [UInt8], _ body: (UnsafeMutablePointer<MDB_val>) -> Result) -> Result {
        bytes.withUnsafeBytes { bytes in
            var value = MDB_val(mv_size: bytes.count, mv_data: UnsafeMutableRawPointer(mutating: bytes.baseAddress))
            return body(&value)
        }
    }

    /// Copied, since it is gone with the transaction.
    private static func bytes(_ value: MDB_val) -> [UInt8] {
        Array(UnsafeRawBufferPointer(start: value.mv_data, count: value.mv_size))
    }

    private static func check(_ code: Int32, _ operation: String) throws(StoreError) {
        try StoreError.check(code, "table", operation)
    }
}
