#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

/// A directory that another process owns.
public struct DirectoryInUse: Error, Sendable, CustomStringConvertible {
    public var path: String
    /// The owner, if it said.
    public var pid: Int?

    public var description: String {
        let owner = pid.map { "process \($0)" } ?? "another process"
        return "\(path) is in use by \(owner); stop it first, or use another data directory"
    }
}

/// The sole ownership of a directory, by a lock on a file in it that goes with the process, however it ends.
public final class DirectoryLock: Sendable {
    private let descriptor: Int32

    public init(directory: String) throws {
        let path = "\(directory)/lock"
        descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw DiskError.last("open \(path)") }
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
            let number = errno
            var text = [UInt8](repeating: 0, count: 32)
            let count = text.withUnsafeMutableBytes { pread(descriptor, $0.baseAddress, $0.count, 0) }
            // The descriptor is closed with this object, which ends here.
            guard number == EWOULDBLOCK else {
                throw DiskError(code: .other, operation: "lock \(path)", number: number, reason: String(cString: strerror(number)))
            }
            throw DirectoryInUse(path: directory, pid: Int(String(decoding: text[..<max(count, 0)], as: UTF8.self)))
        }
        let pid = Array(String(getpid()).utf8)
        _ = ftruncate(descriptor, 0)
        _ = pid.withUnsafeBytes { pwrite(descriptor, $0.baseAddress, $0.count, 0) }
    }

    deinit {
        close(descriptor)
    }
}
