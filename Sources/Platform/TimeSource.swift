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
