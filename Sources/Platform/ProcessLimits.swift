#if canImport(Glibc)
import CLinux
import Glibc
#else
import Darwin
#endif

/// What the system lets this process have.
public enum ProcessLimits {
    /// Descriptors that may be open at once; nil if the system does not say.
    public static var descriptors: Int? {
        var limit = rlimit()
        #if canImport(Glibc)
        let result = getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
        #else
        let result = getrlimit(RLIMIT_NOFILE, &limit)
        #endif
        return result == 0 ? Int(clamping: limit.rlim_cur) : nil
    }
}

extension ProcessLimits {
    /// Has all threads share two heaps. By default each gets one of its own, which keeps what its largest piece of work needed: half as much memory again in a first sync.
    public static func keepHeapSmall() {
        #if canImport(Glibc)
        _ = mallopt(PANDO_M_ARENA_MAX, 2)
        #endif
    }

    /// Has pieces of some megabytes, of which a sync takes and gives back one after another, come from the heap. By default the system is
    /// asked for each, and clears its pages: a tenth of what a node does in a first sync.
    public static func keepLargePieces() {
        #if canImport(Glibc)
        _ = mallopt(PANDO_M_MMAP_THRESHOLD, 8 << 20)
        _ = mallopt(PANDO_M_TRIM_THRESHOLD, 16 << 20)
        #endif
    }

    /// The permissions that new files do not get. The system tells only by being given another for a moment, so it is asked once.
    public static let fileModeMask: UInt16 = {
        let mask = umask(0o077)
        umask(mask)
        return UInt16(truncatingIfNeeded: mask)
    }()
}
