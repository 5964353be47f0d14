import Content

/// A set of hashes in little memory: an open-addressing table of their first 8 or 16 bytes, which are evenly spread already.
///
/// Of 8 bytes two hashes may be alike, also on purpose: then one passes for being in the set because the other is. 16 bytes of
/// SHA-256 nobody makes alike. Used by one thread at a time.
struct FingerprintSet: ~Copyable {
    enum Width: Int {
        case short = 1
        case long = 2
    }

    private static let startingSlots = 1024

    // A slot is one or two words; the first is 0 in one that is free.
    private var words: UnsafeMutableBufferPointer<UInt64>
    private let width: Int
    private var mask: Int
    private(set) var count = 0

    init(_ width: Width) {
        self.width = width.rawValue
        mask = FingerprintSet.startingSlots - 1
        words = .allocate(capacity: FingerprintSet.startingSlots * width.rawValue)
        words.initialize(repeating: 0)
    }

    deinit {
        words.deallocate()
    }

    /// Bytes that it takes.
    var memory: Int { words.count * 8 }

    /// - Returns: whether it was not there.
    mutating func insert(_ hash: ContentHash) -> Bool {
        let (first, second) = FingerprintSet.key(hash)
        let slot = find(first, second)
        guard words[slot] == 0 else { return false }
        put(first, second, at: slot)
        count += 1
        // Seven of ten slots taken: a look-up ends after three on average.
        if count * 10 > (mask + 1) * 7 { grow() }
        return true
    }

    func contains(_ hash: ContentHash) -> Bool {
        let (first, second) = FingerprintSet.key(hash)
        return words[find(first, second)] != 0
    }

    private static func key(_ hash: ContentHash) -> (UInt64, UInt64) { (hash.highBits == 0 ? 1 : hash.highBits, hash.lowBits) }

    /// The slot that has the key, or the free one where it would be.
    private func find(_ first: UInt64, _ second: UInt64) -> Int {
        var slot = Int(truncatingIfNeeded: first) & mask
        while true {
            let index = slot * width
            let word = words[index]
            if word == 0 || word == first && (width == 1 || words[index + 1] == second) { return index }
            slot = (slot + 1) & mask
        }
    }

    private func put(_ first: UInt64, _ second: UInt64, at index: Int) {
        words[index] = first
        if width == 2 { words[index + 1] = second }
    }

    private mutating func grow() {
        let old = words
        mask = mask * 2 + 1
        words = .allocate(capacity: old.count * 2)
        words.initialize(repeating: 0)
        for index in stride(from: 0, to: old.count, by: width) where old[index] != 0 {
            let second = width == 2 ? old[index + 1] : 0
            put(old[index], second, at: find(old[index], second))
        }
        old.deallocate()
    }
}
