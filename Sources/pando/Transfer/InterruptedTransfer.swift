import Content
import Foundation

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// Notes that a folder is being copied to a place that was not there before.
///
/// As in a shell, `put -r a /b` makes `/b`, and the next time makes `/b/a`, because `/b` is there by then. But a run that
/// was cut off and is started again has to go on where it stopped. The note is what tells the two apart.
struct InterruptedTransfer {
    private let path: String

    init(node: String, source: String, target: String) {
        let key = ContentHash(sha256: Array("\(node)\0\(source)\0\(target)".utf8))
        path = UserDirectory.state + "/transfers/" + key.description.prefix(32)
    }

    /// Whether an earlier run began this and did not end it.
    var exists: Bool { access(path, F_OK) == 0 }

    /// A note that can't be kept is no reason not to copy.
    func begin() {
        try? UserDirectory.write([], to: path)
    }

    func end() {
        unlink(path)
    }

    /// The path from the root of the file system, whatever directory it was typed in.
    static func absolute(_ path: String) -> String {
        path.hasPrefix("/") ? path : FileManager.default.currentDirectoryPath + "/" + path
    }
}
