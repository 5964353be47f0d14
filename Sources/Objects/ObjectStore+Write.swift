import Content
import Platform
import Synchronization

/// The sizes of the log and the rates of its care, and why.
public enum LogLimits {
    /// Small enough to be compacted in a few seconds, large enough that ten terabytes are ten thousand files.
    static let segmentSize: UInt64 = 1 << 30
    /// The system is asked to start writing out at every step of this size, so that a sync after a large upload waits
    /// for the last step only.
    static let writeOutStep: UInt64 = 8 << 20
    /// Objects held in memory until they are put into the index together: about 8 MB.
    static let maximumRecent = 65_536
    /// Bytes of log that a start after a crash may have to read again: about a second.
    static let maximumReplay: UInt64 = 1 << 30
    /// Bytes a second that a scrub reads: ten terabytes in four days, and a fifth of what a hard disk gives.
    public static let scrubRate: UInt64 = 32 << 20
    /// Bytes a second that a compaction reads and writes: half of what a hard disk gives, and little of what an SSD does.
    public static let compactionRate: UInt64 = 64 << 20
}

extension ObjectStore {
    /// Writes objects that are not here yet. Not durable before the next `commit` or `sync`.
    ///
    /// On an error nothing was written.
    public func append(_ objects: [PreparedObject]) throws(StoreError) {
        guard let chunkHolder, objects.contains(where: { $0.kind == .chunk }) else { return try append(objects, head: nil) }
        let absent = Set(try missing(among: objects.map(\.hash)))
        try chunkHolder.keep(objects.filter { $0.kind == .chunk && absent.contains($0.hash) })
        try append(objects.filter { $0.kind != .chunk }, head: nil)
    }

    /// Writes the objects and a head record, and returns when all of it, and everything appended before, is durable.
    ///
    /// On an error the head that is on disk may be either; only a new start tells.
    public func commit(_ objects: [PreparedObject], head: ContentHash) throws(StoreError) {
        try append(objects, head: head)
        try sync()
    }

    /// Makes everything appended so far durable.
    public func sync() throws(StoreError) {
        // One at a time: beside a sync that fails, another may succeed without its bytes being on disk.
        try syncing.withLock { _ throws(StoreError) in
            let (file, position, failure, durable) = log.withLock { ($0.file, $0.position, $0.failure, $0.durable) }
            if let failure { throw StoreError(failed: failure) }
            if durable >= position { return }
            do throws(DiskError) {
                try file.sync()
            } catch {
                // What a failed sync leaves on disk is unknown, and a second one may succeed without having written it.
                log.withLock { $0.failure = error.description }
                throw StoreError(failed: error.description)
            }
            try log.withLock { log throws(StoreError) in
                // The next segment was begun meanwhile, and that found the disk failing.
                if let failure = log.failure { throw StoreError(failed: failure) }
                log.durable = max(log.durable, position)
            }
        }
    }

    /// Writes objects in the place of those that are damaged or lost, which are right for whoever reads them from then on.
    /// Durable on return.
    ///
    /// - Parameter objects: checked against their hashes.
    public func replace(_ objects: [PreparedObject]) throws(StoreError) {
        if let chunkHolder { try chunkHolder.keep(objects.filter { $0.kind == .chunk }) }
        let ours = chunkHolder == nil ? objects : objects.filter { $0.kind != .chunk }
        guard !ours.isEmpty else { return }
        try log.withLock { log throws(StoreError) in try write(ours, head: nil, &log) }
        try sync()
        flushIfNeeded()
    }

    private func append(_ objects: [PreparedObject], head: ContentHash?) throws(StoreError) {
        let absent = Set(try missing(among: objects.map(\.hash)))
        var seen: Set<ContentHash> = []
        let new = objects.filter { absent.contains($0.hash) && seen.insert($0.hash).inserted }
        if new.isEmpty, head == nil { return }
        try log.withLock { log throws(StoreError) in try write(new, head: head, &log) }
        flushIfNeeded()
    }

    /// Writes the records at the log's end and enters them into the table.
    func write(_ objects: [PreparedObject], head: ContentHash?, _ log: inout Log) throws(StoreError) {
        if let failure = log.failure { throw StoreError(failed: failure) }
        if log.end >= segmentSize { try roll(&log) }
        do throws(DiskError) {
            let (headers, added, end) = layOut(objects, log)
            let headRecord = head.map { headRecordBytes($0, at: end, log) } ?? []
            let (written, failure) = write(headers, objects, headRecord, to: log.file, at: log.end)
            if let failure {
                // Back to the last whole record. If even that fails, whole records of the failed write may stand behind it
                // and would be found at the next start as if they had been meant.
                do throws(DiskError) { try log.file.truncate(to: log.end) } catch { log.failure = error.description }
                throw failure
            }
            log.end += written
            if let head { log.head = head }
            // Before the log's lock is given up, so that whoever learns of the position finds its objects.
            table.withLock { table in
                for (hash, location) in added { table.recent[hash] = location }
            }
            damaged.withLock { damaged in if !damaged.isEmpty { for (hash, _) in added { damaged.remove(hash) } } }
            if log.end - log.hinted >= LogLimits.writeOutStep {
                log.file.startWriting(log.hinted..<log.end)
                log.hinted = log.end
            }
        } catch {
            throw StoreError(error)
        }
    }

    private func layOut(
        _ objects: [PreparedObject], _ log: Log
    ) -> (headers: [UInt8], added: [(ContentHash, Location)], end: LogPosition) {
        var headers: [UInt8] = []
        headers.reserveCapacity(objects.count * RecordHeader.byteCount)
        var added: [(ContentHash, Location)] = []
        added.reserveCapacity(objects.count)
        var offset = log.end
        for object in objects {
            let header = RecordHeader(
                kind: object.kind.rawValue, codec: object.codec.rawValue, rawLength: object.rawLength,
                storedLength: object.stored.count, hash: object.hash)
            headers += header.encoded(at: LogPosition(segment: log.segment, offset: offset))
            offset += UInt64(RecordHeader.byteCount)
            added.append((object.hash, Location(
                position: LogPosition(segment: log.segment, offset: offset), storedLength: UInt32(object.stored.count),
                rawLength: UInt32(object.rawLength), kind: object.kind, codec: object.codec)))
            offset += UInt64(object.stored.count)
        }
        return (headers, added, LogPosition(segment: log.segment, offset: offset))
    }

    private func headRecordBytes(_ head: ContentHash, at place: LogPosition, _ log: Log) -> [UInt8] {
        let header = RecordHeader(
            kind: RecordHeader.headKind, codec: 0, rawLength: HeadPayload.byteCount, storedLength: HeadPayload.byteCount, hash: head)
        return header.encoded(at: place) + HeadPayload(durable: log.durable).encoded(for: head)
    }

    /// Writes the records' pieces one after another, none of them copied.
    private func write(
        _ headers: [UInt8], _ objects: [PreparedObject], _ tail: [UInt8], to file: any DiskFile, at offset: UInt64
    ) -> (written: UInt64, failure: DiskError?) {
        headers.withUnsafeBytes { headers in
            tail.withUnsafeBytes { tail in
                var parts: [UnsafeRawBufferPointer] = []
                parts.reserveCapacity(objects.count * 2 + 1)
                for (index, object) in objects.enumerated() {
                    let start = index * RecordHeader.byteCount
                    parts.append(UnsafeRawBufferPointer(rebasing: headers[start..<start + RecordHeader.byteCount]))
                    object.stored.withUnsafeBytes { parts.append($0) }
                }
                parts.append(tail)
                // The objects hold the arrays, whose storage therefore stays where it is for the whole call.
                return withExtendedLifetime(objects) {
                    do throws(DiskError) {
                        try file.write(parts, at: offset)
                        return (parts.reduce(0) { $0 + UInt64($1.count) }, nil)
                    } catch {
                        return (0, error)
                    }
                }
            }
        }
    }

    /// Starts the next segment. The old one is durable before the new one exists, so only the last can be torn.
    func roll(_ log: inout Log) throws(StoreError) {
        do throws(DiskError) {
            try log.file.sync()
        } catch {
            log.failure = error.description
            throw StoreError(failed: error.description)
        }
        log.durable = max(log.durable, log.position)
        do throws(DiskError) {
            log = try Recovery.newSegment(log.segment + 1, on: disk, after: log)
        } catch {
            throw StoreError(error)
        }
    }
}

// MARK: - The index

extension ObjectStore {
    func flushIfNeeded() {
        let end = log.withLock { $0.position }
        let isDue = table.withLock { table in
            // A flush on another thread may have gone further meanwhile.
            let flushed = min(table.flushed, end)
            let behind = end.segment == flushed.segment ? end.offset - flushed.offset : LogLimits.maximumReplay
            // After a failure the next try waits until there is a full batch again.
            let isFarBehind = behind >= LogLimits.maximumReplay && table.flushing.isEmpty
            let isDue = !table.isFlushing && (table.recent.count >= LogLimits.maximumRecent || isFarBehind)
            if isDue { table.isFlushing = true }
            return isDue
        }
        if isDue { startFlush() }
    }

    private func startFlush() {
        // Weak, so that a store that nobody holds can go while a flush waits.
        flusher.start { [weak self] in self?.flush() }
    }

    /// Moves the recent objects into the index and its checkpoint to the log's end.
    func flush() {
        // Nothing is lost where it fails: the entries stay in memory and in the log, and the next flush takes them again.
        _ = try? indexEverything()
    }

    /// The same, for whoever has to know.
    /// - Returns: the checkpoint: everything before it is durable and in the index.
    @discardableResult
    func indexEverything() throws(StoreError) -> LogPosition {
        // One at a time: the end of one lets go of all that is on its way, which must not be another's.
        try flushing.withLock { _ throws(StoreError) in try flushTable() }
    }

    private func flushTable() throws(StoreError) -> LogPosition {
        let (checkpoint, entries) = log.withLock { log in
            table.withLock { table in
                table.isFlushing = true
                // What an earlier flush failed to write goes along.
                table.flushing.merge(table.recent) { $1 }
                table.recent = [:]
                return (Checkpoint(position: log.position, head: log.head), table.flushing)
            }
        }
        do throws(StoreError) {
            // The index must never know of a record that a crash can take away.
            try sync()
            try index.insert(entries.map { ($0.key, $0.value) }, checkpoint: checkpoint)
            table.withLock { table in
                table.flushing = [:]
                table.flushed = checkpoint.position
                table.isFlushing = false
            }
            return checkpoint.position
        } catch {
            table.withLock { $0.isFlushing = false }
            throw error
        }
    }
}
