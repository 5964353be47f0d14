import Objects
import Platform

/// How busy a database is, for those who watch over it. Counts are since it was opened.
public struct DatabaseFigures: Sendable {
    /// Requests that wait for the writer.
    public var waitingWrites: Int
    /// Tree nodes that were found in memory, and those that were not.
    public var cacheHits: Int
    public var cacheMisses: Int
    /// Bytes of all segments.
    public var storedBytes: UInt64
    public var objects: Int
    public var damagedObjects: Int
}

extension FileDatabase {
    /// Blocks for a moment.
    public func figures() throws -> DatabaseFigures {
        let (hits, misses) = nodes.cache.counts
        return DatabaseFigures(
            waitingWrites: mailbox.count, cacheHits: hits, cacheMisses: misses, storedBytes: try store.byteCount(),
            objects: try store.objectCount(), damagedObjects: store.damagedObjects.count)
    }
}
