import Foundation

import Content
import HTTPClient

// Its own half of the C library's declarations, where it was loaded before Glibc.
import Foundation

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// A file that is being fetched: written beside its target under a name of its own, moved into place when it is whole.
///
/// One that was left by a run that was cut off keeps what it has.
struct PartFile: Sendable {
    let target: String
    let path: String

    init(target: String) {
        self.target = target
        let name = LocalFile.name(of: target)
        let directory = target.dropLast(name.utf8.count)
        let part = "." + name + ".pando-part"
        // A long name leaves no room for the ending.
        path = directory + (part.utf8.count <= 255 ? part : "." + ContentHash(sha256: Array(name.utf8)).description + ".pando-part")
    }

    func open(truncating: Bool) throws -> Int32 {
        let flags = O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC | (truncating ? O_TRUNC : 0)
        #if canImport(Glibc)
            let file = Glibc.open(path, flags, 0o666)
        #elseif canImport(Musl)
            let file = Musl.open(path, flags, 0o666)
        #else
            let file = Darwin.open(path, flags, 0o666)
        #endif
        guard file >= 0 else { throw Failure("\(path): \(LocalFile.reason())") }
        return file
    }

    /// Sets the size, time and mode, and moves the file to its target.
    func complete(_ file: Int32, _ item: ListItem) throws {
        guard ftruncate(file, off_t(item.size ?? 0)) == 0 else { throw Failure("\(path): \(LocalFile.reason())") }
        try PartFile.setAttributes(file, item, path: path)
        guard rename(path, target) == 0 else { throw Failure("\(target): \(LocalFile.reason())") }
    }

    private static let mask: mode_t = {
        // There is no way to read it but to set it.
        let mask = umask(0)
        umask(mask)
        return mask
    }()

    static func setAttributes(_ file: Int32, _ item: ListItem, path: String) throws {
        let mode: mode_t = (item.executable == true ? 0o777 : 0o666) & ~mask
        guard fchmod(file, mode) == 0 else { throw Failure("\(path): \(LocalFile.reason())") }
        guard let modifiedAt = item.modifiedAt.flatMap({ RFC3339.nanoseconds($0) }) else { return }
        var seconds = modifiedAt / 1_000_000_000
        var nanoseconds = modifiedAt % 1_000_000_000
        if nanoseconds < 0 {
            seconds -= 1
            nanoseconds += 1_000_000_000
        }
        let time = timespec(tv_sec: Int(seconds), tv_nsec: Int(nanoseconds))
        guard futimens(file, [time, time]) == 0 else { throw Failure("\(path): \(LocalFile.reason())") }
    }
}
