import Content

/// Keeps chunks in a place of its own, so that the log does not: a synced folder, whose files hold them already.
///
/// What it says of a chunk may be out of date, since the files belong to somebody else: a chunk can be gone by the time it is
/// read. Nothing but chunks is ever asked of it, and what the log holds it is not asked for at all. Recovery, compaction and
/// scrub are the log's affairs and pass it by.
public protocol ChunkHolder: AnyObject, Sendable {
    /// The bytes that each chunk has; nil for one that is not there.
    func sizes(of hashes: [ContentHash]) throws(StoreError) -> [UInt32?]
    /// The chunk's bytes, checked against its hash; nil if it is not there any more.
    func read(_ hash: ContentHash) throws(StoreError) -> [UInt8]?
    /// Fills the buffer with the bytes that stand where the chunk is said to be, unchecked: for sending to someone who checks.
    /// - Returns: false if there are not as many any more.
    func read(_ hash: ContentHash, into buffer: UnsafeMutableRawBufferPointer) throws(StoreError) -> Bool
    /// Takes chunks that came from elsewhere, until they have another place.
    func keep(_ chunks: [PreparedObject]) throws(StoreError)
}

extension Location {
    /// The segment of what is not in the log. The log's own begin with 1.
    private static let holderSegment: UInt32 = 0

    /// A chunk that the holder has.
    static func held(size: UInt32) -> Location {
        Location(
            position: LogPosition(segment: holderSegment, offset: 0), storedLength: size, rawLength: size, kind: .chunk, codec: .raw)
    }

    /// Whether it is the holder that has the object.
    public var isHeld: Bool { position.segment == Location.holderSegment }
}
