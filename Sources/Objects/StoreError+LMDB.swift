import CLMDB

extension StoreError {
    /// The same on Linux and on macOS.
    private static let noSpaceLeft: Int32 = 28

    /// Looks at what a call of LMDB's returned.
    ///
    /// - Parameter place: what was worked on, for people.
    /// - Throws: `full` where the disk or the map has no room; `index` for everything else.
    static func check(_ code: Int32, _ place: String, _ operation: String) throws(StoreError) {
        guard code != 0 else { return }
        let isFull = code == MDB_MAP_FULL || code == noSpaceLeft
        throw StoreError(isFull ? .full : .index, "\(place): \(operation): \(String(cString: mdb_strerror(code)))")
    }
}
