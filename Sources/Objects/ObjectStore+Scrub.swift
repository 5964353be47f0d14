import Content
import Platform
import Synchronization

/// How to scrub.
public struct ScrubOptions: Sendable {
    /// Where to go on; nil for the start.
    public var from: LogPosition?
    /// Read from the disk; nil for as fast as it goes.
    public var bytesPerSecond: UInt64? = LogLimits.scrubRate

    public init() {}
}

/// An object that is needed and not here as it should be.
public struct DamagedObject: Sendable, Hashable {
    public var hash: ContentHash
    public var kind: ObjectKind
    /// Its stored bytes; nil where the log has none.
    public var position: LogPosition?

    public init(hash: ContentHash, kind: ObjectKind, position: LogPosition?) {
        self.hash = hash
        self.kind = kind
        self.position = position
    }
}

/// Whether an object is where it should be.
public enum Presence: Sendable, Hashable {
    case here
    /// The index does not know of it.
    case absent
    /// The index leads to where it is not, or is damaged.
    case lost(LogPosition)
}

/// How far a scrub is.
public struct ScrubProgress: Sendable {
    public var doneBytes: UInt64 = 0
    public var totalBytes: UInt64 = 0
    /// Where it would go on.
    public var position: LogPosition
    public var damaged = 0
}

/// What a scrub found.
public struct ScrubReport: Sendable {
    /// Five megabytes of memory; what is behind it is found once these are healed.
    public static let maximumDamaged = 100_000
    /// For people to look at.
    public static let maximumPlaces = 1_000

    public var records: UInt64 = 0
    public var bytes: UInt64 = 0
    /// Objects that the index leads to and whose bytes are not theirs any more; `maximumDamaged` at the most.
    public var damaged: [DamagedObject] = []
    /// Whether there are more than are listed.
    public var isCut = false
    /// Where no record can be made out, or a segment is gone; `maximumPlaces` at the most.
    public var damagedPlaces: [LogPosition] = []
    /// Where to go on; nil if it came to the end.
    public var next: LogPosition?
    public var seconds = 0.0

    mutating func add(_ object: DamagedObject) {
        if damaged.count < ScrubReport.maximumDamaged { damaged.append(object) } else { isCut = true }
    }

    mutating func add(_ place: LogPosition) {
        if damagedPlaces.count < ScrubReport.maximumPlaces { damagedPlaces.append(place) }
    }
}

extension ObjectStore {
    /// Between two looks at whether to go on.
    private static let scrubStep: UInt64 = 1 << 20

    /// Reads the log from the disk again and compares every record with its hash. What is damaged counts as absent from then
    /// on. Blocks.
    public func scrub(
        _ options: ScrubOptions = ScrubOptions(), isCancelled: () -> Bool = { false }, progress: (ScrubProgress) -> Void = { _ in }
    ) throws(StoreError) -> ScrubReport {
        let started = ContinuousClock.now
        let end = log.withLock { $0.position }
        let start = options.from ?? LogPosition(segment: 0, offset: 0)
        var report = ScrubReport()
        var state = ScrubProgress(position: start)
        var pace = Pace(bytesPerSecond: options.bytesPerSecond)
        let segments = try segmentNumbers().filter { $0 <= end.segment }
        for segment in segments {
            guard let size = try size(of: segment) else { continue }
            state.totalBytes += segment == end.segment ? min(size, end.offset) : size
            if segment < start.segment { state.doneBytes += size }
            if segment == start.segment { state.doneBytes += min(size, start.offset) }
        }
        for segment in segments where segment >= start.segment {
            var reader: SegmentReader
            do throws(StoreError) {
                reader = try self.reader(
                    of: segment, from: segment == start.segment ? start.offset : 0, to: segment == end.segment ? end.offset : nil, isFresh: true)
            } catch {
                // Compaction may have removed it since; what was in it comes later.
                if try size(of: segment) == nil { continue }
                throw error
            }
            var (read, offset): (UInt64, UInt64) = (0, reader.offset)
            func account() {
                pace.use(reader.bytesRead - read)
                state.doneBytes += reader.offset - offset
                (read, offset) = (reader.bytesRead, reader.offset)
                state.position = LogPosition(segment: segment, offset: offset)
                state.damaged = report.damaged.count
                progress(state)
            }
            while let step = try reader.next() {
                switch step {
                case .damage(let place): report.add(place)
                case .record(let header, let place):
                    report.records += 1
                    report.bytes += UInt64(RecordHeader.byteCount) + UInt64(header.storedLength)
                    if header.isWhole(try reader.payload(of: header, at: place)) { break }
                    guard let location = header.location(at: place) else {
                        report.add(place)
                        break
                    }
                    // An old copy is nobody's.
                    guard try self.place(of: header.hash) == location else { break }
                    damaged.withLock { _ = $0.insert(header.hash) }
                    report.add(DamagedObject(hash: header.hash, kind: location.kind, position: location.position))
                }
                guard reader.offset - offset >= ObjectStore.scrubStep else { continue }
                account()
                if isCancelled() {
                    report.next = state.position
                    break
                }
            }
            if report.next != nil { break }
            account()
        }
        if report.next == nil { try findLost(until: end, &report) }
        report.seconds = (ContinuousClock.now - started) / .seconds(1)
        return report
    }

    /// Whether objects are here, for all that the index and the segments' sizes tell.
    public func presence(of hashes: [ContentHash]) throws(StoreError) -> [Presence] {
        var sizes: [UInt32: UInt64] = [:]
        for segment in try segmentNumbers() { sizes[segment] = try size(of: segment) }
        let damaged = damagedObjects
        var result: [Presence] = []
        result.reserveCapacity(hashes.count)
        for (hash, location) in zip(hashes, try locations(of: hashes)) {
            guard let location else {
                result.append(.absent)
                continue
            }
            let end = location.position.offset + UInt64(location.storedLength)
            var isHere = location.isHeld || end <= sizes[location.position.segment] ?? 0 && !damaged.contains(hash)
            // Compaction may be moving it just now.
            if !isHere { isHere = (try? read(hash, location.kind)) != nil }
            result.append(isHere ? .here : .lost(location.position))
        }
        return result
    }

    /// Objects that the index leads to and that no record stands for: in segments that are gone or cut off, and where headers are
    /// damaged.
    func findLost(until end: LogPosition, _ report: inout ScrubReport) throws(StoreError) {
        var sizes: [UInt32: UInt64] = [:]
        for segment in try segmentNumbers() { sizes[segment] = try size(of: segment) }
        let places = report.damagedPlaces
        let suspicious = Set(places.map(\.segment))
        var doubtful: [(ContentHash, Location)] = []
        try index.forEach { hash, location in
            let place = location.position
            guard place < end else { return true }
            let isInside = place.offset + UInt64(location.storedLength) <= sizes[place.segment] ?? 0
            if !isInside || suspicious.contains(place.segment) { doubtful.append((hash, location)) }
            return doubtful.count < 16 * ScrubReport.maximumDamaged
        }
        let known = Set(report.damaged.map(\.hash))
        var gone: Set<UInt32> = []
        for (hash, location) in doubtful where !known.contains(hash) {
            do throws(StoreError) {
                _ = try read(hash, location.kind)
            } catch {
                guard error.code == .damaged else { continue }
                report.add(DamagedObject(hash: hash, kind: location.kind, position: location.position))
                if sizes[location.position.segment] == nil, gone.insert(location.position.segment).inserted {
                    report.add(LogPosition(segment: location.position.segment, offset: 0))
                }
            }
        }
    }

    /// Nil for a segment that is not there.
    func size(of segment: UInt32) throws(StoreError) -> UInt64? {
        do throws(DiskError) {
            return try disk.open(SegmentFiles.name(of: segment)).size()
        } catch {
            if error.code == .notFound { return nil }
            throw StoreError(error)
        }
    }
}
