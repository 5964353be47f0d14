import Causality
import Content
import FileDatabase
import HTTPClient

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// Reads items, cuts and hashes them, and fills batches: the work of one thread.
///
/// Memory is one buffer and one batch, whatever the size of a file.
final class UploadReader {
    private static let bufferLength = 4 << 20
    private static let maximumReads = 3

    private let upload: Upload
    private let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: bufferLength, alignment: 4096)
    private var batch = UploadBatch()
    // The objects of the batch that is being filled.
    private var own: Set<ContentHash> = []

    init(_ upload: Upload) {
        self.upload = upload
    }

    deinit {
        buffer.deallocate()
    }

    /// Works until there are no items left, or nobody wants them.
    func run() {
        while let item = upload.items.pop() {
            do {
                guard let value = try value(of: item) else { continue }
                batch.writes.append(UploadWrite(local: item.local, write: BulkWrite(path: item.remote, value: value)))
                if batch.isFull { try submit() }
            } catch is CancellationError {
                return
            } catch {
                upload.report("\(error)")
            }
        }
        try? submit()
    }

    /// Hands the batch over; waits while too many are in flight.
    private func submit() throws {
        if batch.isEmpty { return }
        let full = batch
        batch = UploadBatch()
        own.removeAll(keepingCapacity: true)
        guard upload.submit(full) else { throw CancellationError() }
    }

    private func value(of item: LocalItem) throws -> Value? {
        switch item.kind {
        case .emptyDirectory: return .directory
        case .symlink: return .symlink(target: try LocalFile.target(ofLink: item.local))
        case .standardInput:
            let content = try read(0, path: "standard input").content
            return .file(FileValue(
                content: content, mediaType: MediaType.guess(fromName: RemotePath.name(of: item.remote)),
                modifiedAt: upload.startedAt))
        case .file: return try file(item)
        }
    }

    private func file(_ item: LocalItem) throws -> Value? {
        let file = try LocalFile.openForReading(item.local)
        defer { close(file) }
        var before = try LocalFile.status(of: file, path: item.local)
        guard before.kind == .file else { throw Failure("\(item.local): is no longer a file") }
        for attempt in 1...UploadReader.maximumReads {
            if attempt > 1 { lseek(file, 0, SEEK_SET) }
            let (content, count) = try read(file, path: item.local)
            let after = try LocalFile.status(of: file, path: item.local)
            if after == before, count == after.size {
                return .file(FileValue(
                    content: content, mediaType: MediaType.guess(fromName: RemotePath.name(of: item.remote)),
                    isExecutable: after.isExecutable, modifiedAt: after.modifiedAt))
            }
            before = after
        }
        throw Failure("\(item.local): changes while it is read; send it again when it is at rest")
    }

    // MARK: Content

    /// Reads to the end of the file; its chunks and manifest nodes go into batches.
    private func read(_ file: Int32, path: String) throws -> (content: FileContent, count: UInt64) {
        var chunker = Chunker()
        var manifest = ManifestBuilder()
        var total: UInt64 = 0
        // The buffer holds the chunk being read from `start`, looked through up to `scanned`, filled up to `end`.
        var start = 0
        var scanned = 0
        var end = 0
        var hasEnded = false
        while !hasEnded {
            if start > 0 {
                buffer.baseAddress!.copyMemory(from: buffer.baseAddress! + start, byteCount: end - start)
                scanned -= start
                end -= start
                start = 0
            }
            let count = try LocalFile.read(file, into: UnsafeMutableRawBufferPointer(rebasing: buffer[end...]), path: path)
            hasEnded = count < buffer.count - end
            end += count
            total += UInt64(count)
            batch.bytesRead += UInt64(count)
            // What fits under the smallest chunk needs no looking through.
            if hasEnded, total <= UInt64(Chunker.minimumSize) { break }
            while scanned < end {
                guard let length = chunker.cut(UnsafeRawBufferPointer(rebasing: buffer[scanned..<end])) else {
                    scanned = end
                    break
                }
                try add(start..<scanned + length, to: &manifest)
                start = scanned + length
                scanned = start
            }
        }
        // The rest is the last chunk; a file of no bytes has one empty chunk.
        if end > start || total == 0 { try add(start..<end, to: &manifest) }
        let content = try manifest.finish { hash, bytes in try self.add(.manifest, hash, bytes) }
        return (content, total)
    }

    private func add(_ range: Range<Int>, to manifest: inout ManifestBuilder) throws {
        let bytes = UnsafeRawBufferPointer(rebasing: buffer[range])
        let hash = ContentHash(of: .chunk, bytes)
        try add(.chunk, hash, bytes)
        try manifest.append(chunk: hash, size: range.count) { hash, bytes in try self.add(.manifest, hash, bytes) }
    }

    private func add(_ kind: ObjectKind, _ hash: ContentHash, _ bytes: [UInt8]) throws {
        try bytes.withUnsafeBytes { try add(kind, hash, $0) }
    }

    private func add(_ kind: ObjectKind, _ hash: ContentHash, _ bytes: UnsafeRawBufferPointer) throws {
        if own.contains(hash) || upload.sent.contains(hash) { return }
        if batch.isFull { try submit() }
        own.insert(hash)
        batch.add(kind, hash, bytes)
    }
}
