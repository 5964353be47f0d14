import Foundation

#if canImport(Glibc)
import CLinux
import Glibc
#else
import Darwin
#endif

extension DiskError {
    /// The error that the last system call left behind.
    static func last(_ operation: String) -> DiskError {
        let number = errno
        let code: Code =
            switch number {
            case ENOSPC, EDQUOT: .full
            case ENOENT: .notFound
            case EACCES, EPERM, EROFS: .permission
            default: .other
            }
        return DiskError(code: code, operation: operation, number: number, reason: String(cString: strerror(number)))
    }
}

/// A directory of the operating system's.
public struct OperatingSystemDisk: Disk {
    public let path: String

    /// Makes the directory if it is missing, for its owner alone.
    public init(path: String) throws(DiskError) {
        self.path = path
        if mkdir(path, 0o700) == 0 {
            // Or a crash takes the directory away, with everything that was acknowledged in it.
            let parent = path.hasSuffix("/") ? path + ".." : path + "/.."
            try OperatingSystemDisk.syncDirectory(parent)
        } else if errno != EEXIST {
            throw .last("make directory \(path)")
        }
    }

    public func names() throws(DiskError) -> [String] {
        guard let directory = opendir(path) else { throw .last("list \(path)") }
        defer { closedir(directory) }
        var names: [String] = []
        errno = 0
        while let entry = readdir(directory) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) { pointer in
                pointer.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name != ".", name != ".." { names.append(name) }
            errno = 0
        }
        // The end and an error look alike but for this.
        guard errno == 0 else { throw .last("list \(path)") }
        return names
    }

    public func open(_ name: String) throws(DiskError) -> any DiskFile {
        try OperatingSystemFile(path: "\(path)/\(name)", creates: false)
    }

    public func create(_ name: String) throws(DiskError) -> any DiskFile {
        try OperatingSystemFile(path: "\(path)/\(name)", creates: true)
    }

    public func remove(_ name: String) throws(DiskError) {
        guard unlink("\(path)/\(name)") == 0 else { throw .last("remove \(path)/\(name)") }
    }

    public func syncDirectory() throws(DiskError) {
        try OperatingSystemDisk.syncDirectory(path)
    }

    static func syncDirectory(_ path: String) throws(DiskError) {
        #if canImport(Glibc)
        let descriptor = Glibc.open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        #else
        let descriptor = Darwin.open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        #endif
        guard descriptor >= 0 else { throw .last("open \(path)") }
        defer { close(descriptor) }
        guard fsync(descriptor) == 0 else { throw .last("sync \(path)") }
    }
}

final class OperatingSystemFile: DiskFile {
    /// As many parts as one system call takes (IOV_MAX on Linux and macOS).
    private static let maximumParts = 1024

    private let descriptor: Int32
    private let path: String

    init(path: String, creates: Bool) throws(DiskError) {
        self.path = path
        let flags = O_RDWR | O_CLOEXEC | (creates ? O_CREAT : 0)
        #if canImport(Glibc)
        descriptor = Glibc.open(path, flags, 0o600)
        #else
        descriptor = Darwin.open(path, flags, 0o600)
        #endif
        guard descriptor >= 0 else { throw .last("open \(path)") }
    }

    deinit {
        close(descriptor)
    }

    func size() throws(DiskError) -> UInt64 {
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw .last("stat \(path)") }
        return UInt64(status.st_size)
    }

    func read(into buffer: UnsafeMutableRawBufferPointer, at offset: UInt64) throws(DiskError) -> Int {
        var done = 0
        while done < buffer.count {
            let count = pread(descriptor, buffer.baseAddress! + done, buffer.count - done, off_t(offset) + off_t(done))
            if count == 0 { break }
            if count < 0 {
                if errno == EINTR { continue }
                throw .last("read \(path)")
            }
            done += count
        }
        return done
    }

    func write(_ parts: [UnsafeRawBufferPointer], at offset: UInt64) throws(DiskError) {
        var vectors = parts.filter { !$0.isEmpty }.map {
            iovec(iov_base: UnsafeMutableRawPointer(mutating: $0.baseAddress), iov_len: $0.count)
        }
        var position = off_t(offset)
        var first = 0
        while first < vectors.count {
            let number = min(vectors.count - first, OperatingSystemFile.maximumParts)
            var count = vectors.withUnsafeBufferPointer { pwritev(descriptor, $0.baseAddress! + first, Int32(number), position) }
            if count < 0 {
                if errno == EINTR { continue }
                throw .last("write \(path)")
            }
            position += off_t(count)
            while count > 0 {
                let length = vectors[first].iov_len
                if count >= length {
                    count -= length
                    first += 1
                } else {
                    vectors[first].iov_base += count
                    vectors[first].iov_len -= count
                    count = 0
                }
            }
        }
    }

    func truncate(to size: UInt64) throws(DiskError) {
        guard ftruncate(descriptor, off_t(size)) == 0 else { throw .last("truncate \(path)") }
    }

    func sync() throws(DiskError) {
        #if canImport(Glibc)
        guard fdatasync(descriptor) == 0 else { throw .last("sync \(path)") }
        #else
        // fsync alone does not reach the medium on macOS.
        guard fcntl(descriptor, F_FULLFSYNC) == 0 else { throw .last("sync \(path)") }
        #endif
    }

    func startWriting(_ range: Range<UInt64>) {
        #if canImport(Glibc)
        _ = sync_file_range(descriptor, Int(range.lowerBound), range.count, PANDO_SYNC_FILE_RANGE_WRITE)
        #endif
    }

    func forgetCached(_ range: Range<UInt64>) {
        #if canImport(Glibc)
        // Only whole pages are let go of, so the range goes to their borders.
        let page: UInt64 = 4096
        let (start, end) = (range.lowerBound / page * page, (range.upperBound + page - 1) / page * page)
        _ = posix_fadvise(descriptor, off_t(start), off_t(end - start), POSIX_FADV_DONTNEED)
        #endif
    }

    func prefetch(_ range: Range<UInt64>) {
        #if canImport(Glibc)
        _ = posix_fadvise(descriptor, off_t(range.lowerBound), off_t(range.count), POSIX_FADV_WILLNEED)
        #endif
    }
}
