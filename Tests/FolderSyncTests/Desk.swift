import Causality
import Content
import FileDatabase
import Foundation
import Merkle
import Node
import Objects
import Platform
import Synchronization
import TestSupport
import Testing

@testable import FolderSync

/// A folder, its database and a server's, all in this process.
final class Desk {
    let folder: TemporaryDirectory
    let server: FileDatabase
    private let number: Int
    private(set) var state: FolderState
    private(set) var remote: LocalRemote
    private let traits: FileSystemTraits?
    var isConnected = true
    var scope = FolderScope.everything

    init(
        _ number: Int, server: FileDatabase, traits: FileSystemTraits? = nil, scope: FolderScope = .everything, batches: BatchSizes = BatchSizes()
    ) throws {
        folder = try TemporaryDirectory()
        self.server = server
        self.number = number
        self.traits = traits
        self.scope = scope
        try Pairing(id: "pairing-\(number)", url: "http://localhost", cluster: nil, paths: []).store(in: folder.path)
        let database = try FileDatabase.inMemory(actor: number)
        state = try FolderState(folder: folder.path, database: database, scope: scope, traits: traits, batches: batches)
        remote = LocalRemote(desk: database, server: server)
    }

    var database: FileDatabase { state.database }

    /// Brings the folder and the server together.
    @discardableResult
    func sync(confirms: Bool = false) async throws -> FolderSummary {
        var options = FolderSync.Options()
        options.confirmsDeletions = confirms
        return try await FolderSync(state: state, remote: remote, options: options).runOnce()
    }

    // MARK: The folder

    func path(_ name: String) -> String { folder.path + "/" + name }

    func write(_ text: String, to name: String) throws { try write(Array(text.utf8), to: name) }

    func write(_ bytes: [UInt8], to name: String) throws {
        let url = URL(filePath: path(name))
        try FileManager.default.createDirectory(at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
        try Data(bytes).write(to: url)
    }

    func read(_ name: String) -> String? {
        FileManager.default.contents(atPath: path(name)).map { String(decoding: $0, as: UTF8.self) }
    }

    func remove(_ name: String) throws { try FileManager.default.removeItem(atPath: path(name)) }

    func move(_ name: String, to target: String) throws {
        #expect(rename(path(name), path(target)) == 0)
    }

    func inode(_ name: String) throws -> UInt64? {
        try DirectoryHandle(path: URL(filePath: path(name)).deletingLastPathComponent().path(percentEncoded: false))
            .status(Array(URL(filePath: path(name)).lastPathComponent.utf8))?.inode
    }

    /// Everything in the folder: a file's text, `-> TARGET` of a link, nil for a directory.
    func everything() throws -> [String: String?] {
        var result: [String: String?] = [:]
        func walk(_ prefix: String) throws {
            for name in try FileManager.default.contentsOfDirectory(atPath: folder.path + "/" + prefix) where prefix + name != FolderLayout.name {
                let place = prefix + name
                let attributes = try FileManager.default.attributesOfItem(atPath: path(place))
                switch attributes[.type] as? FileAttributeType {
                case .typeDirectory:
                    result.updateValue(nil, forKey: place)
                    try walk(place + "/")
                case .typeSymbolicLink:
                    result.updateValue("-> " + (try FileManager.default.destinationOfSymbolicLink(atPath: path(place))), forKey: place)
                default: result.updateValue(read(place), forKey: place)
                }
            }
        }
        try walk("")
        return result
    }
}

/// A server in the same process.
final class LocalRemote: FolderRemote {
    private let desk: FileDatabase
    private let server: FileDatabase
    private let counters = Mutex((fetched: 0, sent: 0))
    let isAway = Mutex(false)

    init(desk: FileDatabase, server: FileDatabase) {
        self.desk = desk
        self.server = server
    }

    /// Bytes of chunks that went each way.
    var fetched: Int { counters.withLock { $0.fetched } }
    var sent: Int { counters.withLock { $0.sent } }
    var trouble: String? { isAway.withLock { $0 } ? "away" : nil }
    var refusals: [FolderNotice] { [] }
    func meet() async throws { try requireServer() }
    func goLive() {}
    func stopLive() {}

    func pull() async throws {
        try requireServer()
        _ = try await copy(from: server, to: desk, chunks: false)
    }

    func exchange() async throws -> ExchangeOutcome {
        try requireServer()
        let received = try await copy(from: server, to: desk, chunks: false)
        let sent = try await copy(from: desk, to: server, chunks: true)
        return ExchangeOutcome(entries: (received ? 1 : 0) + (sent ? 1 : 0))
    }

    func fetch(_ wanted: [WantedChunk], _ deliver: @escaping @Sendable ([ArrivedChunk]) throws -> Void) async throws {
        try requireServer()
        for chunk in wanted {
            let bytes = try server.store.read(chunk.hash, .chunk)
            counters.withLock { $0.fetched += bytes.count }
            try deliver([ArrivedChunk(chunk: chunk, bytes: bytes)])
        }
    }

    private func requireServer() throws {
        if isAway.withLock({ $0 }) { throw FolderError(.unreachable, "away") }
    }

    private func copy(from source: FileDatabase, to target: FileDatabase, chunks: Bool) async throws -> Bool {
        let view = source.view
        if view.files.root == target.view.files.root { return false }
        func content(_ hash: ContentHash, _ height: Int, _ size: UInt64, _ isRoot: Bool, _ isLast: Bool) throws {
            if height == 0 {
                guard chunks, try !target.store.contains(hash) else { return }
                let bytes = try source.store.read(hash, .chunk)
                counters.withLock { $0.sent += bytes.count }
                return try target.store.append([PreparedObject(.chunk, bytes)])
            }
            let bytes = try source.store.read(hash, .manifest)
            let node = try ManifestNode(decoding: bytes, height: height, size: size, isRoot: isRoot, isLast: isLast)
            for (index, child) in node.children.enumerated() {
                try content(child.hash, height - 1, child.size, false, isLast && index == node.children.count - 1)
            }
            try target.store.append([PreparedObject(.manifest, bytes)])
        }
        func nodes(_ hash: ContentHash) throws {
            guard hash != TreeNode.empty.hash, try !target.store.contains(hash) else { return }
            let node = try view.node(hash)
            for child in node.children { try nodes(child.hash) }
            for index in 0..<(node.level == 0 ? node.count : 0) {
                let entry = try node.entry(at: index)
                if let subtree = entry.subtree { try nodes(subtree.root) }
                for case .file(let file) in entry.register?.versions.map(\.value) ?? [] {
                    try content(file.content.root, file.content.height, file.content.size, true, true)
                    if let attributes = file.attributes { try target.store.append([PreparedObject(.attributes, source.store.read(attributes, .attributes))]) }
                }
            }
            try target.store.append([PreparedObject(.tree, node.bytes, hash: hash)])
        }
        try nodes(view.files.root)
        return try await target.join(view.files.root, into: .files, latest: view.head.commit.time, cause: "test").isChanged
    }
}

extension FileDatabase {
    static func inMemory(actor: Int) throws -> FileDatabase {
        try FileDatabase(store: ObjectStore(disk: FaultyDisk(), index: MemoryIndex()), actor: .numbered(actor), time: SystemTime())
    }

    func text(_ path: String) async throws -> String? {
        guard let file = try view.info(at: TreePath(path))?.file else { return nil }
        var bytes: [UInt8] = []
        for try await piece in self.bytes(of: file.content) { bytes += piece }
        return String(decoding: bytes, as: UTF8.self)
    }

    func conflictedPaths() throws -> [String] { try view.conflicts(limit: .max).items.map(\.path.description) }

    func losers(of path: String) async throws -> [String] {
        var texts: [String] = []
        for case .file(let file) in try view.entry(at: TreePath(path))?.losers.map(\.value) ?? [] {
            var bytes: [UInt8] = []
            for try await piece in self.bytes(of: file.content) { bytes += piece }
            texts.append(String(decoding: bytes, as: UTF8.self))
        }
        return texts
    }
}
