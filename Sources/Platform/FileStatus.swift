// Its own half of the C library's declarations, where it was loaded before Glibc.
import Foundation

#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

/// What a file system says about a name, without following a link.
public struct FileStatus: Hashable, Sendable {
    public enum Kind: UInt8, Sendable {
        case file = 1
        case directory = 2
        case symlink = 3
        /// A socket, a pipe or a device.
        case special = 4
    }

    public var kind: Kind
    /// Bytes.
    public var size: UInt64
    /// Nanoseconds since 1970.
    public var modifiedAt: Int64
    /// When anything about the file last changed, in nanoseconds since 1970. No program can set it.
    public var changedAt: Int64
    public var inode: UInt64
    public var device: UInt64
    /// The permission bits.
    public var mode: UInt16

    public init(kind: Kind, size: UInt64, modifiedAt: Int64, changedAt: Int64, inode: UInt64, device: UInt64, mode: UInt16) {
        self.kind = kind
        self.size = size
        self.modifiedAt = modifiedAt
        self.changedAt = changedAt
        self.inode = inode
        self.device = device
        self.mode = mode
    }

    /// Whether its owner may run it.
    public var isExecutable: Bool { mode & 0o100 != 0 }

    /// Whether both are the same file with the same bytes, as far as a status can tell when the file may have been moved.
    public func isSameContent(as other: FileStatus) -> Bool {
        kind == other.kind && size == other.size && modifiedAt == other.modifiedAt && inode == other.inode && device == other.device
    }

    init(_ raw: stat) {
        kind = switch raw.st_mode & S_IFMT {
        case S_IFREG: .file
        case S_IFDIR: .directory
        case S_IFLNK: .symlink
        default: .special
        }
        size = UInt64(max(0, raw.st_size))
        #if canImport(Darwin)
        modifiedAt = FileStatus.nanoseconds(raw.st_mtimespec)
        changedAt = FileStatus.nanoseconds(raw.st_ctimespec)
        #else
        modifiedAt = FileStatus.nanoseconds(raw.st_mtim)
        changedAt = FileStatus.nanoseconds(raw.st_ctim)
        #endif
        inode = UInt64(raw.st_ino)
        device = UInt64(truncatingIfNeeded: raw.st_dev)
        mode = UInt16(truncatingIfNeeded: raw.st_mode & 0o7777)
    }

    /// File systems hold years that nanoseconds since 1970 cannot.
    static func nanoseconds(_ time: timespec) -> Int64 {
        let (seconds, overflow) = Int64(time.tv_sec).multipliedReportingOverflow(by: 1_000_000_000)
        return overflow ? (time.tv_sec < 0 ? .min : .max) : seconds &+ Int64(time.tv_nsec)
    }
}
