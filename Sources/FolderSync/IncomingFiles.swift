import Content
import Merkle
import Platform
import Synchronization

/// Files beside the folder, on the same file system: on their way in, or taken out of it and not let go yet.
final class IncomingFiles: Sendable {
    private static let maximumOpen = 64
    /// The system is asked to begin to write out what has come at every step of this size, so that the sync at the end has little to wait for.
    /// Not at every chunk: each asking costs as much as the chunk's hash.
    private static let writeOutStep = 8 << 20
    /// Nor are smaller pieces told to it one by one.
    private static let smallestPiece = 128 << 10

    private typealias Written = (file: OpenFile, range: Range<UInt64>)

    private struct State {
        var next = 0
        var open: [[UInt8]: OpenFile] = [:]
        /// What has come since the system was asked last.
        var written: [Written] = []
        var writtenBytes = 0
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

    /// Writes a part of a file, some of them at once.
    func write(_ bytes: [UInt8], to name: [UInt8], at offset: UInt64) throws {
        let file = try file(name)
        try bytes.withUnsafeBytes { try file.write($0, at: offset) }
        note(bytes.count, of: file, at: offset)
    }

    /// Notes that bytes were written, and has the system begin to write out what has come where that is enough.
    func note(_ count: Int, of file: OpenFile, at offset: UInt64) {
        if count < IncomingFiles.smallestPiece { return }
        let due: [Written] = state.withLock { state in
            state.written.append((file, offset..<offset + UInt64(count)))
            state.writtenBytes += count
            if state.writtenBytes < IncomingFiles.writeOutStep { return [] }
            defer { (state.written, state.writtenBytes) = ([], 0) }
            return state.written
        }
        for (file, range) in IncomingFiles.joined(due) { file.startWriting(range) }
    }

    /// One range for all pieces of a file.
    private static func joined(_ pieces: [Written]) -> [Written] {
        var joined: [ObjectIdentifier: Written] = [:]
        for (file, range) in pieces {
            let known = joined[ObjectIdentifier(file)]?.range ?? range
            joined[ObjectIdentifier(file)] = (file, min(known.lowerBound, range.lowerBound)..<max(known.upperBound, range.upperBound))
        }
        return Array(joined.values)
    }

    /// Lets go of the files that have come: a file that is held open counts as one that somebody writes.
    func forgetWritten() {
        state.withLock { ($0.written, $0.writtenBytes) = ([], 0) }
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
