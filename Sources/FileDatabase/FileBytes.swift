import Content
import Objects
import Platform

/// A range of a file's bytes, read a few chunks ahead of whoever takes them. Each chunk is checked against its hash.
public struct FileBytes: AsyncSequence, Sendable {
    /// Chunks that are being read ahead: while one is sent, the next are read and checked.
    private static let readAhead = 3

    let database: FileDatabase
    let content: FileContent
    private let hold: RootHold
    /// Which bytes.
    public let range: Range<UInt64>

    init(of content: FileContent, _ range: Range<UInt64>, in database: FileDatabase) {
        self.database = database
        self.content = content
        self.range = range
        hold = database.hold(.content(content))
    }

    public func makeAsyncIterator() -> Iterator {
        Iterator(self)
    }

    public struct Iterator: AsyncIteratorProtocol {
        private let bytes: FileBytes
        private var walk: ManifestWalk
        private var chunks: [ManifestWalk.Chunk] = []
        private var position = 0
        private var isAtEnd = false
        private var inFlight: [Task<ArraySlice<UInt8>, any Error>] = []

        init(_ bytes: FileBytes) {
            self.bytes = bytes
            walk = ManifestWalk(bytes.content, bytes.database.store, from: bytes.range.lowerBound)
        }

        /// The next piece, of at most a chunk.
        public mutating func next() async throws -> ArraySlice<UInt8>? {
            while inFlight.count < FileBytes.readAhead, let chunk = try await nextChunk() { start(chunk) }
            guard !inFlight.isEmpty else { return nil }
            return try await inFlight.removeFirst().value
        }

        /// Steps through the manifest, many chunks at a time, since each step may read a node.
        private mutating func nextChunk() async throws -> ManifestWalk.Chunk? {
            if position == chunks.count, !isAtEnd {
                let walk = self.walk
                let end = bytes.range.upperBound
                (self.walk, chunks, isAtEnd) = try await bytes.database.threads.run {
                    try asDatabaseErrors {
                        var walk = walk
                        var chunks: [ManifestWalk.Chunk] = []
                        while chunks.count < 64 {
                            guard let chunk = try walk.next(), chunk.offset < end else { return (walk, chunks, true) }
                            chunks.append(chunk)
                        }
                        return (walk, chunks, false)
                    }
                }
                position = 0
            }
            guard position < chunks.count else { return nil }
            defer { position += 1 }
            return chunks[position]
        }

        private mutating func start(_ chunk: ManifestWalk.Chunk) {
            let (database, range) = (bytes.database, bytes.range)
            inFlight.append(Task {
                try await database.threads.run {
                    try asDatabaseErrors {
                        let raw = try database.store.read(chunk.hash, .chunk, trustingRecent: true)
                        guard UInt64(raw.count) == chunk.size else {
                            throw DatabaseError(.damaged, "chunk \(chunk.hash) has another size than its manifest says")
                        }
                        let from = Swift.max(range.lowerBound, chunk.offset) - chunk.offset
                        let to = Swift.min(range.upperBound, chunk.offset + chunk.size) - chunk.offset
                        return raw[Int(from)..<Int(to)]
                    }
                }
            })
        }
    }
}

extension FileDatabase {
    /// The bytes of a file, or a range of them. Only the chunks of the range are read.
    public func bytes(of content: FileContent, _ range: Range<UInt64>? = nil) -> FileBytes {
        let range = range ?? 0..<content.size
        precondition(range.upperBound <= content.size, "range outside the file")
        return FileBytes(of: content, range, in: self)
    }

    /// The bytes of a file of one chunk, checked against its hash. Blocks.
    public func chunk(of content: FileContent) throws -> [UInt8] {
        precondition(content.height == 0, "a file of many chunks")
        return try asDatabaseErrors {
            let bytes = try store.read(content.root, .chunk, trustingRecent: true)
            guard UInt64(bytes.count) == content.size else {
                throw DatabaseError(.damaged, "chunk \(content.root) has another size than its file")
            }
            return bytes
        }
    }

    /// The chunks of a file, in order. Blocks.
    ///
    /// - Throws: `DatabaseError`: `invalid` where there are more than `limit`.
    public func chunks(of content: FileContent, limit: Int) throws -> [(hash: ContentHash, size: UInt64)] {
        try asDatabaseErrors {
            var walk = ManifestWalk(content, store)
            var chunks: [(hash: ContentHash, size: UInt64)] = []
            while let chunk = try walk.next() {
                guard chunks.count < limit else { throw DatabaseError(.invalid, "the file has more than \(limit) chunks") }
                chunks.append((chunk.hash, chunk.size))
            }
            return chunks
        }
    }
}
