import Content
import Platform

/// What opening a store found.
public struct RecoveryReport: Sendable, Equatable {
    /// Bytes of a torn tail that were cut off.
    public var cutBytes: UInt64 = 0
    /// Records behind the index's checkpoint that were read again.
    public var replayed = 0
    /// Places where the log is damaged. What stood there is missing or fails its check when it is read.
    public var damaged: [LogPosition] = []
    /// Whether the index was lost or unusable and was made anew.
    public var rebuiltIndex = false
    /// Whether the log ends before a place that the index knew to be durable: acknowledged writes are gone.
    public var lostEnd = false
}

/// Opening a store: reads the log behind the index's checkpoint, or all of it.
struct Recovery {
    struct Result {
        var log: ObjectStore.Log
        var recent: [ContentHash: Location]
        var indexed: LogPosition
        var report: RecoveryReport
    }

    private struct Head {
        var commit: ContentHash
        var position: LogPosition
        var durable: LogPosition
    }

    static let segmentHeader: [UInt8] = Array("pando log 1\n".utf8)
    /// What the headers of all versions begin with.
    private static let formatName = Array("pando log ".utf8)
    static let segmentHeaderSize: UInt64 = 16

    let disk: any Disk
    let index: any ObjectIndex

    func run() throws(StoreError) -> Result {
        do {
            let segments = try disk.names().compactMap(SegmentFiles.number(of:)).sorted()
            guard let last = segments.last else { return try start() }
            return try recover(segments, last: last)
        } catch let error as DiskError {
            throw StoreError(error)
        } catch let error as StoreError {
            throw error
        } catch {
            throw StoreError(.disk, "\(error)")
        }
    }

    /// The first segment of a new store.
    private func start() throws(DiskError) -> Result {
        var report = RecoveryReport()
        // An index without a log knows of objects that are gone.
        if (try? index.checkpoint()) ?? nil != nil {
            report.rebuiltIndex = true
            try? index.forgetEverything()
        }
        let log = try Recovery.newSegment(1, on: disk, after: nil)
        return Result(log: log, recent: [:], indexed: log.position, report: report)
    }

    static func newSegment(_ number: UInt32, on disk: any Disk, after old: ObjectStore.Log?) throws(DiskError) -> ObjectStore.Log {
        let file = try disk.create(SegmentFiles.name(of: number))
        // Whatever made the caller think that there is no such segment was wrong: records are never cut off here.
        guard try file.size() <= segmentHeaderSize else {
            throw DiskError(code: .other, operation: "make \(SegmentFiles.name(of: number))", reason: "it holds records already")
        }
        let header = segmentHeader + [UInt8](repeating: 0, count: Int(segmentHeaderSize) - segmentHeader.count)
        var failure: DiskError?
        header.withUnsafeBytes { bytes in
            do throws(DiskError) { try file.write([bytes], at: 0) } catch { failure = error }
        }
        if let failure { throw failure }
        try file.truncate(to: segmentHeaderSize)
        try file.sync()
        try disk.syncDirectory()
        let position = LogPosition(segment: number, offset: segmentHeaderSize)
        return ObjectStore.Log(
            segment: number, file: file, end: segmentHeaderSize, hinted: segmentHeaderSize, head: old?.head, durable: position,
            failure: nil)
    }

    private func recover(_ segments: [UInt32], last: UInt32) throws -> Result {
        var report = RecoveryReport()
        let checkpoint = usableCheckpoint(segments, &report)
        let start = checkpoint?.position ?? LogPosition(segment: segments[0], offset: Recovery.segmentHeaderSize)
        var records: [(ContentHash, Location)] = []
        var heads: [Head] = []
        var suspects: [LogPosition] = []
        var end: UInt64 = Recovery.segmentHeaderSize
        var indexed = start
        for segment in segments where segment >= start.segment {
            let file = try disk.open(SegmentFiles.name(of: segment))
            try checkHeader(of: file, segment, isLast: segment == last, &report)
            var scan = try SegmentScan(
                file, segment: segment, from: segment == start.segment ? start.offset : Recovery.segmentHeaderSize,
                // Earlier segments were durable before the last was begun; their payloads are checked when they are read.
                checksPayloads: segment == last)
            end = try scan.run(
                record: { records.append(($0, $1)) },
                head: { heads.append(Head(commit: $0, position: $1, durable: $2)) },
                suspect: { suspects.append($0) })
            if segment != last {
                report.damaged += suspects
                suspects = []
                // Durable since before the next segment was begun: into the index at once, not into memory.
                report.replayed += records.count
                indexed = LogPosition(segment: segment, offset: end)
                try index.insert(records, checkpoint: Checkpoint(position: indexed, head: heads.last?.commit ?? checkpoint?.head))
                records = []
            }
        }
        if checkpoint == nil, heads.isEmpty, report.replayed == 0, records.isEmpty, report.damaged.contains(where: { $0.offset == 0 }) {
            throw StoreError(.format, "\(SegmentFiles.name(of: segments[0])) is no log of this program, or all of it was written over")
        }
        // Damage that a later head record knew as durable is damage; anything else may be a write that a crash tore.
        let known = heads.map(\.durable).max() ?? start
        report.damaged += suspects.filter { $0 < known }
        if let torn = suspects.first(where: { $0 >= known }) {
            let file = try disk.open(SegmentFiles.name(of: last))
            report.cutBytes = try file.size() - torn.offset
            try file.truncate(to: torn.offset)
            try file.sync()
            end = torn.offset
            heads.removeAll { $0.position >= torn }
            records.removeAll { $0.1.position >= torn }
        }
        report.replayed += records.count
        var recent: [ContentHash: Location] = [:]
        for (hash, location) in records { recent[hash] = location }
        let file = try disk.open(SegmentFiles.name(of: last))
        // A crash of the program alone leaves records that are whole but not yet durable.
        try file.sync()
        let position = LogPosition(segment: last, offset: end)
        let log = ObjectStore.Log(
            segment: last, file: file, end: end, hinted: end, head: heads.last?.commit ?? checkpoint?.head, durable: position,
            failure: nil)
        return Result(log: log, recent: recent, indexed: indexed, report: report)
    }

    /// Checks that a segment is of this format, and ends its making if a crash came before its header was whole. One that was
    /// written over is read for what is left.
    private func checkHeader(of file: any DiskFile, _ segment: UInt32, isLast: Bool, _ report: inout RecoveryReport) throws {
        let size = Int(Recovery.segmentHeaderSize)
        var bytes = [UInt8](repeating: 0, count: size)
        let count = try bytes.withUnsafeMutableBytes { try file.read(into: $0, at: 0) }
        let expected = Recovery.segmentHeader + [UInt8](repeating: 0, count: size - Recovery.segmentHeader.count)
        if bytes.elementsEqual(expected), count == size { return }
        if isLast, try file.size() <= Recovery.segmentHeaderSize {
            _ = try Recovery.newSegment(segment, on: disk, after: nil)
        } else if !bytes.starts(with: Recovery.formatName) {
            report.damaged.append(LogPosition(segment: segment, offset: 0))
        } else {
            throw StoreError(.format, "\(SegmentFiles.name(of: segment)) is no log of this version; use the program that wrote it")
        }
    }

    /// The index's checkpoint, if it fits the log; otherwise the index is emptied.
    private func usableCheckpoint(_ segments: [UInt32], _ report: inout RecoveryReport) -> Checkpoint? {
        if let checkpoint = (try? index.checkpoint()) ?? nil, segments.contains(checkpoint.position.segment),
            let size = try? disk.open(SegmentFiles.name(of: checkpoint.position.segment)).size(),
            checkpoint.position.offset <= size
        {
            return checkpoint
        }
        if let checkpoint = (try? index.checkpoint()) ?? nil, let last = segments.last, checkpoint.position.segment >= last { report.lostEnd = true }
        report.rebuiltIndex = true
        try? index.forgetEverything()
        return nil
    }
}

/// One pass over a segment's records.
struct SegmentScan {
    private var reader: SegmentReader
    private let checksPayloads: Bool

    init(_ file: any DiskFile, segment: UInt32, from offset: UInt64, checksPayloads: Bool) throws(DiskError) {
        reader = SegmentReader(
            file, segment: segment, from: offset, to: try file.size(),
            window: checksPayloads ? SegmentReader.payloadWindow : SegmentReader.headerWindow)
        self.checksPayloads = checksPayloads
    }

    /// - Parameters:
    ///   - suspect: told where a record is cut off, or has other bytes than its header or its hash says.
    /// - Returns: where the segment ends.
    mutating func run(
        record: (ContentHash, Location) -> Void, head: (ContentHash, LogPosition, LogPosition) -> Void,
        suspect: (LogPosition) -> Void
    ) throws(StoreError) -> UInt64 {
        while let step = try reader.next() {
            switch step {
            case .damage(let place): suspect(place)
            case .record(let header, let place):
                if header.kind == RecordHeader.headKind {
                    if let found = HeadPayload(try reader.payload(of: header, at: place)[...], commit: header.hash) {
                        head(header.hash, place, found.durable)
                    } else {
                        suspect(place)
                    }
                } else if let location = header.location(at: place) {
                    if checksPayloads, !header.isWhole(try reader.payload(of: header, at: place)) { suspect(place) }
                    record(header.hash, location)
                }
            }
        }
        return reader.end
    }
}
