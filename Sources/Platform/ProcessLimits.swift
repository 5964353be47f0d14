#if canImport(Glibc)
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
    /// The permissions that new files do not get. The system tells only by being given another for a moment, so it is asked once.
    public static let fileModeMask: UInt16 = {
        let mask = umask(0o077)
        umask(mask)
        return UInt16(truncatingIfNeeded: mask)
    }()
}
