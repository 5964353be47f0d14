import Content
import Platform

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
    /// Reads the log from the disk again and compares every record with its hash. What is damaged counts as absent from then
    /// on. Blocks.
    public func scrub(
        _ options: ScrubOptions = ScrubOptions(), isCancelled: () -> Bool = { false }, progress: (ScrubProgress) -> Void = { _ in }
    ) throws(StoreError) -> ScrubReport {
        let started = ContinuousClock.now
        let end = log.withLock { $0.position }
        var scrub = try Scrub(self, options, until: end)
        try scrub.run(isCancelled, progress)
        if scrub.report.next == nil { try findLost(until: end, &scrub.report) }
        scrub.report.seconds = (ContinuousClock.now - started) / .seconds(1)
        return scrub.report
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
