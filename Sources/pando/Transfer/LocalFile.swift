// Its own half of the C library's declarations, where it was loaded before Glibc.
import Foundation

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// Files of this machine through the operating system's own calls: the portable library costs more for each small
/// file than reading it does.
enum LocalFile {
    enum Kind: Sendable {
        case file, directory, symlink
        /// Sockets, pipes and devices, which have no content to keep.
        case special
    }

    /// What is needed of a file's status.
    struct Status: Sendable, Equatable {
        var kind: Kind
        var size: UInt64
        /// Nanoseconds since 1970.
        var modifiedAt: Int64
        var isExecutable: Bool
        var inode: UInt64
    }

    /// The status of a path, or of the link itself where it is one; nil where nothing is there.
    static func status(of path: String) throws -> Status? {
        var raw = stat()
        guard lstat(path, &raw) == 0 else {
            if errno == ENOENT || errno == ENOTDIR { return nil }
            throw Failure("\(path): \(reason())")
        }
        return Status(raw)
    }

    /// The status of what a path leads to, through links.
    static func statusOfTarget(_ path: String) -> Status? {
        var raw = stat()
        guard stat(path, &raw) == 0 else { return nil }
        return Status(raw)
    }

    static func status(of file: Int32, path: String) throws -> Status {
        var raw = stat()
        guard fstat(file, &raw) == 0 else { throw Failure("\(path): \(reason())") }
        return Status(raw)
    }

    /// What the last call complained of.
    static func reason() -> String {
        String(cString: strerror(errno)).lowercased()
    }

    /// Opens a regular file for reading; a link that has come in its place is not followed.
    static func openForReading(_ path: String) throws -> Int32 {
        let file = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC)
        guard file >= 0 else { throw Failure("\(path): \(reason())") }
        return file
    }

    /// Reads until the buffer is full or the file ends.
    static func read(_ file: Int32, into buffer: UnsafeMutableRawBufferPointer, path: String) throws -> Int {
        var filled = 0
        while filled < buffer.count {
            #if canImport(Glibc)
                let count = Glibc.read(file, buffer.baseAddress! + filled, buffer.count - filled)
            #elseif canImport(Musl)
                let count = Musl.read(file, buffer.baseAddress! + filled, buffer.count - filled)
            #else
                let count = Darwin.read(file, buffer.baseAddress! + filled, buffer.count - filled)
            #endif
            if count < 0 {
                if errno == EINTR { continue }
                throw Failure("\(path): \(reason())")
            }
            if count == 0 { break }
            filled += count
        }
        return filled
    }

    /// Reads at an offset until the buffer is full or the file ends.
    static func read(
        _ file: Int32, at offset: UInt64, into buffer: UnsafeMutableRawBufferPointer, path: String
    ) throws -> Int {
        var filled = 0
        while filled < buffer.count {
            let count = pread(file, buffer.baseAddress! + filled, buffer.count - filled, off_t(offset) + off_t(filled))
            if count < 0 {
                if errno == EINTR { continue }
                throw Failure("\(path): \(reason())")
            }
            if count == 0 { break }
            filled += count
        }
        return filled
    }

    static func write(_ bytes: UnsafeRawBufferPointer, to file: Int32, path: String) throws {
        var rest = bytes
        while !rest.isEmpty {
            #if canImport(Glibc)
                let count = Glibc.write(file, rest.baseAddress, rest.count)
            #elseif canImport(Musl)
                let count = Musl.write(file, rest.baseAddress, rest.count)
            #else
                let count = Darwin.write(file, rest.baseAddress, rest.count)
            #endif
            if count < 0 {
                if errno == EINTR { continue }
                throw Failure("\(path): \(reason())")
            }
            rest = UnsafeRawBufferPointer(rebasing: rest[count...])
        }
    }

    static func write(_ bytes: UnsafeRawBufferPointer, to file: Int32, at offset: UInt64, path: String) throws {
        var done = 0
        while done < bytes.count {
            let count = pwrite(file, bytes.baseAddress! + done, bytes.count - done, off_t(offset) + off_t(done))
            if count < 0 {
                if errno == EINTR { continue }
                throw Failure("\(path): \(reason())")
            }
            done += count
        }
    }

    static func target(ofLink path: String) throws -> String {
        // One byte more than a target may have shows that it was cut.
        var buffer = [UInt8](repeating: 0, count: 4097)
        let count = buffer.withUnsafeMutableBytes { readlink(path, $0.bindMemory(to: CChar.self).baseAddress!, $0.count) }
        guard count >= 0 else { throw Failure("\(path): \(reason())") }
        guard count < buffer.count else { throw Failure("\(path): the link's target is longer than 4096 bytes") }
        guard let target = String(validating: buffer[..<count], as: UTF8.self) else {
            throw Failure("\(path): the link's target is not UTF-8")
        }
        return target
    }

    /// The last name of a path as typed: of `.` and `..` that of the directory they stand for.
    static func name(of path: String) -> String {
        var text = Substring(path)
        while text.count > 1, text.last == "/" { text.removeLast() }
        let name = text[(text.lastIndex(of: "/").map { text.index(after: $0) } ?? text.startIndex)...]
        if name == "." || name == ".." || name.isEmpty, let resolved = realpath(path, nil) {
            defer { free(resolved) }
            let whole = String(cString: resolved)
            return whole == "/" ? "" : LocalFile.name(of: whole)
        }
        return String(name)
    }

    static func join(_ directory: String, _ name: String) -> String {
        directory.hasSuffix("/") ? directory + name : directory + "/" + name
    }
}

extension LocalFile.Status {
    init(_ raw: stat) {
        kind = switch raw.st_mode & S_IFMT {
        case S_IFREG: .file
        case S_IFDIR: .directory
        case S_IFLNK: .symlink
        default: .special
        }
        size = UInt64(max(0, raw.st_size))
        #if canImport(Darwin)
            let time = raw.st_mtimespec
        #else
            let time = raw.st_mtim
        #endif
        // File systems hold years that nanoseconds since 1970 cannot.
        let (seconds, overflow) = Int64(time.tv_sec).multipliedReportingOverflow(by: 1_000_000_000)
        modifiedAt = overflow ? (time.tv_sec < 0 ? .min : .max) : seconds &+ Int64(time.tv_nsec)
        isExecutable = raw.st_mode & 0o100 != 0
        inode = UInt64(raw.st_ino)
    }
}
