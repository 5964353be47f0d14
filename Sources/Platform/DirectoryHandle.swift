// Its own half of the C library's declarations, where it was loaded before Glibc.
import Foundation

#if canImport(Glibc)
import CLinux
import Glibc
#else
import Darwin
#endif

/// A directory held open, and the calls on the names in it. A name is bytes without `/` and NUL.
///
/// No call follows a symbolic link, so whoever goes down name by name never leaves the directory that was opened first.
/// Safe from any thread; calls block on the disk.
public final class DirectoryHandle: Sendable {
    let descriptor: Int32
    /// For messages. The directory may have been moved since.
    public let path: String

    /// Opens a directory by its path; here links are followed.
    public init(path: String) throws(DiskError) {
        descriptor = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        self.path = path
        guard descriptor >= 0 else { throw .last("open \(path)") }
    }

    private init(descriptor: Int32, path: String) {
        self.descriptor = descriptor
        self.path = path
    }

    deinit {
        close(descriptor)
    }

    /// Opens a directory in this one; nil where there is none, or something that is no directory.
    public func directory(_ name: some Collection<UInt8>) throws(DiskError) -> DirectoryHandle? {
        let descriptor = withName(name) { openat(self.descriptor, $0, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC) }
        if descriptor < 0 {
            if [ENOENT, ENOTDIR, ELOOP].contains(errno) { return nil }
            throw .last("open \(shown(name))")
        }
        return DirectoryHandle(descriptor: descriptor, path: shown(name))
    }

    /// The names in it, without `.` and `..`, in the order of their bytes.
    public func names() throws(DiskError) -> NameList {
        // A descriptor of its own: reading moves the one that it is given.
        let copy = openat(descriptor, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard copy >= 0 else { throw .last("list \(path)") }
        guard let stream = fdopendir(copy) else {
            let error = DiskError.last("list \(path)")
            close(copy)
            throw error
        }
        defer { closedir(stream) }
        var names = NameList()
        errno = 0
        while let entry = readdir(stream) {
            withUnsafePointer(to: &entry.pointee.d_name) { pointer in
                let name = UnsafeRawPointer(pointer)
                let length = strlen(name.assumingMemoryBound(to: CChar.self))
                let bytes = UnsafeRawBufferPointer(start: name, count: length)
                if length <= 2, bytes.allSatisfy({ $0 == UInt8(ascii: ".") }) { return }
                names.append(bytes)
            }
            errno = 0
        }
        // The end and an error look alike but for this.
        guard errno == 0 else { throw .last("list \(path)") }
        names.sort()
        return names
    }

    /// The status of a name; nil if nothing is there.
    public func status(_ name: some Collection<UInt8>) throws(DiskError) -> FileStatus? {
        try status(shown(name), withName(name) { call($0) })
    }

    /// The same, of one of the names that `names` returned.
    public func status(_ names: NameList, _ index: Int) throws(DiskError) -> FileStatus? {
        let result = names.withPointer(index) { call($0) }
        if case .success(let status) = result { return status }
        return try status(shown(names[index]), result)
    }

    /// The status of the directory itself.
    public func status() throws(DiskError) -> FileStatus {
        var raw = stat()
        guard fstat(descriptor, &raw) == 0 else { throw .last("stat \(path)") }
        return FileStatus(raw)
    }

    /// Whether a name is not the only one of its file.
    public func hasOtherLinks(_ name: some Collection<UInt8>) -> Bool {
        var raw = stat()
        return withName(name) { fstatat(descriptor, $0, &raw, AT_SYMLINK_NOFOLLOW) } == 0 && raw.st_nlink > 1
    }

    /// When what stands at a name was made, in nanoseconds since 1970; nil where nothing is, or the file system does not say.
    public func birthTime(_ name: some Collection<UInt8>) -> Int64? {
        #if canImport(Glibc)
        let time = withName(name) { pando_birth_time(descriptor, $0) }
        return time > 0 ? time : nil
        #else
        var raw = stat()
        guard withName(name, { fstatat(descriptor, $0, &raw, AT_SYMLINK_NOFOLLOW) }) == 0 else { return nil }
        let time = FileStatus.nanoseconds(raw.st_birthtimespec)
        return time > 0 ? time : nil
        #endif
    }

    private func call(_ name: UnsafePointer<CChar>) -> Result<FileStatus, SystemError> {
        var raw = stat()
        return fstatat(descriptor, name, &raw, AT_SYMLINK_NOFOLLOW) == 0 ? .success(FileStatus(raw)) : .failure(SystemError(number: errno))
    }

    private func status(_ place: String, _ result: Result<FileStatus, SystemError>) throws(DiskError) -> FileStatus? {
        switch result {
        case .success(let status): return status
        case .failure(let error):
            if error.number == ENOENT || error.number == ENOTDIR { return nil }
            errno = error.number
            throw .last("stat \(place)")
        }
    }

    private struct SystemError: Error {
        var number: Int32
    }

    // MARK: Files

    /// Opens a file to be read; nil where there is none, or something that is no regular file.
    public func file(_ name: some Collection<UInt8>) throws(DiskError) -> OpenFile? {
        // Not blocking, so that a pipe in its place holds up nobody.
        let descriptor = withName(name) { openat(self.descriptor, $0, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC) }
        if descriptor < 0 {
            if [ENOENT, ENOTDIR, ELOOP, ENXIO].contains(errno) { return nil }
            throw .last("open \(shown(name))")
        }
        let file = OpenFile(descriptor: descriptor, path: shown(name))
        return try file.status().kind == .file ? file : nil
    }

    /// Opens a file to be read and written, for its owner alone if it is new.
    public func create(_ name: some Collection<UInt8>, isNew: Bool = false) throws(DiskError) -> OpenFile {
        let flags = O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC | (isNew ? O_EXCL : 0)
        let descriptor = withName(name) { openat(self.descriptor, $0, flags, 0o600) }
        guard descriptor >= 0 else { throw .last("create \(shown(name))") }
        return OpenFile(descriptor: descriptor, path: shown(name))
    }

    /// Removes a file or a link; nothing happens where nothing is.
    public func remove(_ name: some Collection<UInt8>) throws(DiskError) {
        guard withName(name, { unlinkat(descriptor, $0, 0) }) == 0 || errno == ENOENT else { throw .last("remove \(shown(name))") }
    }

    /// Removes a directory.
    /// - Returns: false where it is not empty, or no directory.
    public func removeDirectory(_ name: some Collection<UInt8>) throws(DiskError) -> Bool {
        if withName(name, { unlinkat(descriptor, $0, AT_REMOVEDIR) }) == 0 || errno == ENOENT { return true }
        if [ENOTEMPTY, EEXIST, ENOTDIR, EBUSY].contains(errno) { return false }
        throw .last("remove \(shown(name))")
    }

    /// Makes a directory.
    /// - Returns: false if something is there.
    @discardableResult
    public func makeDirectory(_ name: some Collection<UInt8>, mode: mode_t = 0o777) throws(DiskError) -> Bool {
        if withName(name, { mkdirat(descriptor, $0, mode) }) == 0 { return true }
        if errno == EEXIST { return false }
        throw .last("make directory \(shown(name))")
    }

    /// Makes a symbolic link. Nothing may be there.
    public func makeLink(_ name: some Collection<UInt8>, to target: String) throws(DiskError) {
        guard withName(name, { symlinkat(target, descriptor, $0) }) == 0 else { throw .last("make link \(shown(name))") }
    }

    /// What a symbolic link points to; nil if it is none.
    public func linkTarget(_ name: some Collection<UInt8>) throws(DiskError) -> [UInt8]? {
        // One byte more than a target may have shows that it was cut.
        var buffer = [UInt8](repeating: 0, count: 4097)
        let count = withName(name) { name in
            buffer.withUnsafeMutableBytes { readlinkat(descriptor, name, $0.bindMemory(to: CChar.self).baseAddress!, $0.count) }
        }
        if count < 0 {
            if [ENOENT, EINVAL, ENOTDIR].contains(errno) { return nil }
            throw .last("read link \(shown(name))")
        }
        return Array(buffer[..<count])
    }

    // MARK: Moving

    /// How a move ended.
    public enum MoveResult: Sendable {
        case moved
        /// The source is gone.
        case missing
        /// Something is at the target already.
        case taken
        /// The two are on different file systems, or the file system cannot do it.
        case unsupported
    }

    /// Moves a name where nothing is, in one step.
    public func move(
        _ name: some Collection<UInt8>, to target: DirectoryHandle, _ newName: some Collection<UInt8>
    ) throws(DiskError) -> MoveResult {
        try rename(name, target, newName, .exclusive)
    }

    /// Exchanges two names in one step, so that whatever was at either is never gone.
    public func exchange(
        _ name: some Collection<UInt8>, with target: DirectoryHandle, _ newName: some Collection<UInt8>
    ) throws(DiskError) -> MoveResult {
        try rename(name, target, newName, .exchange)
    }

    /// Moves a name over another, in one step.
    public func replace(
        _ target: DirectoryHandle, _ newName: some Collection<UInt8>, with name: some Collection<UInt8>
    ) throws(DiskError) -> MoveResult {
        try rename(name, target, newName, .replace)
    }

    private enum RenameKind {
        case exclusive, exchange, replace
    }

    private func rename(
        _ name: some Collection<UInt8>, _ target: DirectoryHandle, _ newName: some Collection<UInt8>, _ kind: RenameKind
    ) throws(DiskError) -> MoveResult {
        let result = withName(name) { name in
            withName(newName) { newName in
                #if canImport(Glibc)
                switch kind {
                case .exclusive: renameat2(descriptor, name, target.descriptor, newName, PANDO_RENAME_NOREPLACE)
                case .exchange: renameat2(descriptor, name, target.descriptor, newName, PANDO_RENAME_EXCHANGE)
                case .replace: renameat(descriptor, name, target.descriptor, newName)
                }
                #else
                switch kind {
                case .exclusive: renameatx_np(descriptor, name, target.descriptor, newName, UInt32(RENAME_EXCL))
                case .exchange: renameatx_np(descriptor, name, target.descriptor, newName, UInt32(RENAME_SWAP))
                case .replace: renameat(descriptor, name, target.descriptor, newName)
                }
                #endif
            }
        }
        if result == 0 { return .moved }
        switch errno {
        case ENOENT: return .missing
        case EEXIST, ENOTEMPTY, EISDIR, ENOTDIR: return .taken
        case EXDEV, EINVAL, ENOSYS, ENOTSUP: return .unsupported
        default: throw .last("move \(shown(name)) to \(target.shown(newName))")
        }
    }

    // MARK: Durability

    /// Makes everything durable that was done on the file system that holds the directory, in one go: far cheaper than a sync
    /// of each of many files.
    public func syncFileSystem() throws(DiskError) {
        #if canImport(Glibc)
        guard syncfs(descriptor) == 0 else { throw .last("sync \(path)") }
        #else
        sync()
        guard fcntl(descriptor, F_FULLFSYNC) == 0 || fsync(descriptor) == 0 else { throw .last("sync \(path)") }
        #endif
    }

    private func withName<Result>(_ name: some Collection<UInt8>, _ body: (UnsafePointer<CChar>) -> Result) -> Result {
        withUnsafeTemporaryAllocation(of: CChar.self, capacity: name.count + 1) { buffer in
            let copied: Void? = name.withContiguousStorageIfAvailable { UnsafeMutableRawBufferPointer(buffer).copyBytes(from: $0) }
            if copied == nil { for (index, byte) in name.enumerated() { buffer[index] = CChar(bitPattern: byte) } }
            buffer[name.count] = 0
            return body(UnsafePointer(buffer.baseAddress!))
        }
    }

    private func shown(_ name: some Collection<UInt8>) -> String {
        path + (path.hasSuffix("/") ? "" : "/") + String(decoding: name, as: UTF8.self)
    }
}
