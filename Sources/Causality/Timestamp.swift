/// A hybrid logical clock's reading (Kulkarni et al., "Logical Physical Clocks", OPODIS 2014) in one word:
/// microseconds since 1970 in the upper 52 bits (enough until 2112), a counter in the lower 12.
public struct Timestamp: RawRepresentable, Hashable, Comparable, Sendable, CustomStringConvertible {
    public static let counterBits: UInt64 = 12

    public var rawValue: UInt64

    public init(rawValue: UInt64) {
        self.rawValue = rawValue
    }

    /// The earliest reading in this microsecond.
    public init(microseconds: UInt64) {
        rawValue = microseconds << Timestamp.counterBits
    }

    public static let zero = Timestamp(rawValue: 0)

    /// Later ones are refused where they come in: a clock must be able to go on from any that was let in.
    public static let latestAllowed = Timestamp(rawValue: .max - 1 << 32)

    public var microseconds: UInt64 { rawValue >> Timestamp.counterBits }

    /// The next reading. A full counter carries into the microseconds.
    public var next: Timestamp { Timestamp(rawValue: rawValue + 1) }

    public static func < (left: Timestamp, right: Timestamp) -> Bool { left.rawValue < right.rawValue }

    /// 16 hexadecimal digits, which sort as the timestamps do.
    public var description: String {
        let digits = String(rawValue, radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits
    }
}

/// The state of a hybrid logical clock. The time source is the caller's.
public struct HybridClock: Sendable {
    /// The highest reading given out or observed.
    public private(set) var last: Timestamp

    public init(last: Timestamp = .zero) {
        self.last = last
    }

    /// A reading above every earlier one.
    /// - Parameter microseconds: the physical time since 1970.
    public mutating func tick(microseconds: UInt64) -> Timestamp {
        // A wall clock beyond what a timestamp holds counts as one that stands still.
        let physical = min(Timestamp(microseconds: min(microseconds, .max >> Timestamp.counterBits)), .latestAllowed)
        last = max(physical, last.next)
        return last
    }

    /// Takes note of a reading from elsewhere; later ticks are above it.
    public mutating func observe(_ timestamp: Timestamp) {
        last = max(last, timestamp)
    }
}
