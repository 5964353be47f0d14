import Content
import Platform
import Synchronization

/// What a compaction did.
public struct CompactionReport: Sendable, Hashable {
    public var segmentsRewritten = 0
    public var segmentsRemoved = 0
    public var copiedBytes: UInt64 = 0
    public var readBytes: UInt64 = 0
    /// By which the log became shorter, or would become.
    public var freedBytes: Int64 = 0
    /// Segments that were left, since they hold objects that are needed and damaged.
    public var segmentsLeft = 0
    public var wasCancelled = false
}

extension ObjectStore {
    /// What a compaction would rewrite.
    public func expectedCompaction(_ use: LogUse) throws(StoreError) -> CompactionReport {
        let plan = CompactionPlan(try segmentsInUse(use, before: .max))
        var report = CompactionReport()
        report.segmentsRewritten = plan.segments.count { $0.live > 0 }
        report.segmentsRemoved = plan.segments.count
        report.freedBytes = Int64(plan.freed)
        report.copiedBytes = plan.segments.reduce(0) { $0 + $1.live }
        return report
    }

    /// Gives the room of dead records back: copies what is live of segments that hold much that is dead to the end of the log,
    /// and removes them. Blocks. Reads and writes go on beside it.
    ///
    /// A copy is durable, and the index knows of it, before what it was made of is removed; so the log is whole at every moment.
    ///
    /// - Parameters:
    ///   - use: as the sweep found it.
    ///   - bytesPerSecond: read and written; nil for as fast as it goes.
    ///   - progress: told the bytes of segments that are done, and of all.
    /// - Throws: `full`, `disk`, `failed`, `index`; what was done stays done, and nothing is lost.
    public func compact(
        _ use: LogUse, bytesPerSecond: UInt64?, isCancelled: () -> Bool, progress: (_ done: UInt64, _ total: UInt64) -> Void
    ) throws(StoreError) -> CompactionReport {
        let active = log.withLock { $0.segment }
        var plan = CompactionPlan(try segmentsInUse(use, before: .max))
        if plan.segments.isEmpty { return CompactionReport() }
        // The newest segment takes the copies, so it is not read itself; and it begins with a head record, so that none of those
        // in the others is needed.
        try log.withLock { log throws(StoreError) in
            if plan.segments.contains(where: { $0.number == log.segment }) { try roll(&log) }
            if let head = log.head { try write([], head: head, &log) }
        }
        try indexEverything()
        let newest = log.withLock { $0.segment }
        plan = CompactionPlan(try segmentsInUse(use, before: newest))
        var work = Compaction(store: self, pace: Pace(bytesPerSecond: bytesPerSecond), total: plan.size)
        do throws(StoreError) {
            for segment in plan.segments {
                if isCancelled() { work.report.wasCancelled = true }
                if work.report.wasCancelled { break }
                // The one that was written to when the log was looked at may have more by now.
                let isCounted = segment.number < active
                try work.rewrite(segment, liveObjects: isCounted ? use.live[segment.number]?.objects ?? 0 : nil, isCancelled, progress)
            }
        } catch {
            // What is done makes room, which may be what was missing.
            try? work.removeEmptied()
            throw error
        }
        try work.removeEmptied()
        return work.report
    }

    private func segmentsInUse(_ use: LogUse, before end: UInt32) throws(StoreError) -> [CompactionPlan.Segment] {
        var segments: [CompactionPlan.Segment] = []
        for number in try segmentNumbers() where number < end {
            let size = try reader(of: number).end
            segments.append(CompactionPlan.Segment(
                number: number, size: size - min(size, Recovery.segmentHeaderSize), live: use.live[number]?.bytes ?? 0))
        }
        return segments
    }

    /// Copies objects to the log's end, where they are read from then on.
    fileprivate func relocate(_ objects: [PreparedObject]) throws(StoreError) {
        try log.withLock { log throws(StoreError) in try write(objects, head: nil, &log) }
    }
}

/// One compaction.
private struct Compaction {
    /// Copied at once: a foreground write waits for so much at the most.
    private static let batchBytes = 1 << 20
    private static let batchObjects = 1024
    /// Copied between two syncs: a foreground commit that comes in between writes so much along.
    private static let bytesBetweenSyncs: UInt64 = 8 << 20
    /// Emptied segments wait for each other until so much was copied, since each step to the index is a synced transaction.
    private static let bytesBetweenRemovals: UInt64 = 64 << 20

    let store: ObjectStore
    var pace: Pace
    let total: UInt64
    var report = CompactionReport()
    private var done: UInt64 = 0
    private var readBefore: UInt64 = 0
    private var batch: [PreparedObject] = []
    private var batchBytes = 0
    private var unsynced: UInt64 = 0
    private var sinceRemoval: UInt64 = 0
    /// Segments without anything that is needed, and their sizes.
    private var emptied: [(number: UInt32, size: UInt64)] = []

    init(store: ObjectStore, pace: Pace, total: UInt64) {
        self.store = store
        self.pace = pace
        self.total = total
    }

    /// - Parameter liveObjects: how many there are; nil where that is not known for certain.
    mutating func rewrite(
        _ segment: CompactionPlan.Segment, liveObjects: UInt64?, _ isCancelled: () -> Bool, _ progress: (UInt64, UInt64) -> Void
    ) throws(StoreError) {
        let copied = liveObjects == 0 ? 0 : try copyLive(of: segment, isCancelled, progress)
        guard let copied else {
            report.wasCancelled = true
            return
        }
        // What could not be read where it should be is still the index's only place for it.
        if copied != liveObjects, try !isEmpty(segment.number) {
            report.segmentsLeft += 1
            return
        }
        if segment.live > 0 { report.segmentsRewritten += 1 }
        emptied.append((segment.number, segment.size))
        if sinceRemoval >= Compaction.bytesBetweenRemovals || liveObjects == 0 && emptied.count >= 64 { try removeEmptied() }
        progress(done, total)
    }

    /// - Returns: how many objects were copied; nil if it was cancelled.
    private mutating func copyLive(
        of segment: CompactionPlan.Segment, _ isCancelled: () -> Bool, _ progress: (UInt64, UInt64) -> Void
    ) throws(StoreError) -> UInt64? {
        let start = done
        defer { done = start + segment.size }
        var copied: UInt64 = 0
        var reader = try store.reader(of: segment.number)
        while let step = try reader.next() {
            guard case .record(let header, let place) = step, let location = header.location(at: place),
                try store.place(of: header.hash) == location
            else { continue }
            // Copied unchecked, damage would pass for what was meant.
            guard let object = header.object(try reader.payload(of: header, at: place)) else {
                store.damaged.withLock { _ = $0.insert(header.hash) }
                continue
            }
            copied += 1
            batch.append(object)
            batchBytes += object.stored.count
            guard batchBytes >= Compaction.batchBytes || batch.count >= Compaction.batchObjects else { continue }
            try writeBatch()
            use(reader.bytesRead)
            done = start + min(reader.offset, segment.size)
            progress(done, total)
            if isCancelled() { return nil }
        }
        try writeBatch()
        use(reader.bytesRead)
        readBefore = 0
        return copied
    }

    /// - Parameter read: bytes of the present segment that were read so far.
    private mutating func use(_ read: UInt64) {
        pace.use(read - readBefore)
        report.readBytes += read - readBefore
        readBefore = read
    }

    private mutating func writeBatch() throws(StoreError) {
        if batch.isEmpty { return }
        let bytes = batch.reduce(0) { $0 + UInt64(RecordHeader.byteCount + $1.stored.count) }
        try store.relocate(batch)
        batch.removeAll(keepingCapacity: true)
        batchBytes = 0
        report.copiedBytes += bytes
        report.freedBytes -= Int64(bytes)
        unsynced += bytes
        sinceRemoval += bytes
        pace.use(bytes)
        if unsynced >= Compaction.bytesBetweenSyncs {
            try store.sync()
            unsynced = 0
        }
    }

    /// Whether the index leads nowhere into a segment. Looks at all of it.
    private func isEmpty(_ segment: UInt32) throws(StoreError) -> Bool {
        try store.indexEverything()
        var isEmpty = true
        try store.index.forEach { _, location in
            isEmpty = location.position.segment != segment
            return isEmpty
        }
        return isEmpty
    }

    /// Removes the emptied segments, once the copies are durable and the index, durably, leads to them.
    mutating func removeEmptied() throws(StoreError) {
        if emptied.isEmpty { return }
        try store.indexEverything()
        do throws(DiskError) {
            while let segment = emptied.first {
                try store.disk.remove(SegmentFiles.name(of: segment.number))
                store.files.forget(segment.number)
                emptied.removeFirst()
                report.segmentsRemoved += 1
                report.freedBytes += Int64(segment.size + Recovery.segmentHeaderSize)
            }
            try store.disk.syncDirectory()
        } catch { throw StoreError(error) }
        sinceRemoval = 0
    }
}
