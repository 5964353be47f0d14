import Content
import Platform

/// Reads a segment's records one after another in large pieces, past what is damaged.
struct SegmentReader {
    /// Bytes that are read at once where all is wanted: several chunks, so that the disk streams and few are read twice.
    static let payloadWindow = 2 << 20
    /// The same where headers are wanted: some twenty small records, and little that is not looked at behind a large one's.
    static let headerWindow = 4 << 10

    /// Bytes that are asked for beyond what is needed, where the medium is read: so much that it never waits.
    private static let readAhead: UInt64 = 8 << 20

    enum Step {
        case record(RecordHeader, at: LogPosition)
        /// No record begins here; the next is found behind it.
        case damage(LogPosition)
    }

    let file: any DiskFile
    let segment: UInt32
    /// Whether the medium is asked, and not what the system has in memory.
    let isFresh: Bool
    private let window: Int
    /// Where the segment ends, or where to stop.
    let end: UInt64
    /// Where the next record is.
    private(set) var offset: UInt64
    private(set) var bytesRead: UInt64 = 0
    private var bytes: [UInt8] = []
    /// Where in the file `bytes` begins.
    private var base: UInt64 = 0
    /// Up to where the medium was asked.
    private var asked: UInt64 = 0

    init(
        _ file: any DiskFile, segment: UInt32, from offset: UInt64, to end: UInt64, window: Int = SegmentReader.payloadWindow,
        isFresh: Bool = false
    ) {
        self.file = file
        self.segment = segment
        self.offset = max(offset, Recovery.segmentHeaderSize)
        self.end = end
        self.window = window
        self.isFresh = isFresh
    }

    /// The next record's header; its payload is read if `payload` is called before the next call. Nil at the end.
    mutating func next() throws(StoreError) -> Step? {
        guard offset < end else { return nil }
        let place = LogPosition(segment: segment, offset: offset)
        try load(offset, RecordHeader.byteCount)
        if let header = RecordHeader(held(offset, RecordHeader.byteCount), at: place), behind(header, place) <= end {
            offset = behind(header, place)
            return .record(header, at: place)
        }
        offset = try nextHeader(after: offset + 1) ?? end
        return .damage(place)
    }

    /// The stored bytes of a record that `next` has just returned; fewer than its length if the file was cut off.
    mutating func payload(of header: RecordHeader, at place: LogPosition) throws(StoreError) -> [UInt8] {
        let start = place.offset + UInt64(RecordHeader.byteCount)
        try load(start, Int(header.storedLength))
        return Array(held(start, Int(header.storedLength)))
    }

    private func behind(_ header: RecordHeader, _ place: LogPosition) -> UInt64 {
        place.offset + UInt64(RecordHeader.byteCount) + UInt64(header.storedLength)
    }

    private func held(_ start: UInt64, _ count: Int) -> ArraySlice<UInt8> {
        let first = min(Int(start - base), bytes.count)
        return bytes[first..<min(first + count, bytes.count)]
    }

    /// Makes bytes of the file be in memory, and some of those behind them.
    private mutating func load(_ start: UInt64, _ count: Int) throws(StoreError) {
        let needed = start + UInt64(count)
        if start >= base, needed <= base + UInt64(bytes.count) { return }
        let length = max(count, Int(min(UInt64(window), end > start ? end - start : 0)))
        if isFresh { ask(start, length) }
        var failure: DiskError?
        bytes = [UInt8](unsafeUninitializedCapacity: length) { buffer, count in
            do throws(DiskError) {
                count = try file.read(into: UnsafeMutableRawBufferPointer(buffer), at: start)
            } catch {
                failure = error
            }
        }
        base = start
        if let failure { throw StoreError(failure) }
        bytesRead += UInt64(bytes.count)
    }

    /// Asks the medium for bytes, and for those behind them: it reads on while these are looked at.
    private mutating func ask(_ start: UInt64, _ length: Int) {
        let needed = start + UInt64(length)
        guard asked < min(end, needed + SegmentReader.readAhead / 2) else { return }
        let last = min(max(end, needed), needed + SegmentReader.readAhead)
        let range = max(start, asked)..<last
        file.forgetCached(range)
        file.prefetch(range)
        asked = last
    }

    /// The next place at which a whole header stands.
    private mutating func nextHeader(after start: UInt64) throws(StoreError) -> UInt64? {
        var candidate = start
        while candidate < end {
            try load(candidate, RecordHeader.byteCount)
            let last = base + UInt64(bytes.count)
            // At the very end there may be less than a header.
            guard candidate < last else { return nil }
            while candidate < last {
                guard bytes[Int(candidate - base)] == RecordHeader.marker else {
                    candidate += 1
                    continue
                }
                guard candidate + UInt64(RecordHeader.byteCount) <= last || last >= end else { break }
                let place = LogPosition(segment: segment, offset: candidate)
                if let header = RecordHeader(held(candidate, RecordHeader.byteCount), at: place), behind(header, place) <= end { return candidate }
                candidate += 1
            }
        }
        return nil
    }
}
