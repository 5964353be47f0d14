import Content
import Platform
import Synchronization

/// An object ready to be written: hashed, and compressed if that helps. Making one needs no store, so that many threads
/// can at once.
public struct PreparedObject: Sendable {
    public let hash: ContentHash
    public let kind: ObjectKind
    public let codec: Codec
    public let rawLength: Int
    /// The bytes as they will be stored.
    public let stored: [UInt8]

    public init(_ kind: ObjectKind, _ bytes: [UInt8]) {
        self.init(kind, bytes, hash: ContentHash(of: kind, bytes))
    }

    /// - Parameter hash: of these bytes; the caller has just computed it.
    public init(_ kind: ObjectKind, _ bytes: [UInt8], hash: ContentHash) {
        self.hash = hash
        self.kind = kind
        rawLength = bytes.count
        if let compressed = Compression.compress(bytes) {
            codec = .zstd
            stored = compressed
        } else {
            codec = .raw
            stored = bytes
        }
    }

    /// An object as another node stored it. The bytes must have been verified.
    init(verified hash: ContentHash, _ kind: ObjectKind, _ codec: Codec, rawLength: Int, stored: [UInt8]) {
        self.hash = hash
        self.kind = kind
        self.codec = codec
        self.rawLength = rawLength
        self.stored = stored
    }

    /// Checks an object as it came from elsewhere: that it decompresses to its length and has its hash.
    public init(
        checking hash: ContentHash, _ kind: ObjectKind, _ codec: Codec, rawLength: Int, stored: [UInt8]
    ) throws(MalformedBytes) {
        guard stored.withUnsafeBytes({ PreparedObject.isWhole($0, hash, kind, codec, rawLength: rawLength) }) else {
            throw MalformedBytes("object \(hash) has other bytes than its hash says")
        }
        self.init(verified: hash, kind, codec, rawLength: rawLength, stored: stored)
    }

    /// Whether stored bytes decompress to a length and have a hash.
    public static func isWhole(
        _ stored: UnsafeRawBufferPointer, _ hash: ContentHash, _ kind: ObjectKind, _ codec: Codec, rawLength: Int
    ) -> Bool {
        switch codec {
        case .raw: stored.count == rawLength && ContentHash(of: kind, stored) == hash
        case .zstd: Compression.decompress(stored, rawLength: rawLength).map { ContentHash(of: kind, $0) } == hash
        }
    }

    /// The bytes before compression.
    public func raw() -> [UInt8] {
        switch codec {
        case .raw: stored
        case .zstd: stored.withUnsafeBytes { Compression.decompress($0, rawLength: rawLength) } ?? []
        }
    }
}

/// All objects of a database: an append-only log in segments, and an index of it.
///
/// Safe from any thread. Calls block on the disk.
public final class ObjectStore: Sendable {
    /// What is being written where.
    struct Log {
        var segment: UInt32
        var file: any DiskFile
        /// Where the next record goes.
        var end: UInt64
        /// Where the system was last asked to start writing out.
        var hinted: UInt64
        var head: ContentHash?
        /// Everything before it is durable.
        var durable: LogPosition
        /// Set when a sync failed.
        var failure: String?

        var position: LogPosition { LogPosition(segment: segment, offset: end) }
    }

    /// Objects that the index does not have yet.
    struct Table {
        var recent: [ContentHash: Location] = [:]
        /// On their way into the index.
        var flushing: [ContentHash: Location] = [:]
        var isFlushing = false
        var flushed: LogPosition
    }

    let disk: any Disk
    let index: any ObjectIndex
    let log: SleepingLock<Log>
    let table: Mutex<Table>
    /// Held during a sync; taken before the log's lock.
    let syncing = Mutex(())
    /// Held while the index is brought up to date; taken before all others.
    let flushing = Mutex(())
    /// A segment that has grown past it is followed by a new one.
    let segmentSize: UInt64
    let files: SegmentFiles
    let verified = VerifiedReads()
    /// Objects that did not have their hash when they were read. They count as absent, so that the same bytes can be put or
    /// fetched again.
    let damaged = Mutex<Set<ContentHash>>([])
    public var damagedObjects: Set<ContentHash> { damaged.withLock { $0 } }
    /// What a collection is about to remove; it counts as absent, so that whoever needs it writes it afresh.
    let condemnation = Mutex<Condemnation?>(nil)
    /// Whether there is a condemnation: looked at before the lock is taken.
    let isCondemning = Atomic(false)
    let flusher: BlockingThreads
    /// Where chunks are that the log does not have; nil for a store that keeps all in its log.
    private let holder = Mutex<(any ChunkHolder)?>(nil)
    var chunkHolder: (any ChunkHolder)? { holder.withLock { $0 } }
    public let recovery: RecoveryReport

    /// Opens the store, and recovers what a crash left behind.
    ///
    /// - Parameter flusher: brings the index up to date behind the writers.
    public convenience init(
        disk: any Disk, index: any ObjectIndex, flusher: BlockingThreads = BlockingThreads(count: 1, name: "index")
    ) throws(StoreError) {
        try self.init(disk: disk, index: index, segmentSize: LogLimits.segmentSize, flusher: flusher)
    }

    init(
        disk: any Disk, index: any ObjectIndex, segmentSize: UInt64,
        flusher: BlockingThreads = BlockingThreads(count: 1, name: "index")
    ) throws(StoreError) {
        self.flusher = flusher
        self.disk = disk
        self.index = index
        self.segmentSize = segmentSize
        let recovered = try Recovery(disk: disk, index: index).run()
        recovery = recovered.report
        log = SleepingLock(recovered.log)
        table = Mutex(Table(recent: recovered.recent, flushed: recovered.indexed))
        files = SegmentFiles(disk: disk)
    }

    /// The commit that the newest head record names; nil in a new store.
    public var head: ContentHash? { log.withLock { $0.head } }

    /// Bytes in all segments.
    public func byteCount() throws(StoreError) -> UInt64 {
        var sum: UInt64 = 0
        // A compaction may remove one in between.
        for segment in try segmentNumbers() { sum += try size(of: segment) ?? 0 }
        return sum
    }

    public func objectCount() throws(StoreError) -> Int {
        try index.count() + table.withLock { $0.recent.count + $0.flushing.count }
    }

    /// Whether chunks come when their holder asks for them, and not with the trees that name them.
    public var fetchesChunksLater: Bool { chunkHolder != nil }

    /// From now on chunks that are appended go to the holder, and those that the log lacks are read from it.
    public func use(_ holder: any ChunkHolder) {
        self.holder.withLock { $0 = holder }
    }

    /// Brings the index up to date, so that the next start has nothing to replay.
    public func close() {
        flush()
    }
}

// MARK: - Reading

extension ObjectStore {
    public func contains(_ hash: ContentHash) throws(StoreError) -> Bool {
        try location(of: hash) != nil
    }

    /// Where an object is; nil for one that is not here, or is about to be removed.
    public func location(of hash: ContentHash) throws(StoreError) -> Location? {
        if let location = try place(of: hash), !isCondemned(hash, location) { return location }
        return try chunkHolder?.sizes(of: [hash])[0].map { Location.held(size: $0) }
    }

    private func isCondemned(_ hash: ContentHash, _ location: Location) -> Bool {
        guard isCondemning.load(ordering: .acquiring) else { return false }
        return condemnation.withLock { $0 }?.condemns(hash, at: location) ?? false
    }

    /// The locations of several objects, in the order given; nil for those that are not here or are about to be removed.
    public func locations(of hashes: [ContentHash]) throws(StoreError) -> [Location?] {
        var result = try places(of: hashes)
        if isCondemning.load(ordering: .acquiring), let condemnation = condemnation.withLock({ $0 }) {
            for index in result.indices {
                if let location = result[index], condemnation.condemns(hashes[index], at: location) { result[index] = nil }
            }
        }
        guard let chunkHolder else { return result }
        let absent = result.indices.filter { result[$0] == nil }
        if absent.isEmpty { return result }
        for (index, size) in zip(absent, try chunkHolder.sizes(of: absent.map { hashes[$0] })) { result[index] = size.map { .held(size: $0) } }
        return result
    }

    /// Where the log has objects, those included that are about to be removed.
    func places(of hashes: [ContentHash]) throws(StoreError) -> [Location?] {
        var result = table.withLock { table in hashes.map { table.recent[$0] ?? table.flushing[$0] } }
        // What is unknown may have gone from the table into the index between the two looks, never the other way round.
        let unknown = result.indices.filter { result[$0] == nil }
        if unknown.isEmpty { return result }
        for (index, location) in zip(unknown, try index.locations(of: unknown.map { hashes[$0] })) { result[index] = location }
        return result
    }

    func place(of hash: ContentHash) throws(StoreError) -> Location? {
        if let location = table.withLock({ $0.recent[hash] ?? $0.flushing[hash] }) { return location }
        return try index.location(of: hash)
    }

    /// The hashes that are not here, in the order given.
    public func missing(among hashes: [ContentHash]) throws(StoreError) -> [ContentHash] {
        let damaged = damagedObjects
        return zip(hashes, try locations(of: hashes)).filter { $0.1 == nil || damaged.contains($0.0) }.map(\.0)
    }
}

/// Segments that are open for reading.
final class SegmentFiles: Sendable {
    /// Far below the usual limit of 1,024 descriptors a process.
    private static let maximumOpen = 256

    private let disk: any Disk
    private let open = Mutex<[UInt32: any DiskFile]>([:])

    init(disk: any Disk) {
        self.disk = disk
    }

    func file(_ segment: UInt32) throws(DiskError) -> any DiskFile {
        if let file = open.withLock({ $0[segment] }) { return file }
        let file = try disk.open(SegmentFiles.name(of: segment))
        open.withLock { open in
            // Readers hold the file they use, so any may go.
            if open.count >= SegmentFiles.maximumOpen, let some = open.keys.first { open[some] = nil }
            open[segment] = file
        }
        return file
    }

    /// Lets go of a segment that is removed. Those who read it go on.
    func forget(_ segment: UInt32) {
        open.withLock { $0[segment] = nil }
    }

    static func name(of segment: UInt32) -> String {
        let digits = String(segment)
        return String(repeating: "0", count: max(0, 8 - digits.count)) + digits + ".segment"
    }

    static func number(of name: String) -> UInt32? {
        guard name.hasSuffix(".segment") else { return nil }
        return UInt32(name.dropLast(8))
    }
}
