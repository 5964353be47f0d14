import Foundation

/// A small generator whose whole state is its seed, so that a failed test can be run again exactly (Steele, Lea, Flood,
/// "Fast splittable pseudorandom number generators", OOPSLA 2014).
public struct SplitMix64: RandomNumberGenerator, Sendable {
    private var state: UInt64

    public init(seed: UInt64) {
        state = seed
    }

    public mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
        return mixed ^ (mixed >> 31)
    }
}

extension SplitMix64 {
    public mutating func bytes(_ count: Int) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(count + 8)
        while bytes.count < count {
            withUnsafeBytes(of: next().littleEndian) { bytes.append(contentsOf: $0) }
        }
        bytes.removeLast(bytes.count - count)
        return bytes
    }

    public mutating func below(_ bound: Int) -> Int {
        Int.random(in: 0..<bound, using: &self)
    }

    /// True once in `count` times.
    public mutating func once(in count: Int) -> Bool {
        below(count) == 0
    }

    public mutating func pick<Element>(_ elements: [Element]) -> Element {
        elements[below(elements.count)]
    }
}

/// What a randomised test runs under. As a test's argument it is named in the report of a failure; setting the environment
/// variable `PANDO_SEED` to it runs that case alone.
public struct Seed: Hashable, Sendable, CustomStringConvertible {
    public let value: UInt64

    public init(_ value: UInt64) {
        self.value = value
    }

    public var description: String { "PANDO_SEED=\(value)" }

    public var generator: SplitMix64 { SplitMix64(seed: value) }

    /// The same `count` seeds in each run, so that a build does not fail by chance; or the one of the environment.
    public static func several(_ count: UInt64) -> [Seed] {
        if let chosen = ProcessInfo.processInfo.environment["PANDO_SEED"].flatMap({ UInt64($0) }) { return [Seed(chosen)] }
        return (1...count).map { Seed($0) }
    }
}
