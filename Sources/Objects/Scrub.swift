import Content
import Foundation
import Platform
import Synchronization

/// One scrub: reads a batch of records while the one before it is hashed on another thread.
struct Scrub {
    /// Read before they are handed over, and between two looks at whether to go on.
    private static let batchBytes: UInt64 = 1 << 20

    private let store: ObjectStore
    private let start: LogPosition
    private let end: LogPosition
    private let segments: [UInt32]
    private let checker: BlockingThreads
    private var pace: Pace
    private var progress: ScrubProgress
    /// The batch that is being checked.
    private var pending: RecordBatch?
    var report = ScrubReport()

    init(_ store: ObjectStore, _ options: ScrubOptions, until end: LogPosition) throws(StoreError) {
        self.store = store
        self.end = end
        start = options.from ?? LogPosition(segment: 0, offset: 0)
        pace = Pace(bytesPerSecond: options.bytesPerSecond)
        checker = BlockingThreads(count: store.flusher.isInline ? 0 : 1, name: "scrub")
        segments = try store.segmentNumbers().filter { $0 <= end.segment }
        progress = ScrubProgress(position: start)
        for segment in segments {
            guard let size = try store.size(of: segment) else { continue }
            progress.totalBytes += segment == end.segment ? min(size, end.offset) : size
            if segment < start.segment { progress.doneBytes += size }
            if segment == start.segment { progress.doneBytes += min(size, start.offset) }
        }
    }

    mutating func run(_ isCancelled: () -> Bool, _ tell: (ScrubProgress) -> Void) throws(StoreError) {
        for segment in segments where segment >= start.segment {
            var reader: SegmentReader
            do throws(StoreError) {
                reader = try store.reader(
                    of: segment, from: segment == start.segment ? start.offset : 0, to: segment == end.segment ? end.offset : nil, isFresh: true)
            } catch {
                // Compaction may have removed it since; what was in it comes later.
                if try store.size(of: segment) == nil { continue }
                throw error
            }
            while try readBatch(&reader) {
                tell(progress)
                guard isCancelled() else { continue }
                try settle()
                report.next = progress.position
                return
            }
        }
        try settle()
        tell(progress)
    }

    /// Reads a batch, hands it over to be checked, and takes the result of the one before it.
    /// - Returns: false at the end of the segment.
    private mutating func readBatch(_ reader: inout SegmentReader) throws(StoreError) -> Bool {
        let (first, read) = (reader.offset, reader.bytesRead)
        var records: [RecordBatch.Record] = []
        var isAtEnd = false
        while reader.offset - first < Scrub.batchBytes {
            guard let step = try reader.next() else {
                isAtEnd = true
                break
            }
            switch step {
            case .damage(let place): report.add(place)
            case .record(let header, let place): records.append((header, place, try reader.payload(of: header, at: place)))
            }
        }
        let batch = RecordBatch(records, end: LogPosition(segment: reader.segment, offset: reader.offset), size: reader.offset - first)
        checker.start { batch.check() }
        try settle()
        pending = batch
        pace.use(reader.bytesRead - read)
        return !isAtEnd
    }

    /// Waits for the batch that is being checked, and takes note of what is damaged in it.
    private mutating func settle() throws(StoreError) {
        guard let batch = pending else { return }
        pending = nil
        for (header, place, _) in batch.damaged() {
            guard let location = header.location(at: place) else {
                report.add(place)
                continue
            }
            // An old copy is nobody's.
            guard try store.place(of: header.hash) == location else { continue }
            store.damaged.withLock { _ = $0.insert(header.hash) }
            report.add(DamagedObject(hash: header.hash, kind: location.kind, position: location.position))
        }
        report.records += UInt64(batch.records.count)
        report.bytes += batch.records.reduce(0) { $0 + UInt64(RecordHeader.byteCount) + UInt64($1.header.storedLength) }
        progress.doneBytes += batch.size
        progress.position = batch.end
        progress.damaged = report.damaged.count
    }
}

/// Records that are checked together, on another thread than they are read by.
private final class RecordBatch: Sendable {
    typealias Record = (header: RecordHeader, place: LogPosition, stored: [UInt8])

    let records: [Record]
    /// Where the log goes on behind them.
    let end: LogPosition
    /// Bytes of the log that they come from.
    let size: UInt64
    private let found = Mutex<[Record]>([])
    private let isChecked = DispatchSemaphore(value: 0)

    init(_ records: [Record], end: LogPosition, size: UInt64) {
        self.records = records
        self.end = end
        self.size = size
    }

    func check() {
        let damaged = records.filter { !$0.header.isWhole($0.stored) }
        found.withLock { $0 = damaged }
        isChecked.signal()
    }

    /// Waits until they are checked. Called once.
    func damaged() -> [Record] {
        isChecked.wait()
        return found.withLock { $0 }
    }
}
