#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

/// What time it is. A seam, so that simulations set the clock.
public protocol TimeSource: Sendable {
    /// Microseconds since 1970 on the wall clock, which may be set to anything at any time.
    func wallMicroseconds() -> UInt64
    /// Microseconds since some start, on a clock that nobody sets.
    func monotonicMicroseconds() -> UInt64
    /// Returns when the time is over, by the monotonic clock.
    /// - Throws: `CancellationError` as soon as the task is cancelled.
    func wait(_ duration: Duration) async throws
}

extension TimeSource {
    public func wait(_ duration: Duration) async throws { try await Sleep.wait(duration) }
}

public struct SystemTime: TimeSource {
    public init() {}

    public func wallMicroseconds() -> UInt64 { read(CLOCK_REALTIME) }

    public func monotonicMicroseconds() -> UInt64 {
        #if os(Linux)
        // Goes on while the machine is suspended, which CLOCK_MONOTONIC does not.
        read(CLOCK_BOOTTIME)
        #else
        read(CLOCK_MONOTONIC)
        #endif
    }

    private func read(_ clock: clockid_t) -> UInt64 {
        var time = timespec()
        clock_gettime(clock, &time)
        // A clock before 1970 is a machine without one; it reads as 1970.
        return UInt64(max(time.tv_sec, 0)) * 1_000_000 + UInt64(time.tv_nsec / 1000)
    }
}

/// Where chance comes from. A seam, so that simulations repeat.
public protocol Randomness: Sendable {
    /// `count` bytes that nobody can guess.
    func bytes(_ count: Int) -> [UInt8]
}

public struct SystemRandomness: Randomness {
    public init() {}

    public func bytes(_ count: Int) -> [UInt8] {
        var generator = SystemRandomNumberGenerator()
        return (0..<count).map { _ in generator.next() }
    }
}

extension Randomness {
    /// A name that nobody has used, of 32 hexadecimal digits.
    public func name() -> String {
        bytes(16).map { byte in
            let digits = String(byte, radix: 16)
            return byte < 16 ? "0" + digits : digits
        }.joined()
    }

    /// A number from 0 up to 1, without it.
    public func fraction() -> Double {
        let bits = bytes(8).reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
        return Double(bits >> 11) * 0x1p-53
    }
}
