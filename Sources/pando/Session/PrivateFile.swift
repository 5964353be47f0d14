import Foundation

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// Small files that belong to one person alone.
enum PrivateFile {
    /// Pando's directory under one of the directories of the XDG specification.
    static func directory(variable: String, fallback: String) -> String {
        let environment = ProcessInfo.processInfo.environment
        // The specification has relative paths ignored.
        if let set = environment[variable], set.hasPrefix("/") { return set + "/pando" }
        return (environment["HOME"] ?? NSHomeDirectory()) + "/" + fallback + "/pando"
    }

    /// Writes a file at once, with mode 0600, also where an older one has another mode.
    static func write(_ bytes: [UInt8], to path: String) throws {
        let directory = String(path[..<(path.lastIndex(of: "/") ?? path.startIndex)])
        do {
            try FileManager.default.createDirectory(
                atPath: directory, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
        } catch {
            throw Failure("cannot make the directory \(directory): \(LocalFile.reason())")
        }
        let temporary = path + ".new-\(getpid())"
        let file = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard file >= 0 else { throw Failure("cannot write \(temporary): \(LocalFile.reason())") }
        do {
            defer { close(file) }
            try bytes.withUnsafeBytes { try LocalFile.write($0, to: file, path: temporary) }
            fsync(file)
        } catch {
            unlink(temporary)
            throw error
        }
        guard rename(temporary, path) == 0 else {
            let reason = LocalFile.reason()
            unlink(temporary)
            throw Failure("cannot write \(path): \(reason)")
        }
    }
}
