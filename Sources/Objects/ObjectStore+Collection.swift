import Content
import Platform
import Synchronization

/// Objects and the bytes of their records, headers included.
public struct ObjectFigures: Sendable, Hashable {
    public var objects: UInt64
    public var bytes: UInt64

    public init(objects: UInt64 = 0, bytes: UInt64 = 0) {
        self.objects = objects
        self.bytes = bytes
    }

    public mutating func add(_ location: Location) {
        objects += 1
        bytes += location.recordLength
    }
}

/// What each segment holds that is needed, and what is not.
public struct LogUse: Sendable {
    /// What stays, by segment.
    public internal(set) var live: [UInt32: ObjectFigures] = [:]
    /// What the index has and nobody needs.
    public internal(set) var dead = ObjectFigures()

    public init() {}

    public var liveSum: ObjectFigures {
        live.values.reduce(into: ObjectFigures()) { sum, live in
            sum.objects += live.objects
            sum.bytes += live.bytes
        }
    }
}

extension ObjectStore {
    /// Index entries that are removed in one transaction. Large, since each is a sync of its own, which foreground writes wait for;
    /// it holds up flushes for a tenth of a second at the most.
    private static let entriesAtOnce = 100_000

    /// Where a collection begins: what is before it and is not found by the mark that follows can be removed. All of it is in
    /// the index.
    public func startOfCollection() throws(StoreError) -> LogPosition { try indexEverything() }

    /// From now on everything before a place that is not marked counts as absent. Reading it still works.
    public func condemn(before position: LogPosition, except marks: Marks) {
        condemnation.withLock { $0 = Condemnation(before: position, marks: marks) }
        isCondemning.store(true, ordering: .sequentiallyConsistent)
    }

    /// Nothing is condemned any more.
    public func acquit() {
        isCondemning.store(false, ordering: .sequentiallyConsistent)
        condemnation.withLock { $0 = nil }
    }

    /// The tree nodes and manifests that were appended from a place on. Reads their headers.
    public func nodesAppended(since position: LogPosition) throws(StoreError) -> [(hash: ContentHash, kind: ObjectKind)] {
        let end = log.withLock { $0.position }
        var found: [(ContentHash, ObjectKind)] = []
        for segment in try segmentNumbers() where segment >= position.segment && segment <= end.segment {
            var reader = try reader(
                of: segment, from: segment == position.segment ? position.offset : 0, to: segment == end.segment ? end.offset : nil,
                window: SegmentReader.headerWindow)
            while let step = try reader.next() {
                guard case .record(let header, let place) = step, let kind = header.location(at: place)?.kind else { continue }
                if kind == .tree || kind == .manifest { found.append((header.hash, kind)) }
            }
        }
        return found
    }

    /// Looks at everything that the index has, and takes out of it what is condemned.
    ///
    /// - Parameters:
    ///   - removes: false for a mere look.
    ///   - progress: told now and then how many entries were looked at.
    public func sweep(
        before position: LogPosition, except marks: Marks, removes: Bool, progress: (UInt64) -> Void
    ) throws(StoreError) -> LogUse {
        let condemnation = Condemnation(before: position, marks: marks)
        var use = LogUse()
        var batch: [(ContentHash, Location)] = []
        var seen: UInt64 = 0
        var failure: StoreError?
        func remove() -> Bool {
            do throws(StoreError) {
                if removes { try index.remove(batch) }
                batch.removeAll(keepingCapacity: true)
                return true
            } catch {
                failure = error
                return false
            }
        }
        try index.forEach { hash, location in
            seen += 1
            if seen % 65_536 == 0 { progress(seen) }
            guard condemnation.condemns(hash, at: location) else {
                use.live[location.position.segment, default: ObjectFigures()].add(location)
                return true
            }
            use.dead.add(location)
            if !removes { return true }
            batch.append((hash, location))
            return batch.count < ObjectStore.entriesAtOnce || remove()
        }
        if failure == nil, !batch.isEmpty { _ = remove() }
        if let failure { throw failure }
        progress(seen)
        // What is not in the index yet came since, and is needed for all that is known.
        for location in table.withLock({ table in table.recent.merging(table.flushing) { recent, _ in recent } }).values {
            use.live[location.position.segment, default: ObjectFigures()].add(location)
        }
        return use
    }

    /// All objects of a kind that the log has, in any order.
    public func objects(of kind: ObjectKind) throws(StoreError) -> [ContentHash] {
        var found: [ContentHash] = []
        try index.forEach { hash, location in
            if location.kind == kind { found.append(hash) }
            return true
        }
        let recent = table.withLock { table in table.recent.merging(table.flushing) { recent, _ in recent } }
        for (hash, location) in recent where location.kind == kind { found.append(hash) }
        return found
    }

    func segmentNumbers() throws(StoreError) -> [UInt32] {
        do throws(DiskError) { return try disk.names().compactMap(SegmentFiles.number(of:)).sorted() } catch { throw StoreError(error) }
    }

    /// - Parameter end: nil for the segment's end.
    func reader(
        of segment: UInt32, from offset: UInt64 = 0, to end: UInt64? = nil, window: Int = SegmentReader.payloadWindow, isFresh: Bool = false
    ) throws(StoreError) -> SegmentReader {
        do throws(DiskError) {
            let file = try files.file(segment)
            let size = try file.size()
            return SegmentReader(file, segment: segment, from: offset, to: min(end ?? size, size), window: window, isFresh: isFresh)
        } catch { throw StoreError(error) }
    }
}

extension Location {
    /// Bytes of the record in the log, its header included.
    public var recordLength: UInt64 { UInt64(RecordHeader.byteCount) + UInt64(storedLength) }
}
