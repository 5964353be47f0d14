#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

/// Small files that only their owner may read: keys, settings, state.
public enum PrivateFile {
    /// The whole file; nil if there is none.
    public static func read(_ path: String) throws(DiskError) -> [UInt8]? {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        if descriptor < 0 {
            if errno == ENOENT { return nil }
            throw .last("open \(path)")
        }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 16 << 10)
        while true {
            let count = readSome(descriptor, &buffer)
            if count == 0 { return bytes }
            if count < 0 {
                if errno == EINTR { continue }
                throw .last("read \(path)")
            }
            bytes += buffer[..<count]
        }
    }

    /// Replaces the file in one step: readers, and a crash, see the old or the new, whole. Durable on return.
    public static func write(_ bytes: [UInt8], to path: String) throws(DiskError) {
        let temporary = path + ".new"
        let descriptor = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw .last("open \(temporary)") }
        var failure: DiskError?
        var done = 0
        while done < bytes.count, failure == nil {
            let count = writeSome(descriptor, bytes[done...])
            if count < 0, errno != EINTR { failure = .last("write \(temporary)") }
            done += max(count, 0)
        }
        if failure == nil, fsync(descriptor) != 0 { failure = .last("sync \(temporary)") }
        close(descriptor)
        if failure == nil, rename(temporary, path) != 0 { failure = .last("rename \(temporary)") }
        if let failure {
            unlink(temporary)
            throw failure
        }
        let directory = path.split(separator: "/", omittingEmptySubsequences: false).dropLast().joined(separator: "/")
        try OperatingSystemDisk.syncDirectory(directory.isEmpty ? (path.hasPrefix("/") ? "/" : ".") : directory)
    }

    /// Adds to the end of the file, which is made if it is missing. Durable on return; where it fails, a part may have been written.
    public static func append(_ bytes: [UInt8], to path: String) throws(DiskError) {
        let descriptor = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw .last("open \(path)") }
        defer { close(descriptor) }
        var done = 0
        while done < bytes.count {
            let count = writeSome(descriptor, bytes[done...])
            if count < 0, errno != EINTR { throw .last("write \(path)") }
            done += max(count, 0)
        }
        if fsync(descriptor) != 0 { throw .last("sync \(path)") }
    }

    public static func remove(_ path: String) {
        unlink(path)
    }
}

private func readSome(_ descriptor: Int32, _ buffer: inout [UInt8]) -> Int {
    buffer.withUnsafeMutableBytes { read(descriptor, $0.baseAddress, $0.count) }
}

private func writeSome(_ descriptor: Int32, _ bytes: ArraySlice<UInt8>) -> Int {
    bytes.withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) }
}
