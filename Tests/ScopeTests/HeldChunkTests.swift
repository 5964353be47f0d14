import Access
import Causality
import Content
import FileDatabase
import Merkle
@testable import Node
import Objects
import Synchronization
import TestSupport
import Testing

/// Chunks in memory, in the place of files that others write.
private final class ChangingFiles: ChunkHolder {
    private struct State {
        var chunks: [ContentHash: [UInt8]] = [:]
        /// How many more unchecked reads give other bytes than the chunk has.
        var tornReads = 0
        var checkedReads = 0
    }

    private let state = Mutex(State())

    var checkedReads: Int { state.withLock { $0.checkedReads } }
    func tear(_ reads: Int) { state.withLock { $0.tornReads = reads } }
    func overwriteAll() { state.withLock { state in state.chunks = state.chunks.mapValues { $0.map { $0 ^ 1 } } } }

    func sizes(of hashes: [ContentHash]) throws(StoreError) -> [UInt32?] {
        state.withLock { state in hashes.map { state.chunks[$0].map { UInt32($0.count) } } }
    }

    func read(_ hash: ContentHash) throws(StoreError) -> [UInt8]? {
        state.withLock { state in
            state.checkedReads += 1
            return state.chunks[hash].flatMap { ContentHash(of: .chunk, $0) == hash ? $0 : nil }
        }
    }

    func read(_ hash: ContentHash, into buffer: UnsafeMutableRawBufferPointer) throws(StoreError) -> Bool {
        state.withLock { state in
            guard let bytes = state.chunks[hash], bytes.count == buffer.count else { return false }
            buffer.copyBytes(from: bytes)
            if state.tornReads > 0 {
                state.tornReads -= 1
                buffer[0] ^= 1
            }
            return true
        }
    }

    func keep(_ chunks: [PreparedObject]) throws(StoreError) {
        state.withLock { state in for chunk in chunks { state.chunks[chunk.hash] = chunk.raw() } }
    }
}

@Suite("Chunks that are read from files")
struct HeldChunkTests {
    private let text = String(repeating: "some text of a file ", count: 10_000)

    private func withDesk(_ body: (_ server: Node, _ desk: Node, ChangingFiles) async throws -> Void) async throws {
        try await withLab { lab in
            let server = try await lab.node("a", founds: true)
            let desk = try await lab.client("desk", of: "a", rules: [("/**", [.read, .list, .write, .delete])]).node
            let files = ChangingFiles()
            desk.database.store.use(files)
            try await body(server, desk, files)
        }
    }

    /// Commits a file whose chunks only the files have.
    private func put(_ text: String, at path: String, on desk: Node, _ files: ChangingFiles) async throws {
        let upload = FileUpload(to: desk.database)
        Array(text.utf8).withUnsafeBytes { upload.add($0) }
        try await upload.drain()
        let (content, objects) = try await upload.finish()
        try files.keep(objects.filter { $0.kind == .chunk })
        let value = Value.file(FileValue(content: content, mediaType: "text/plain", modifiedAt: 1))
        _ = try await desk.database.put(value, at: TreePath(path), objects: objects.filter { $0.kind != .chunk })
    }

    @Test("What is whole is sent without being hashed here")
    func whole() async throws {
        try await withDesk { server, desk, files in
            try await put(text, at: "/f", on: desk, files)
            try await desk.sync()
            #expect(try await server.text("/f") == text)
            #expect(files.checkedReads == 0)
        }
    }

    @Test("A chunk that was torn as it was read is refused, and sent again")
    func torn() async throws {
        try await withDesk { server, desk, files in
            try await put(text, at: "/f", on: desk, files)
            files.tear(1)
            try await desk.sync()
            #expect(try await server.text("/f") == text)
            #expect(files.checkedReads > 0)
        }
    }

    @Test("A chunk that has other bytes for good never gets to the server, and nor does its file")
    func changed() async throws {
        try await withDesk { server, desk, files in
            try await put(text, at: "/f", on: desk, files)
            files.overwriteAll()
            await #expect(throws: NodeError.self) { try await desk.sync() }
            #expect(files.checkedReads > 0)
            #expect(try server.paths().isEmpty)
        }
    }
}
