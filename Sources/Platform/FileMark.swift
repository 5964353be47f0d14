#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

/// What tells a file from a copy of it: no copy has the same inode and the same time of change, which nobody can set.
public struct FileMark: Hashable, Codable, Sendable {
    public var inode: UInt64
    /// Of the inode's last change, in nanoseconds since 1970.
    public var changedAt: Int64

    /// The mark of the file at a path; nil if there is none.
    public static func of(_ path: String) throws(DiskError) -> FileMark? {
        var status = stat()
        guard stat(path, &status) == 0 else {
            if errno == ENOENT { return nil }
            throw .last("stat \(path)")
        }
        #if canImport(Glibc)
        let time = status.st_ctim
        #else
        let time = status.st_ctimespec
        #endif
        return FileMark(inode: UInt64(status.st_ino), changedAt: Int64(time.tv_sec) &* 1_000_000_000 &+ Int64(time.tv_nsec))
    }
}
