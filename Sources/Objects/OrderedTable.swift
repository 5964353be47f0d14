import Synchronization

/// Keys and values in the order of the keys' bytes: for what can be made again from the log.
public protocol OrderedTable: Sendable {
    func value(of key: [UInt8]) throws(StoreError) -> [UInt8]?
    /// Calls `body` with the entries whose keys are in the range, in order or in reverse, until it returns false.
    func scan(_ keys: Range<TableKey>, isReversed: Bool, _ body: (_ key: [UInt8], _ value: [UInt8]) -> Bool) throws(StoreError)
    /// Puts and removes entries, all or nothing; durable on return.
    func write(_ entries: [TableEntry]) throws(StoreError)
    func forgetEverything() throws(StoreError)
}

/// A key, ordered by its bytes.
public struct TableKey: Comparable, Sendable {
    public var bytes: [UInt8]

    public init(_ bytes: [UInt8]) {
        self.bytes = bytes
    }

    public static func < (left: TableKey, right: TableKey) -> Bool { left.bytes.lexicographicallyPrecedes(right.bytes) }
}

/// A change to a table.
public struct TableEntry: Sendable {
    public var key: [UInt8]
    /// Nil removes the key.
    public var value: [UInt8]?

    public init(key: [UInt8], value: [UInt8]?) {
        self.key = key
        self.value = value
    }
}

/// A table in memory: for simulations and tests.
public final class MemoryTable: OrderedTable {
    /// Sorted by key.
    private let entries = Mutex<[(key: TableKey, value: [UInt8])]>([])

    public init() {}

    private static func lowerBound(_ key: TableKey, _ entries: [(key: TableKey, value: [UInt8])]) -> Int {
        var (low, high) = (0, entries.count)
        while low < high {
            let middle = (low + high) / 2
            if entries[middle].key < key { low = middle + 1 } else { high = middle }
        }
        return low
    }

    public func value(of key: [UInt8]) -> [UInt8]? {
        entries.withLock { entries in
            let index = MemoryTable.lowerBound(TableKey(key), entries)
            return index < entries.count && entries[index].key.bytes == key ? entries[index].value : nil
        }
    }

    public func scan(_ keys: Range<TableKey>, isReversed: Bool, _ body: ([UInt8], [UInt8]) -> Bool) {
        let found = entries.withLock { entries in
            entries[MemoryTable.lowerBound(keys.lowerBound, entries)..<MemoryTable.lowerBound(keys.upperBound, entries)]
        }
        if isReversed {
            for entry in found.reversed() where !body(entry.key.bytes, entry.value) { return }
        } else {
            for entry in found where !body(entry.key.bytes, entry.value) { return }
        }
    }

    public func write(_ changes: [TableEntry]) {
        entries.withLock { entries in
            for change in changes {
                let key = TableKey(change.key)
                // Most come in at the end: times go on.
                let index = entries.last.map { $0.key < key } ?? true ? entries.count : MemoryTable.lowerBound(key, entries)
                let isThere = index < entries.count && entries[index].key == key
                switch (change.value, isThere) {
                case (let value?, true): entries[index].value = value
                case (let value?, false): entries.insert((key, value), at: index)
                case (nil, true): entries.remove(at: index)
                case (nil, false): break
                }
            }
        }
    }

    public func forgetEverything() {
        entries.withLock { $0 = [] }
    }
}
