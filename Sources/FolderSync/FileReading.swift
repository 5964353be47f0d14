import Content
import Objects
import Platform

/// A file as it was read: what it holds, and where in it each chunk is.
struct FileReading: Sendable {
    struct Chunk: Sendable {
        var hash: ContentHash
        var offset: UInt64
        var size: UInt32
    }

    var content: FileContent
    var chunks: [Chunk]
    /// Manifest nodes and the attributes, to be stored.
    var objects: [PreparedObject]
    var attributes: ContentHash?
    /// Of just before and just after.
    var status: FileStatus
}

/// How reading a name of the folder ended.
enum ReadingOutcome: Sendable {
    case file(FileReading)
    case link(target: String, FileStatus)
    /// It is being written, or changed while it was read.
    case unsettled
    /// It went, or became something else.
    case gone
    case unreadable(String)
}

extension FileReading {
    /// Some chunks, so that they are hashed together, and no more than stays in a processor's cache.
    private static let bufferSize = 2 << 20
    /// In microseconds; file systems count in steps of up to ten milliseconds.
    private static let clockTick: UInt64 = 20_000

    /// Reads a file or a link. Blocks.
    ///
    /// - Parameter takesOpen: whether a file that some program has open for writing is read all the same.
    static func read(
        _ name: [UInt8], in directory: DirectoryHandle, takesOpen: @autoclosure () -> Bool, hasAttributes: Bool
    ) -> ReadingOutcome {
        do throws(DiskError) {
            guard var status = try directory.status(name) else { return .gone }
            status.device = 0
            switch status.kind {
            case .symlink:
                guard let bytes = try directory.linkTarget(name) else { return .gone }
                guard let target = String(validating: bytes, as: UTF8.self) else { return .unreadable("the link's target is not UTF-8") }
                guard !target.isEmpty, bytes.count <= 4096 else { return .unreadable("the link's target is empty or too long") }
                return .link(target: target, status)
            case .file: return try readFile(name, in: directory, takesOpen: takesOpen(), hasAttributes: hasAttributes)
            case .directory, .special: return .gone
            }
        } catch {
            return .unreadable(error.reason)
        }
    }

    private static func readFile(
        _ name: [UInt8], in directory: DirectoryHandle, takesOpen: @autoclosure () -> Bool, hasAttributes: Bool
    ) throws(DiskError) -> ReadingOutcome {
        guard let file = try directory.file(name) else { return .gone }
        if file.hasWriter(), !takesOpen() { return .unsettled }
        let before = try file.status()
        if before.size > UInt64(bufferSize) { file.willReadOnce() }
        var reading = try read(file, size: before.size)
        if hasAttributes, let attributes = try FileAttributes(of: file) {
            let bytes = attributes.encoded()
            guard bytes.count <= FileAttributes.maximumSize else { return .unreadable("its extended attributes are larger than a mebibyte") }
            let object = PreparedObject(.attributes, bytes)
            reading.attributes = object.hash
            reading.objects.append(object)
        }
        let after = try file.status()
        guard after == before, reading.content.size == after.size, let named = try directory.status(name), named == after else { return .unsettled }
        reading.status = after.asRow
        // Written again within the same tick of the file system's clock, it would look the same: then it is read again next time.
        if SystemTime().wallMicroseconds() < UInt64(clamping: after.changedAt / 1000) + clockTick { reading.status.changedAt = 0 }
        return .file(reading)
    }

    /// Cuts and hashes the file's bytes. Memory is one buffer, whatever the size.
    private static func read(_ file: OpenFile, size: UInt64) throws(DiskError) -> FileReading {
        let length = Int(min(UInt64(bufferSize), size + 1))
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: length, alignment: 4096)
        defer { buffer.deallocate() }
        var chunker = Chunker()
        var manifest = ManifestBuilder()
        var chunks: [Chunk] = []
        var objects: [PreparedObject] = []
        var total: UInt64 = 0
        var offset: UInt64 = 0
        // The buffer holds the chunk being read from `start`, looked through up to `scanned`, filled up to `end`.
        var start = 0
        var scanned = 0
        var end = 0
        // Chunks of the buffer that are to be hashed, together.
        var cuts: [Range<Int>] = []
        func addCuts() {
            let hashes = ContentHash.several(of: cuts.map { (.chunk, UnsafeRawBufferPointer(rebasing: buffer[$0])) })
            for (range, hash) in zip(cuts, hashes) {
                chunks.append(Chunk(hash: hash, offset: offset, size: UInt32(range.count)))
                offset += UInt64(range.count)
                // A builder throws only what its sink throws.
                try? manifest.append(chunk: hash, size: range.count) { objects.append(PreparedObject(.manifest, $1, hash: $0)) }
            }
            cuts.removeAll(keepingCapacity: true)
        }
        while true {
            if start > 0 {
                buffer.baseAddress!.copyMemory(from: buffer.baseAddress! + start, byteCount: end - start)
                scanned -= start
                end -= start
                start = 0
            }
            let count = try file.read(into: UnsafeMutableRawBufferPointer(rebasing: buffer[end...]), at: total)
            let isAtEnd = count < buffer.count - end
            end += count
            total += UInt64(count)
            // What fits under the smallest chunk needs no looking through.
            if !isAtEnd || total > UInt64(Chunker.minimumSize) {
                while scanned < end {
                    guard let length = chunker.cut(UnsafeRawBufferPointer(rebasing: buffer[scanned..<end])) else {
                        scanned = end
                        break
                    }
                    cuts.append(start..<scanned + length)
                    start = scanned + length
                    scanned = start
                }
            }
            if isAtEnd || count == 0 { break }
            addCuts()
        }
        // The rest is the last chunk; a file of no bytes has one empty chunk.
        if end > start || total == 0 { cuts.append(start..<end) }
        addCuts()
        let content = (try? manifest.finish { objects.append(PreparedObject(.manifest, $1, hash: $0)) }) ?? .empty
        return FileReading(
            content: content, chunks: chunks, objects: objects, attributes: nil,
            status: FileStatus(kind: .file, size: total, modifiedAt: 0, changedAt: 0, inode: 0, device: 0, mode: 0))
    }
}
