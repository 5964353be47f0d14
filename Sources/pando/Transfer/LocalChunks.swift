import Content
import HTTPClient

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// What the disk has of a file: chunks at their place in the part, and chunks anywhere in the file at the target, which
/// are copied into the part. What is left is to be fetched.
struct LocalChunks: Sendable {
    struct Chunk: Sendable {
        var hash: ContentHash
        var size: Int
    }

    /// Chunks next to each other that one request fetches.
    struct Run: Sendable {
        var range: Range<UInt64>
        var chunks: [Chunk]
    }

    /// The part.
    let file: OpenFile
    private(set) var missing: [Run] = []
    private(set) var bytesFound: UInt64 = 0

    /// A request that fails is asked for again whole, so it must not be too long.
    private static let maximumRunLength: UInt64 = 64 << 20

    /// Nil where the list makes no sense.
    init?(_ list: ChunkList, target: String, part: PartFile) throws {
        file = OpenFile(try part.open(truncating: false))
        let old = try LocalChunks.chunks(ofFileAt: target)
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: Chunker.maximumSize, alignment: 4096)
        defer { buffer.deallocate() }
        var offset: UInt64 = 0
        for listed in list.chunks {
            guard let hash = ContentHash(listed.hash), listed.size >= 0, listed.size <= Chunker.maximumSize else { return nil }
            let chunk = Chunk(hash: hash, size: listed.size)
            if try place(chunk, at: offset, part: part, old: old, buffer) {
                bytesFound += UInt64(chunk.size)
            } else if let last = missing.last, last.range.upperBound == offset,
                UInt64(last.range.count) + UInt64(chunk.size) <= LocalChunks.maximumRunLength
            {
                missing[missing.count - 1].range = last.range.lowerBound..<offset + UInt64(chunk.size)
                missing[missing.count - 1].chunks.append(chunk)
            } else {
                missing.append(Run(range: offset..<offset + UInt64(chunk.size), chunks: [chunk]))
            }
            offset += UInt64(chunk.size)
        }
        guard offset == list.size else { return nil }
    }

    /// Whether the part has the chunk in its place, or has it now.
    private func place(
        _ chunk: Chunk, at offset: UInt64, part: PartFile, old: Old?, _ buffer: UnsafeMutableRawBufferPointer
    ) throws -> Bool {
        if chunk.size == 0 { return true }
        let bytes = UnsafeMutableRawBufferPointer(rebasing: buffer[..<chunk.size])
        func isRead(_ count: Int) -> Bool {
            count == chunk.size && ContentHash(of: .chunk, UnsafeRawBufferPointer(bytes)) == chunk.hash
        }
        if isRead(try LocalFile.read(file.descriptor, at: offset, into: bytes, path: part.path)) { return true }
        // The old file may change under our hands, so what is read from it is hashed again.
        guard let old, let place = old.places[chunk.hash],
            isRead(try LocalFile.read(old.file.descriptor, at: place, into: bytes, path: part.target))
        else { return false }
        try LocalFile.write(UnsafeRawBufferPointer(bytes), to: file.descriptor, at: offset, path: part.path)
        return true
    }

    // MARK: The file at the target

    private struct Old {
        var file: OpenFile
        var places: [ContentHash: UInt64]
    }

    private static func chunks(ofFileAt path: String) throws -> Old? {
        guard let status = try LocalFile.status(of: path), status.kind == .file else { return nil }
        let file = OpenFile(try LocalFile.openForReading(path))
        var places: [ContentHash: UInt64] = [:]
        _ = try ContentDigest.read(file.descriptor, path: path) { hash, offset, _ in places[hash] = offset }
        return Old(file: file, places: places)
    }
}
