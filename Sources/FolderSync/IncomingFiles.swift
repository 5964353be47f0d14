import Content
import Merkle
import Platform
import Synchronization

/// Files beside the folder, on the same file system: on their way in, or taken out of it and not let go yet.
final class IncomingFiles: Sendable {
    private static let maximumOpen = 64
    /// The system is asked to begin to write out a file at every step of this size, so that the sync at its end has little to wait for. Not at
    /// every chunk: each asking costs as much as the chunk's hash.
    private static let writeOutStep: UInt64 = 8 << 20

    private struct Open {
        var file: OpenFile
        /// What came since the system was asked last: bytes, and between which places.
        var written: UInt64 = 0
        var range: Range<UInt64> = 0..<0

        /// - Returns: what the system is to begin to write out now.
        mutating func note(_ new: Range<UInt64>) -> Range<UInt64>? {
            range = written == 0 ? new : min(range.lowerBound, new.lowerBound)..<max(range.upperBound, new.upperBound)
            written += UInt64(new.count)
            guard written >= IncomingFiles.writeOutStep else { return nil }
            written = 0
            return range
        }
    }

    private struct State {
        var next = 0
        var open: [[UInt8]: Open] = [:]
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
        if let file = state.withLock({ $0.open[name]?.file }) { return file }
        let file = try directory.create(name)
        state.withLock { state in
            if state.open.count >= IncomingFiles.maximumOpen { state.open.removeAll() }
            state.open[name] = Open(file: file)
        }
        return file
    }

    /// Writes a part of a file, some of them at once.
    func write(_ bytes: [UInt8], to name: [UInt8], at offset: UInt64) throws {
        let file = try file(name)
        try bytes.withUnsafeBytes { try file.write($0, at: offset) }
        let range = offset..<offset + UInt64(bytes.count)
        if let due = state.withLock({ $0.open[name]?.note(range) }) { file.startWriting(due) }
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
