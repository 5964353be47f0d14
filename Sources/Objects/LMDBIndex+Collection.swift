import CLMDB
import Content

extension LMDBIndex {
    /// Entries that one reading transaction goes through: pages that are freed meanwhile cannot be used again before it ends.
    private static let entriesAtOnce = 100_000

    public func forEach(_ body: (ContentHash, Location) -> Bool) throws(StoreError) {
        var last: ContentHash?
        repeat {
            last = try reading { transaction throws(StoreError) in try self.entries(behind: last, transaction, body) }
        } while last != nil
    }

    /// - Returns: the last entry that was looked at; nil at the end, and where `body` has enough.
    private func entries(
        behind last: ContentHash?, _ transaction: OpaquePointer, _ body: (ContentHash, Location) -> Bool
    ) throws(StoreError) -> ContentHash? {
        var cursor: OpaquePointer?
        try LMDBIndex.check(mdb_cursor_open(transaction, objects, &cursor), "cursor")
        defer { mdb_cursor_close(cursor) }
        var (key, value) = (MDB_val(), MDB_val())
        var code: Int32
        if let last {
            code = last.withBytes { bytes in
                key = MDB_val(mv_size: bytes.count, mv_data: UnsafeMutableRawPointer(mutating: bytes.baseAddress))
                return mdb_cursor_get(cursor, &key, &value, MDB_SET_RANGE)
            }
        } else {
            code = mdb_cursor_get(cursor, &key, &value, MDB_FIRST)
        }
        var current: ContentHash?
        var left = LMDBIndex.entriesAtOnce
        while code != MDB_NOTFOUND {
            try LMDBIndex.check(code, "scan")
            guard key.mv_size == ContentHash.byteCount else { throw StoreError(.index, "index: key of an unknown layout") }
            let hash = ContentHash(UnsafeRawBufferPointer(start: key.mv_data, count: key.mv_size))
            if hash != last {
                guard body(hash, try LMDBIndex.decode(value, hash)) else { return nil }
                current = hash
                left -= 1
                if left == 0 { return current }
            }
            code = mdb_cursor_get(cursor, &key, &value, MDB_NEXT)
        }
        return nil
    }

    public func remove(_ entries: [(ContentHash, Location)]) throws(StoreError) {
        // In the order of the keys each page is written once.
        let sorted = entries.sorted { $0.0 < $1.0 }
        try writing { transaction throws(StoreError) in
            for (hash, location) in sorted {
                guard try self.location(of: hash, transaction) == location else { continue }
                let code = hash.withBytes { bytes in
                    var key = MDB_val(mv_size: bytes.count, mv_data: UnsafeMutableRawPointer(mutating: bytes.baseAddress))
                    return mdb_del(transaction, self.objects, &key, nil)
                }
                try LMDBIndex.check(code, "delete")
            }
        }
    }
}
