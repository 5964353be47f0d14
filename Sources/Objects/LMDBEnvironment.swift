import CLMDB
import Platform

enum LMDBEnvironment {
    /// Opens a file of LMDB's, and makes sure that it is all there: one that was cut off would be read behind its end, which kills the process.
    ///
    /// - Parameter place: what is opened, for people.
    /// - Throws: `StoreError`: `index` for a file that is cut off, so that it is made anew. Pages at the end that were given back before they were ever
    ///   written look the same, which costs the time to make it.
    static func open(_ environment: OpaquePointer, _ directory: String, flags: UInt32, place: String) throws(StoreError) {
        try StoreError.check(mdb_env_open(environment, directory, flags, 0o600), place, "open \(directory)")
        var (information, statistics) = (MDB_envinfo(), MDB_stat())
        try StoreError.check(mdb_env_info(environment, &information), place, "information")
        try StoreError.check(mdb_env_stat(environment, &statistics), place, "statistics")
        let size: UInt64
        do throws(DiskError) { size = try OperatingSystemDisk(path: directory).open("data.mdb").size() } catch { throw StoreError(error) }
        let expected = (UInt64(information.me_last_pgno) + 1) * UInt64(statistics.ms_psize)
        // A new one has no more than what is written with its first change.
        guard information.me_last_txnid == 0 || size >= expected else {
            throw StoreError(.index, "\(place): \(directory) is cut off: \(size) of \(expected) bytes")
        }
    }
}
