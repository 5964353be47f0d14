import Content
import Merkle
import Platform
import Synchronization

/// Files beside the folder, on the same file system: on their way in, or taken out of it and not let go yet.
final class IncomingFiles: Sendable {
    private static let maximumOpen = 64

    private struct State {
        var next = 0
        var open: [[UInt8]: OpenFile] = [:]
    }

    let directory: DirectoryHandle
    private let state = Mutex(State())

    init(path: String) throws(DiskError) {
        directory = try DirectoryHandle(path: path)
        // What was taken out in an earlier run. Content on its way in has names of its own, and is gone on with.
        for name in try directory.names() where name.first == UInt8(ascii: "t") { try directory.remove(name) }
    }

    /// A name that nothing has.
    func newName() -> [UInt8] {
        state.withLock { state in
            state.next += 1
            return Array("t\(state.next)".utf8)
        }
    }

    /// The name of content on its way in: the same after a restart, so that what came is not fetched again.
    func name(of content: FileContent, at path: TreePath) -> [UInt8] {
        Array("c\(content.root)-\(ContentHash(sha256: path.description.utf8).description.prefix(16))".utf8)
    }

    /// A file to be written. Some are held open, since chunks of one follow each other.
    func file(_ name: [UInt8]) throws(DiskError) -> OpenFile {
        if let file = state.withLock({ $0.open[name] }) { return file }
        let file = try directory.create(name)
        state.withLock { state in
            if state.open.count >= IncomingFiles.maximumOpen { state.open.removeAll() }
            state.open[name] = file
        }
        return file
    }

    func close(_ name: [UInt8]) {
        state.withLock { $0.open[name] = nil }
    }

    func remove(_ name: [UInt8]) throws(DiskError) {
        close(name)
        try directory.remove(name)
    }

    /// Lets go of all that is there.
    func removeAll() throws(DiskError) {
        state.withLock { $0.open = [:] }
        for name in try directory.names() { try directory.remove(name) }
    }
}
