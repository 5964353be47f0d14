#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

/// What this process and its disk have left.
public enum MachineUsage {
    /// Bytes on the file system of a path: all of them, and those that this user may still write; nil where it cannot be told.
    public static func disk(at path: String) -> (total: UInt64, free: UInt64)? {
        var status = statvfs()
        guard statvfs(path, &status) == 0 else { return nil }
        let block = UInt64(status.f_frsize)
        return (UInt64(status.f_blocks) * block, UInt64(status.f_bavail) * block)
    }

    /// Seconds of processor time that this process has used.
    public static var processorSeconds: Double {
        var usage = rusage()
        #if canImport(Glibc)
        getrusage(RUSAGE_SELF.rawValue, &usage)
        #else
        getrusage(RUSAGE_SELF, &usage)
        #endif
        func seconds(_ time: timeval) -> Double { Double(time.tv_sec) + Double(time.tv_usec) / 1e6 }
        return seconds(usage.ru_utime) + seconds(usage.ru_stime)
    }

    /// Bytes of memory that this process has resident; nil where the system does not tell.
    public static var residentBytes: UInt64? {
        guard let bytes = try? PrivateFile.read("/proc/self/statm") else { return nil }
        let words = String(decoding: bytes, as: UTF8.self).split(separator: " ")
        return words.count > 1 ? UInt64(words[1]).map { $0 * UInt64(sysconf(Int32(_SC_PAGESIZE))) } : nil
    }
}
