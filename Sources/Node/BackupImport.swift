import Access
import Causality
import Content
import FileDatabase
import Foundation
import Merkle
import Objects
import Platform
import Replication

/// Makes a node's data directory from backups: a whole one and those that go on from it, in order.
public struct BackupImport: Sendable {
    /// What was made.
    public struct Summary: Sendable, Codable {
        public var objects: UInt64 = 0
        public var bytes: UInt64 = 0
        public var files: UInt64 = 0
        public var root = ""
        /// The node's id, where the backup brought the node itself back.
        public var nodeID: String?
        /// The cluster that the backup is of.
        public var clusterID: String?

        private enum CodingKeys: String, CodingKey {
            case files, bytes, objects, root
            case clusterID = "cluster_id"
            case nodeID = "node_id"
        }
    }

    /// Batches that are checked while the next is read.
    private static let checkAhead = 3

    /// The backups in their order; nil for standard input.
    public let paths: [String?]
    /// The data directory, which must not be there yet or be empty.
    public let directory: String

    public init(paths: [String?], directory: String) {
        self.paths = paths
        self.directory = directory
    }

    /// Where it is put together, so that a directory under its own name is always whole.
    private var workshop: String { (directory.hasSuffix("/") ? String(directory.dropLast()) : directory) + ".importing" }

    /// - Parameter progress: told the bytes that were read.
    /// - Throws: `BackupError` where a backup is damaged or does not go on from the one before; nothing is there then.
    public func run(progress: @escaping @Sendable (UInt64) -> Void = { _ in }) async throws -> Summary {
        let files = FileManager.default
        if let names = try? files.contentsOfDirectory(atPath: directory), !names.isEmpty {
            throw BackupError("\(directory) is not empty; import into a new directory")
        }
        if files.fileExists(atPath: workshop) {
            // What is left of an import that was killed; one that is still at work holds the lock.
            _ = try DirectoryLock(directory: workshop)
            try files.removeItem(atPath: workshop)
        }
        do {
            let summary = try await fill(progress)
            // An empty directory may stand in the way.
            if files.fileExists(atPath: directory) { try files.removeItem(atPath: directory) }
            try files.moveItem(atPath: workshop, toPath: directory)
            return summary
        } catch {
            if !(error is DirectoryInUse) { try? files.removeItem(atPath: workshop) }
            throw error
        }
    }

    private func fill(_ progress: @escaping @Sendable (UInt64) -> Void) async throws -> Summary {
        let actor = Actor(node: NodeKey().id)
        let database = try FileDatabase(directory: workshop, actor: actor)
        defer { database.close() }
        var summary = Summary()
        var last: BackupDescription?
        for path in paths {
            let reader = Reading(try BackupReader(path: path))
            let name = path ?? "standard input"
            guard reader.description.base == last?.files else {
                throw BackupError(
                    last == nil
                        ? "\(name) only holds what changed since an earlier backup; name the whole one first"
                        : "\(name) does not go on from the backup before it")
            }
            try await take(reader, into: database, name: name, &summary, progress)
            last = reader.description
        }
        guard let last else { throw BackupError("name at least one backup") }
        try await complete(database, last, &summary)
        return summary
    }

    /// A reader goes from task to task, one at a time.
    private final class Reading: @unchecked Sendable {
        private let reader: BackupReader
        init(_ reader: BackupReader) { self.reader = reader }
        var description: BackupDescription { reader.description }
        func next() throws -> [BackupReader.Object]? { try reader.next() }
    }

    private func take(
        _ reader: Reading, into database: FileDatabase, name: String, _ summary: inout Summary, _ progress: @Sendable (UInt64) -> Void
    ) async throws {
        let threads = database.threads
        var checking: [Task<[PreparedObject], any Error>] = []
        defer { for task in checking { task.cancel() } }
        var isAtEnd = false
        while true {
            while !isAtEnd, checking.count < BackupImport.checkAhead {
                let batch: [BackupReader.Object]?
                do {
                    batch = try await threads.run { try reader.next() }
                } catch let error as BackupError {
                    throw BackupError("\(name): \(error.reason)")
                }
                guard let batch else {
                    isAtEnd = true
                    break
                }
                summary.objects += UInt64(batch.count)
                let size = batch.reduce(0) { $0 + UInt64($1.frame.stored.count) }
                summary.bytes += size
                progress(size)
                checking.append(Task { try await threads.run { try batch.map { try $0.checked(in: name) } } })
            }
            guard !checking.isEmpty else { return }
            let objects = try await checking.removeFirst().value
            try await threads.run { try database.store.append(objects) }
        }
    }

    private func complete(_ database: FileDatabase, _ last: BackupDescription, _ summary: inout Summary) async throws {
        let commit = try Commit(decoding: database.store.read(last.commit, .commit))
        let key = try last.identity.map { bytes in
            guard let key = NodeKey(rawBytes: bytes), key.id == commit.actor.node else { throw BackupError("the backup holds the key of another node") }
            return key
        }
        // Without the node's key this is no member: it begins by itself, or joins.
        try await database.restore(files: last.files, system: key == nil ? TreeNode.empty.hash : commit.system.root, time: commit.time)
        let system = TreeView.documents(of: commit.system, in: database)
        var local = LocalState()
        let documents = try HorizonDocuments(system)
        local.seen = documents.seen[commit.actor.node]?.seen
        local.caughtUp = documents.listed[commit.actor.node] == commit.actor.incarnation ? documents.horizon.rawValue : nil
        let cluster = try Cluster(system)
        local.importedFrom = cluster.id
        if let key {
            local.peers = cluster.members.filter { $0.key != key.id }.sorted { $0.key < $1.key }.compactMap { _, member in
                member.address.map { LocalState.Peer(nodeID: member.nodeID, label: member.label, address: $0) }
            }
            try PrivateFile.write(key.rawBytes, to: workshop + "/node.key")
            summary.nodeID = key.id.description
        }
        let written = local
        try LocalStateFile(directory: workshop).change { $0 = written }
        let head = database.head.commit.files
        summary.files = head.aggregates.files
        summary.root = head.root.description
        summary.clusterID = cluster.id
    }
}

extension BackupReader.Object {
    /// The object, if it has its hash. Blocks.
    public func checked(in name: String) throws -> PreparedObject {
        let header = frame.header
        do {
            return try PreparedObject(
                checking: header.hash, header.kind, header.codec == .zstd ? .zstd : .raw, rawLength: header.rawLength, stored: frame.stored)
        } catch {
            throw BackupError("\(name): " + BackupError.damaged(offset, "\(header.kind) \(header.hash) does not have its hash").reason)
        }
    }
}
