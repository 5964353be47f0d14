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
            var scan = SegmentScan(
                file: file, segment: segment, offset: segment == start.segment ? start.offset : Recovery.segmentHeaderSize,
                // Earlier segments were durable before the last was begun; their payloads are checked when they are read.
                checksPayloads: segment == last, size: try file.size())
            try scan.run(
                record: { records.append(($0, $1)) },
                head: { heads.append(Head(commit: $0, position: $1, durable: $2)) },
                suspect: { suspects.append($0) })
            end = scan.offset
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

    /// Checks that a segment is of this format, and ends its making if a crash came before its header was whole.
    private func checkHeader(of file: any DiskFile, _ segment: UInt32, isLast: Bool, _ report: inout RecoveryReport) throws {
        let size = Int(Recovery.segmentHeaderSize)
        var bytes = [UInt8](repeating: 0, count: size + RecordHeader.byteCount)
        let count = try bytes.withUnsafeMutableBytes { try file.read(into: $0, at: 0) }
        let expected = Recovery.segmentHeader + [UInt8](repeating: 0, count: size - Recovery.segmentHeader.count)
        if bytes[..<size].elementsEqual(expected), count >= size { return }
        if isLast, count <= size {
            _ = try Recovery.newSegment(segment, on: disk, after: nil)
        } else if !bytes.starts(with: Recovery.formatName), RecordHeader(bytes[size...], at: LogPosition(segment: segment, offset: UInt64(size))) != nil {
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
        report.rebuiltIndex = true
        try? index.forgetEverything()
        return nil
    }
}

/// One pass over a segment's records.
struct SegmentScan {
    let file: any DiskFile
    let segment: UInt32
    /// Where the next record is; after `run`, the end of the last whole record.
    var offset: UInt64
    let checksPayloads: Bool
    let size: UInt64

    /// - Parameters:
    ///   - suspect: told where a record is cut off, or has other bytes than its header or its hash says.
    mutating func run(
        record: (ContentHash, Location) -> Void, head: (ContentHash, LogPosition, LogPosition) -> Void,
        suspect: (LogPosition) -> Void
    ) throws(DiskError) {
        while offset < size {
            let place = LogPosition(segment: segment, offset: offset)
            let payload = offset + UInt64(RecordHeader.byteCount)
            guard let header = RecordHeader(try read(at: offset, RecordHeader.byteCount)[...], at: place),
                payload + UInt64(header.storedLength) <= size
            else {
                suspect(place)
                guard let next = try nextHeader(after: offset + 1) else { return }
                offset = next
                continue
            }
            if header.kind == RecordHeader.headKind {
                if let found = HeadPayload(try read(at: payload, Int(header.storedLength))[...], commit: header.hash) {
                    head(header.hash, place, found.durable)
                } else {
                    suspect(place)
                }
            } else if let kind = ObjectKind(rawValue: header.kind), let codec = Codec(rawValue: header.codec) {
                let location = Location(
                    position: LogPosition(segment: segment, offset: payload), storedLength: header.storedLength,
                    rawLength: header.rawLength, kind: kind, codec: codec)
                if checksPayloads, try !isWhole(header, kind, codec, at: payload) { suspect(place) }
                record(header.hash, location)
            }
            offset = payload + UInt64(header.storedLength)
        }
    }

    private func isWhole(_ header: RecordHeader, _ kind: ObjectKind, _ codec: Codec, at offset: UInt64) throws(DiskError) -> Bool {
        let stored = try read(at: offset, Int(header.storedLength))
        let object = try? PreparedObject(
            checking: header.hash, kind, codec, rawLength: Int(header.rawLength), stored: stored)
        return object != nil
    }

    private func read(at offset: UInt64, _ count: Int) throws(DiskError) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: count)
        var failure: DiskError?
        let length = bytes.withUnsafeMutableBytes { buffer -> Int in
            do throws(DiskError) { return try file.read(into: buffer, at: offset) } catch {
                failure = error
                return 0
            }
        }
        if let failure { throw failure }
        return Array(bytes[..<length])
    }

    /// The next place at which a whole header stands: the log goes on behind damage.
    private func nextHeader(after start: UInt64) throws(DiskError) -> UInt64? {
        let window = 1 << 20
        var base = start
        while base < size {
            let bytes = try read(at: base, window + RecordHeader.byteCount)
            for index in 0..<min(window, bytes.count) where bytes[index] == RecordHeader.marker {
                let payload = base + UInt64(index + RecordHeader.byteCount)
                let place = LogPosition(segment: segment, offset: base + UInt64(index))
                if let header = RecordHeader(bytes[index...], at: place), payload + UInt64(header.storedLength) <= size {
                    return base + UInt64(index)
                }
            }
            base += UInt64(window)
        }
        return nil
    }
}
