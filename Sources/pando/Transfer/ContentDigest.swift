import Content

/// Computes what the content of a file is called from its bytes, in pieces of any size.
struct ContentDigest {
    private var chunker = Chunker()
    private var hasher = ContentHasher(.chunk)
    private var length = 0
    private var manifest = ManifestBuilder()
    private(set) var size: UInt64 = 0
    /// Called with each chunk: its hash, its offset and its length.
    var onChunk: (ContentHash, UInt64, Int) -> Void = { _, _, _ in }

    init() {}

    mutating func update(_ bytes: UnsafeRawBufferPointer) {
        var rest = bytes
        while !rest.isEmpty {
            let cut = chunker.cut(rest)
            let count = cut ?? rest.count
            hasher.update(UnsafeRawBufferPointer(rebasing: rest[..<count]))
            length += count
            size += UInt64(count)
            rest = UnsafeRawBufferPointer(rebasing: rest[count...])
            if cut != nil { endChunk() }
        }
    }

    consuming func finish() -> FileContent {
        if length > 0 || size == 0 { endChunk() }
        do {
            return try manifest.finish { _, _ in }
        } catch {
            preconditionFailure("a sink that does nothing does not throw")
        }
    }

    private mutating func endChunk() {
        let hash = hasher.finish()
        hasher = ContentHasher(.chunk)
        onChunk(hash, size - UInt64(length), length)
        do {
            try manifest.append(chunk: hash, size: length) { _, _ in }
        } catch {
            preconditionFailure("a sink that does nothing does not throw")
        }
        length = 0
    }
}

extension ContentDigest {
    /// The content of an open file.
    static func read(
        _ file: Int32, path: String, onChunk: @escaping (ContentHash, UInt64, Int) -> Void = { _, _, _ in }
    ) throws -> FileContent {
        var digest = ContentDigest()
        digest.onChunk = onChunk
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 20, alignment: 4096)
        defer { buffer.deallocate() }
        while true {
            let count = try LocalFile.read(file, into: buffer, path: path)
            digest.update(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
            if count < buffer.count { return digest.finish() }
        }
    }
}
