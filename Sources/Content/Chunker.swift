/// Cuts a stream of bytes where its content says so, so that an insertion moves only the cuts near it.
///
/// Normalised FastCDC (Xia et al., "FastCDC: a Fast and Efficient Content-Defined Chunking Approach for Data
/// Deduplication", USENIX ATC 2016): a gear hash with a harder condition before the average size than after it.
/// Feed it the stream in pieces of any size; the cuts do not depend on how the stream was split.
public struct Chunker: Sendable {
    /// No chunk but a stream's last is smaller: 64 KiB.
    public static let minimumSize = 64 << 10
    /// The size at which the condition turns from hard to easy: 256 KiB.
    public static let normalSize = 256 << 10
    /// No chunk is larger: 1 MiB.
    public static let maximumSize = 1 << 20

    // Two bits harder and two bits easier than 18 (the logarithm of the average): normalisation level 2.
    // The top bits are taken because they have been shifted through the longest run of bytes.
    static let hardMask: UInt64 = ~0 << (64 - 20)
    static let easyMask: UInt64 = ~0 << (64 - 16)

    private var length = 0
    private var hash: UInt64 = 0

    public init() {}

    /// Reads on, to the end of the current chunk or of the bytes.
    ///
    /// - Returns: How many of the bytes belong to the current chunk if it ends within them (the rest belongs to the
    ///   next one and is to be passed again), or nil if all of them do and the chunk goes on.
    public mutating func cut(_ bytes: UnsafeRawBufferPointer) -> Int? {
        let start = length
        let total = start + bytes.count
        // The first bytes of a chunk can't end it, and the gear hash forgets after 64 bytes.
        let position = max(start, Chunker.minimumSize - 64)
        if position >= total {
            length = total
            return nil
        }
        let found = Gear.table.withUnsafeBufferPointer { gear -> Int? in
            // A pass over the raw memory: this loop runs once for every byte that the database ever takes in.
            guard let table = gear.baseAddress, let base = bytes.baseAddress else { return nil }
            let memory = base.assumingMemoryBound(to: UInt8.self) - start
            var hash = self.hash
            defer { self.hash = hash }
            let warm = min(Chunker.minimumSize, total)
            // Before the least size the hash only warms up.
            _ = Chunker.scan(memory, position, warm, table, &hash, mask: nil)
            var position = max(position, warm)
            for (end, mask) in [(Chunker.normalSize, Chunker.hardMask), (Chunker.maximumSize, Chunker.easyMask)] {
                let end = min(end, total)
                if position >= end { continue }
                if let cut = Chunker.scan(memory, position, end, table, &hash, mask: mask) { return cut }
                position = end
            }
            return position == Chunker.maximumSize ? position : nil
        }
        guard let found else {
            length = total
            return nil
        }
        length = 0
        hash = 0
        return found - start
    }

    /// Rolls the hash over bytes until it meets the mask.
    /// - Returns: the position behind the byte that met it; nil if none did.
    @inline(__always)
    private static func scan(
        _ memory: UnsafePointer<UInt8>, _ from: Int, _ to: Int, _ gear: UnsafePointer<UInt64>, _ hash: inout UInt64, mask: UInt64?
    ) -> Int? {
        var rolling = hash
        defer { hash = rolling }
        var next = memory + from
        let end = memory + max(from, to)
        guard let mask else {
            while next < end {
                rolling = rolling << 1 &+ gear[Int(next.pointee)]
                next += 1
            }
            return nil
        }
        // Four steps at a time: what they add is summed up beside the chain from one hash to the next, which is then a shift and a sum for
        // four bytes.
        while end - next >= 4 {
            let sum1 = gear[Int(next[0])]
            let sum2 = sum1 << 1 &+ gear[Int(next[1])]
            let sum3 = sum2 << 1 &+ gear[Int(next[2])]
            let sum4 = sum3 << 1 &+ gear[Int(next[3])]
            let hash1 = rolling << 1 &+ sum1
            let hash2 = rolling << 2 &+ sum2
            let hash3 = rolling << 3 &+ sum3
            let hash4 = rolling << 4 &+ sum4
            if hash1 & mask == 0 { return next - memory + 1 }
            if hash2 & mask == 0 { return next - memory + 2 }
            if hash3 & mask == 0 { return next - memory + 3 }
            if hash4 & mask == 0 { return next - memory + 4 }
            rolling = hash4
            next += 4
        }
        while next < end {
            rolling = rolling << 1 &+ gear[Int(next.pointee)]
            next += 1
            if rolling & mask == 0 { return next - memory }
        }
        return nil
    }
}

/// The 256 numbers of the gear hash: the first eight bytes, big-endian, of SHA-256 of "pando gear " and the index
/// as one byte. Drawn from a hash so that anyone can make the same table.
enum Gear {
    static let table: [UInt64] = (0...255).map { index in
        ContentHash(sha256: Array("pando gear ".utf8) + [UInt8(index)]).highBits
    }
}
