import CSHA256

extension ContentHash {
    /// The names of several objects: the same as one after another, and sooner where the processor can take two side by side.
    ///
    /// - Returns: one for each, in their order.
    public static func several(of objects: [(kind: ObjectKind, bytes: UnsafeRawBufferPointer)]) -> [ContentHash] {
        guard objects.count > 1, HashPair.isAvailable else { return objects.map { ContentHash(of: $0.kind, $0.bytes) } }
        return withUnsafeTemporaryAllocation(byteCount: 2 * HashLane.byteCount, alignment: 16) { memory in
            var pair = HashPair(objects, memory)
            return pair.run()
        }
    }
}

/// SHA-256 of many messages, two at a time. A round needs the one before, so that a message alone leaves the processor waiting; a second one
/// fills the gaps. Whichever of the two lanes is done with its message takes the next.
private struct HashPair {
    static let isAvailable = pando_sha256_is_available() != 0

    private let messages: [(kind: ObjectKind, bytes: UnsafeRawBufferPointer)]
    /// The message that is taken next.
    private var next = 0
    private var first: HashLane
    private var second: HashLane
    private var results: [ContentHash]

    /// - Parameter memory: room for two lanes.
    init(_ messages: [(kind: ObjectKind, bytes: UnsafeRawBufferPointer)], _ memory: UnsafeMutableRawBufferPointer) {
        self.messages = messages
        first = HashLane(memory: UnsafeMutableRawBufferPointer(rebasing: memory[..<HashLane.byteCount]))
        second = HashLane(memory: UnsafeMutableRawBufferPointer(rebasing: memory[HashLane.byteCount...]))
        results = [ContentHash](repeating: .zero, count: messages.count)
    }

    mutating func run() -> [ContentHash] {
        while true {
            goOn(\.first)
            goOn(\.second)
            switch (first.blocks, second.blocks) {
            case (0, 0): return results
            case (_, 0): first.takeAll()
            case (0, _): second.takeAll()
            default: HashLane.takeBoth(&first, &second)
            }
        }
    }

    /// Gives a lane that has no blocks left its message's next ones, or those of the next message.
    private mutating func goOn(_ path: WritableKeyPath<HashPair, HashLane>) {
        while self[keyPath: path].blocks == 0 {
            if let message = self[keyPath: path].message {
                if self[keyPath: path].goOn() { return }
                results[message] = self[keyPath: path].hash
                self[keyPath: path].message = nil
            }
            guard next < messages.count else { return }
            self[keyPath: path].begin(next, messages[next].kind, messages[next].bytes)
            next += 1
        }
    }
}

/// A message on its way through the hash. Its first block holds the kind's tag and 63 bytes, its last one or two what is left and the length;
/// those in between are read where they are.
private struct HashLane {
    private static let blockSize = 64
    private static let stateSize = 32
    /// The state, and two blocks.
    static let byteCount = stateSize + 2 * blockSize
    /// FIPS 180-4, 5.3.3.
    private static let start = SIMD8<UInt32>(
        0x6a09_e667, 0xbb67_ae85, 0x3c6e_f372, 0xa54f_f53a, 0x510e_527f, 0x9b05_688c, 0x1f83_d9ab, 0x5be0_cd19)

    private let state: UnsafeMutablePointer<UInt32>
    private let own: UnsafeMutableRawBufferPointer
    /// The message's number; nil where there is none.
    var message: Int?
    /// Blocks to be taken now, and where they are.
    private(set) var blocks = 0
    private var place: UnsafePointer<UInt8>
    /// What of the message comes after those.
    private var rest = UnsafeRawBufferPointer(start: nil, count: 0)
    private var length = 0
    private var isClosed = false

    init(memory: UnsafeMutableRawBufferPointer) {
        own = UnsafeMutableRawBufferPointer(rebasing: memory[HashLane.stateSize...])
        state = memory.baseAddress!.bindMemory(to: UInt32.self, capacity: 8)
        place = UnsafePointer(own.baseAddress!.assumingMemoryBound(to: UInt8.self))
    }

    mutating func begin(_ message: Int, _ kind: ObjectKind, _ bytes: UnsafeRawBufferPointer) {
        self.message = message
        UnsafeMutableRawPointer(state).storeBytes(of: HashLane.start, as: SIMD8<UInt32>.self)
        length = bytes.count
        isClosed = false
        own[0] = kind.rawValue
        let count = min(bytes.count, HashLane.blockSize - 1)
        rest = bytes
        if count < HashLane.blockSize - 1 { return close(from: 1) }
        moveIn(count, to: 1)
        takeOwn(1)
    }

    /// Goes on to the message's next blocks; false at its end.
    mutating func goOn() -> Bool {
        if isClosed { return false }
        if rest.count < HashLane.blockSize {
            close(from: 0)
        } else {
            blocks = rest.count / HashLane.blockSize
            place = rest.baseAddress!.assumingMemoryBound(to: UInt8.self)
            rest = UnsafeRawBufferPointer(rebasing: rest[(blocks * HashLane.blockSize)...])
        }
        return true
    }

    /// Lays out what is left, and what ends a message: a bit, zeros, and its length in bits.
    private mutating func close(from start: Int) {
        let end = start + rest.count
        moveIn(rest.count, to: start)
        let count = end + 9 <= HashLane.blockSize ? 1 : 2
        let tail = UnsafeMutableRawBufferPointer(rebasing: own[end..<count * HashLane.blockSize])
        tail.initializeMemory(as: UInt8.self, repeating: 0)
        tail[0] = 0x80
        tail.storeBytes(of: (UInt64(length + 1) * 8).bigEndian, toByteOffset: tail.count - 8, as: UInt64.self)
        isClosed = true
        takeOwn(count)
    }

    private mutating func moveIn(_ count: Int, to offset: Int) {
        UnsafeMutableRawBufferPointer(rebasing: own[offset...]).copyMemory(from: UnsafeRawBufferPointer(rebasing: rest[..<count]))
        rest = UnsafeRawBufferPointer(rebasing: rest[count...])
    }

    private mutating func takeOwn(_ count: Int) {
        blocks = count
        place = UnsafePointer(own.baseAddress!.assumingMemoryBound(to: UInt8.self))
    }

    mutating func takeAll() {
        pando_sha256(state, place, blocks)
        skip(blocks)
    }

    /// As many blocks of both as both have.
    static func takeBoth(_ first: inout HashLane, _ second: inout HashLane) {
        let count = min(first.blocks, second.blocks)
        pando_sha256_pair(first.state, first.place, second.state, second.place, count)
        first.skip(count)
        second.skip(count)
    }

    private mutating func skip(_ count: Int) {
        place += count * HashLane.blockSize
        blocks -= count
    }

    /// At the end of a message, its hash.
    var hash: ContentHash {
        withUnsafeTemporaryAllocation(of: UInt32.self, capacity: 8) { words in
            for index in 0..<8 { words[index] = state[index].bigEndian }
            return ContentHash(UnsafeRawBufferPointer(words))
        }
    }
}
