// Its own half of the C library's declarations, where it was loaded before Glibc.
import Foundation

#if canImport(Glibc)
import CLinux
import Glibc
#else
import Darwin
#endif

/// A file held open.
public final class OpenFile: Sendable {
    private let descriptor: Int32
    public let path: String

    init(descriptor: Int32, path: String) {
        self.descriptor = descriptor
        self.path = path
    }

    deinit {
        close(descriptor)
    }

    public func status() throws(DiskError) -> FileStatus {
        var raw = stat()
        guard fstat(descriptor, &raw) == 0 else { throw .last("stat \(path)") }
        return FileStatus(raw)
    }

    /// Fills the buffer from `offset` on.
    /// - Returns: the bytes read; fewer than asked only at the end of the file.
    public func read(into buffer: UnsafeMutableRawBufferPointer, at offset: UInt64) throws(DiskError) -> Int {
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

    /// The same, as so many bytes; fewer only at the end of the file.
    public func read(_ count: Int, at offset: UInt64) throws(DiskError) -> [UInt8] {
        var failure: DiskError?
        let bytes = [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
            do throws(DiskError) {
                filled = try read(into: UnsafeMutableRawBufferPointer(buffer), at: offset)
            } catch {
                failure = error
            }
        }
        if let failure { throw failure }
        return bytes
    }

    /// Writes all bytes from `offset` on.
    public func write(_ bytes: UnsafeRawBufferPointer, at offset: UInt64) throws(DiskError) {
        var done = 0
        while done < bytes.count {
            let count = pwrite(descriptor, bytes.baseAddress! + done, bytes.count - done, off_t(offset) + off_t(done))
            if count < 0 {
                if errno == EINTR { continue }
                throw .last("write \(path)")
            }
            done += count
        }
    }

    /// Asks the system to begin to write these bytes to the disk, and does not wait for it: a sync later finds less to do. Only a hint.
    public func startWriting(_ range: Range<UInt64>) {
        #if canImport(Glibc)
        _ = sync_file_range(descriptor, Int(range.lowerBound), range.count, PANDO_SYNC_FILE_RANGE_WRITE)
        #endif
    }

    public func truncate(to size: UInt64) throws(DiskError) {
        guard ftruncate(descriptor, off_t(size)) == 0 else { throw .last("truncate \(path)") }
    }

    /// Says that the file is read from its beginning to its end, once.
    public func willReadOnce() {
        #if canImport(Glibc)
        _ = posix_fadvise(descriptor, 0, 0, POSIX_FADV_SEQUENTIAL)
        #endif
    }

    public func setMode(_ mode: UInt16) throws(DiskError) {
        guard fchmod(descriptor, mode_t(mode)) == 0 else { throw .last("set the mode of \(path)") }
    }

    /// Nanoseconds since 1970.
    public func setModificationTime(_ nanoseconds: Int64) throws(DiskError) {
        let (seconds, rest) = nanoseconds.quotientAndRemainder(dividingBy: 1_000_000_000)
        // A time before 1970 has nanoseconds after a whole second too.
        let time = rest < 0
            ? timespec(tv_sec: time_t(seconds - 1), tv_nsec: Int(rest + 1_000_000_000))
            : timespec(tv_sec: time_t(seconds), tv_nsec: Int(rest))
        let times = [time, time]
        guard futimens(descriptor, times) == 0 else { throw .last("set the time of \(path)") }
    }

    // MARK: Extended attributes

    /// The names that users and their programs give: on Linux those with the prefix `user.`, without it.
    ///
    /// - Returns: nil where the file system has none.
    public func attributeNames() throws(DiskError) -> [String]? {
        var size = listAttributes(nil, 0)
        while size >= 0 {
            var buffer = [CChar](repeating: 0, count: size)
            let count = size == 0 ? 0 : listAttributes(&buffer, size)
            if count < 0, errno == ERANGE {
                size = listAttributes(nil, 0)
                continue
            }
            guard count >= 0 else { break }
            let names = buffer[..<count].split(separator: 0).compactMap { String(validating: $0.map { UInt8(bitPattern: $0) }, as: UTF8.self) }
            return names.filter { $0.hasPrefix(OpenFile.attributePrefix) }.map { String($0.dropFirst(OpenFile.attributePrefix.count)) }
        }
        if [ENOTSUP, EPERM, ENOSYS].contains(errno) { return nil }
        throw .last("list the attributes of \(path)")
    }

    /// - Returns: nil if there is none of this name.
    public func attribute(_ name: String) throws(DiskError) -> [UInt8]? {
        let key = OpenFile.attributePrefix + name
        for _ in 0..<8 {
            let size = getAttribute(key, nil, 0)
            if size < 0 { break }
            var buffer = [UInt8](repeating: 0, count: size)
            let count = getAttribute(key, &buffer, size)
            if count >= 0 { return Array(buffer[..<count]) }
            // It grew in between.
            if errno != ERANGE { break }
        }
        if errno == OpenFile.noAttribute { return nil }
        throw .last("read attribute \(name) of \(path)")
    }

    /// Sets an attribute; nil removes it.
    /// - Returns: false where the file system has none, or no room for it.
    public func setAttribute(_ name: String, to value: [UInt8]?) throws(DiskError) -> Bool {
        let key = OpenFile.attributePrefix + name
        #if canImport(Glibc)
        let result = value.map { fsetxattr(descriptor, key, $0, $0.count, 0) } ?? fremovexattr(descriptor, key)
        #else
        let result = value.map { fsetxattr(descriptor, key, $0, $0.count, 0, 0) } ?? fremovexattr(descriptor, key, 0)
        #endif
        if result == 0 || value == nil && errno == OpenFile.noAttribute { return true }
        if [ENOTSUP, EPERM, ENOSPC, EDQUOT, E2BIG, ERANGE, ENAMETOOLONG].contains(errno) { return false }
        throw .last("set attribute \(name) of \(path)")
    }

    #if canImport(Glibc)
    private static let attributePrefix = "user."
    private static let noAttribute = ENODATA

    private func listAttributes(_ buffer: UnsafeMutablePointer<CChar>?, _ size: Int) -> Int { Int(flistxattr(descriptor, buffer, size)) }
    private func getAttribute(_ name: String, _ buffer: UnsafeMutablePointer<UInt8>?, _ size: Int) -> Int {
        Int(fgetxattr(descriptor, name, buffer, size))
    }
    #else
    private static let attributePrefix = ""
    private static let noAttribute = ENOATTR

    private func listAttributes(_ buffer: UnsafeMutablePointer<CChar>?, _ size: Int) -> Int { flistxattr(descriptor, buffer, size, 0) }
    private func getAttribute(_ name: String, _ buffer: UnsafeMutablePointer<UInt8>?, _ size: Int) -> Int {
        fgetxattr(descriptor, name, buffer, size, 0, 0)
    }
    #endif
}

// MARK: - Writers

extension OpenFile {
    /// Whether some program has the file open for writing, as far as the system tells.
    ///
    /// On Linux a read lease is given only on a file that nobody writes (fcntl(2)); it is given back at once.
    public func hasWriter() -> Bool {
        #if canImport(Glibc)
        // Whoever opens the file in this very moment makes the system send a signal, which by default would end the program.
        guard fcntl(descriptor, PANDO_F_SETSIG, SIGURG) == 0, fcntl(descriptor, PANDO_F_SETLEASE, F_RDLCK) != 0 else {
            _ = fcntl(descriptor, PANDO_F_SETLEASE, F_UNLCK)
            return false
        }
        return errno == EAGAIN
        #else
        return false
        #endif
    }
}
