import Content

/// One object on its way between two nodes: a header and the bytes as the sender stores them.
///
/// `docs/protocol.md`, "Object frames". What the stored bytes decompress to, and whether that has the hash, is for the
/// receiver to check: nothing here can vouch for it.
public struct ObjectFrame: Hashable, Sendable {
    /// What the stored bytes are.
    public enum Codec: UInt8, Sendable {
        /// The object's bytes themselves.
        case raw = 0
        /// One zstd frame.
        case zstd = 1
        /// The sender does not have the object; no bytes follow.
        case absent = 255
    }

    public var header: Header
    public var stored: [UInt8]

    public init(header: Header, stored: [UInt8]) {
        precondition(header.storedLength == stored.count, "a frame's header tells the length of what follows")
        self.header = header
        self.stored = stored
    }

    /// The byte that ends a stream, in the place of a kind.
    public static let end: UInt8 = 0

    /// The longest object of a kind, decompressed. A frame that promises more is refused before its bytes are read.
    public static func maximumRawLength(of kind: ObjectKind) -> Int {
        switch kind {
        // A manifest node has at most 1,024 children of 42 bytes.
        case .chunk, .manifest: Chunker.maximumSize
        case .tree, .commit, .attributes: 8 << 20
        }
    }

    /// Adds the frame of an object whose bytes are sent as they are.
    public static func append(
        _ kind: ObjectKind, _ hash: ContentHash, _ bytes: UnsafeRawBufferPointer, to out: inout [UInt8]
    ) {
        Header(kind: kind, codec: .raw, rawLength: bytes.count, storedLength: bytes.count, hash: hash).encode(to: &out)
        out.append(contentsOf: bytes)
    }

    /// Adds the frame.
    public func encode(to out: inout [UInt8]) {
        header.encode(to: &out)
        out.append(contentsOf: stored)
    }
}

// MARK: - Header

extension ObjectFrame {
    /// The 42 bytes in front of an object.
    public struct Header: Hashable, Sendable {
        /// Bytes of an encoded header.
        public static let byteCount = 10 + ContentHash.byteCount

        public var kind: ObjectKind
        public var codec: Codec
        /// Bytes of the object.
        public var rawLength: Int
        /// Bytes that follow the header.
        public var storedLength: Int
        public var hash: ContentHash

        public init(kind: ObjectKind, codec: Codec, rawLength: Int, storedLength: Int, hash: ContentHash) {
            precondition(rawLength >= 0 && rawLength <= ObjectFrame.maximumRawLength(of: kind), "object too long to send")
            precondition(storedLength >= 0 && storedLength <= rawLength, "stored bytes are not longer than the object")
            self.kind = kind
            self.codec = codec
            self.rawLength = rawLength
            self.storedLength = storedLength
            self.hash = hash
        }

        /// The answer for an object that is not there.
        public static func absent(_ kind: ObjectKind, _ hash: ContentHash) -> Header {
            Header(kind: kind, codec: .absent, rawLength: 0, storedLength: 0, hash: hash)
        }

        public func encode(to out: inout [UInt8]) {
            out.append(kind.rawValue)
            out.append(codec.rawValue)
            withUnsafeBytes(of: UInt32(rawLength).bigEndian) { out.append(contentsOf: $0) }
            withUnsafeBytes(of: UInt32(storedLength).bigEndian) { out.append(contentsOf: $0) }
            hash.withBytes { out.append(contentsOf: $0) }
        }

        /// Reads a header from exactly `byteCount` bytes.
        ///
        /// - Parameter offset: where the bytes stand in their stream, for the error.
        public init(decoding bytes: UnsafeRawBufferPointer, at offset: Int = 0) throws(MalformedBytes) {
            precondition(bytes.count == Header.byteCount, "a frame's header has \(Header.byteCount) bytes")
            guard let kind = ObjectKind(rawValue: bytes[0]) else {
                throw MalformedBytes("frame of unknown kind \(bytes[0])", offset: offset)
            }
            guard let codec = Codec(rawValue: bytes[1]) else {
                throw MalformedBytes("frame of unknown codec \(bytes[1])", offset: offset + 1)
            }
            let rawLength = Int(UInt32(bigEndian: bytes.loadUnaligned(fromByteOffset: 2, as: UInt32.self)))
            let storedLength = Int(UInt32(bigEndian: bytes.loadUnaligned(fromByteOffset: 6, as: UInt32.self)))
            let limit = ObjectFrame.maximumRawLength(of: kind)
            guard rawLength <= limit else {
                throw MalformedBytes("frame of \(rawLength) bytes over the limit of \(limit)", offset: offset + 2)
            }
            let isPlausible = switch codec {
            case .raw: storedLength == rawLength
            // Compression is used only where it makes the object shorter.
            case .zstd: storedLength > 0 && storedLength < rawLength
            case .absent: rawLength == 0 && storedLength == 0
            }
            guard isPlausible else {
                throw MalformedBytes(
                    "frame of codec \(codec.rawValue) with \(storedLength) stored and \(rawLength) raw bytes",
                    offset: offset + 2)
            }
            self.kind = kind
            self.codec = codec
            self.rawLength = rawLength
            self.storedLength = storedLength
            hash = ContentHash(UnsafeRawBufferPointer(rebasing: bytes[10..<Header.byteCount]))
        }
    }
}

// MARK: - Reading

/// Reads frames from a stream that arrives in pieces of any size. Holds one unfinished frame, nothing else.
public struct ObjectFrameReader: Sendable {
    private var headerBytes: [UInt8] = []
    private var header: ObjectFrame.Header?
    private var stored: [UInt8] = []
    /// Bytes read so far.
    public private(set) var offset = 0
    /// Whether the byte that ends the stream has come.
    public private(set) var isAtEnd = false

    public init() {
        headerBytes.reserveCapacity(ObjectFrame.Header.byteCount)
    }

    /// Reads the next piece of the stream.
    ///
    /// - Returns: The frames that the piece completes, in their order.
    public mutating func read(_ piece: UnsafeRawBufferPointer) throws(MalformedBytes) -> [ObjectFrame] {
        var frames: [ObjectFrame] = []
        var position = 0
        while position < piece.count {
            guard !isAtEnd else { throw MalformedBytes("bytes after the end of the frames", offset: offset) }
            if header == nil {
                if headerBytes.isEmpty, piece[position] == ObjectFrame.end {
                    isAtEnd = true
                    position += 1
                    offset += 1
                    continue
                }
                let count = min(ObjectFrame.Header.byteCount - headerBytes.count, piece.count - position)
                headerBytes.append(contentsOf: UnsafeRawBufferPointer(rebasing: piece[position..<position + count]))
                position += count
                offset += count
                guard headerBytes.count == ObjectFrame.Header.byteCount else { break }
                header = try decodeHeader()
                headerBytes.removeAll(keepingCapacity: true)
            }
            guard let header else { break }
            let count = min(header.storedLength - stored.count, piece.count - position)
            if stored.isEmpty, count > 0 { stored.reserveCapacity(header.storedLength) }
            stored.append(contentsOf: UnsafeRawBufferPointer(rebasing: piece[position..<position + count]))
            position += count
            offset += count
            if stored.count == header.storedLength {
                frames.append(ObjectFrame(header: header, stored: stored))
                self.header = nil
                stored = []
            }
        }
        return frames
    }

    /// Reads the next piece of the stream.
    public mutating func read(_ piece: [UInt8]) throws(MalformedBytes) -> [ObjectFrame] {
        try piece.withUnsafeBufferPointer { (bytes) throws(MalformedBytes) in try read(UnsafeRawBufferPointer(bytes)) }
    }

    /// Refuses a stream that was cut off. The frames that came are good all the same.
    public func finish() throws(MalformedBytes) {
        guard isAtEnd else { throw MalformedBytes("frames were cut off before their end", offset: offset) }
    }

    private func decodeHeader() throws(MalformedBytes) -> ObjectFrame.Header {
        let start = offset - ObjectFrame.Header.byteCount
        return try headerBytes.withUnsafeBufferPointer { (bytes) throws(MalformedBytes) in
            try ObjectFrame.Header(decoding: UnsafeRawBufferPointer(bytes), at: start)
        }
    }
}
