import Foundation

/// SplitMix64 (Steele, Lea, Flood, 2014): fast, and the same every time.
struct Numbers: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) {
        state = seed
    }

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var value = state
        value = (value ^ value >> 30) &* 0xbf58_476d_1ce4_e5b9
        value = (value ^ value >> 27) &* 0x94d0_49bb_1331_11eb
        return value ^ value >> 31
    }

    /// Bytes that nothing can compress.
    mutating func bytes(_ count: Int) -> [UInt8] {
        [UInt8](unsafeUninitializedCapacity: count) { buffer, initialized in
            fill(UnsafeMutableRawBufferPointer(buffer))
            initialized = count
        }
    }

    mutating func fill(_ buffer: UnsafeMutableRawBufferPointer) {
        var offset = 0
        while offset + 8 <= buffer.count {
            buffer.storeBytes(of: next(), toByteOffset: offset, as: UInt64.self)
            offset += 8
        }
        var rest = next()
        while offset < buffer.count {
            buffer[offset] = UInt8(truncatingIfNeeded: rest)
            rest >>= 8
            offset += 1
        }
    }
}

/// A large run of bytes that does not change once it is made.
final class Payload: @unchecked Sendable {
    let bytes: UnsafeRawBufferPointer

    private init(_ count: Int, _ fill: (UnsafeMutableRawBufferPointer) -> Void) {
        let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: count, alignment: 4096)
        fill(memory)
        bytes = UnsafeRawBufferPointer(memory)
    }

    deinit {
        bytes.deallocate()
    }

    static func random(_ count: Int, seed: UInt64) -> Payload {
        Payload(count) { memory in
            var numbers = Numbers(seed: seed)
            numbers.fill(memory)
        }
    }

    /// Lines of made-up words, which compress about as well as prose does.
    static func text(_ count: Int, seed: UInt64) -> Payload {
        var numbers = Numbers(seed: seed)
        let letters = Array("etaoinshrdlucmfwypvbgkqjxz".utf8)
        let words = (0..<4000).map { _ in
            (0..<Int.random(in: 2...10, using: &numbers)).map { _ in
                letters[min(Int.random(in: 0..<26, using: &numbers), Int.random(in: 0..<26, using: &numbers))]
            }
        }
        return Payload(count) { memory in
            var offset = 0
            while offset < count {
                // The lesser of two draws: some words come often, as they do.
                let word = words[min(Int.random(in: 0..<4000, using: &numbers), Int.random(in: 0..<4000, using: &numbers))]
                for byte in word + [numbers.next() % 12 == 0 ? 10 : 32] where offset < count {
                    memory[offset] = byte
                    offset += 1
                }
            }
        }
    }

    /// The bytes in pieces of this size, the last one shorter.
    func pieces(of size: Int) -> [UnsafeRawBufferPointer] {
        stride(from: 0, to: bytes.count, by: size).map {
            UnsafeRawBufferPointer(rebasing: bytes[$0..<min($0 + size, bytes.count)])
        }
    }
}
