import FileDatabase
import Foundation
import Merkle
import Objects
import Platform
import Synchronization

/// What one folder's sync works on: the folder, its index and its database. One process at a time.
public final class FolderState: Sendable {
    let layout: FolderLayout
    let root: DirectoryHandle
    let index: FolderIndex
    let chunks: FolderChunks
    let incoming: IncomingFiles
    public let database: FileDatabase
    let names: LocalNames
    public let scope: FolderScope
    let batches: BatchSizes
    /// The inode of the folder when it was opened: whoever mounts something over it changes that.
    private let identity: FileStatus
    private let pairing: Pairing

    /// Opens a folder that is paired.
    ///
    /// - Parameters:
    ///   - database: the one in the folder's state; its chunks are the folder's from now on.
    ///   - traits: of the file system, where they are not to be tried out.
    public convenience init(folder: String, database: FileDatabase, scope: FolderScope = .everything, traits: FileSystemTraits? = nil) throws {
        try self.init(folder: folder, database: database, scope: scope, traits: traits, batches: BatchSizes())
    }

    init(folder: String, database: FileDatabase, scope: FolderScope, traits: FileSystemTraits?, batches: BatchSizes) throws {
        self.batches = batches
        layout = FolderLayout(folder: folder)
        self.scope = scope
        self.database = database
        guard let pairing = try Pairing.read(layout) else {
            throw FolderError(.folder, "\(folder) is not paired with a server")
        }
        self.pairing = pairing
        do {
            root = try DirectoryHandle(path: folder)
            identity = try root.status()
            _ = try OperatingSystemDisk(path: layout.incoming)
            incoming = try IncomingFiles(path: layout.incoming)
            names = LocalNames(traits: try traits ?? FileSystemTraits(probing: incoming.directory))
        } catch let error as DiskError {
            throw FolderError(error)
        }
        index = try FolderIndex(directory: layout.index)
        chunks = FolderChunks(root: root, index: index, spool: try ChunkSpool(path: layout.spool))
        database.store.use(chunks)
        // Nobody looks for the past on a desk: the server has it.
        database.keepNoPast()
        // What the folder shows may be older than all that the database keeps for itself.
        let index = index
        _ = database.addRootSource { [.tree(try index.read { try $0.placed() }.root)] }
    }

    /// To be called last. Blocks.
    public func close() {
        // It is done at the next start if it cannot be done now.
        try? index.close()
    }

    var traits: FileSystemTraits { names.traits }

    /// Whether nothing was ever taken from the folder or from a server.
    public var isUntouched: Bool { database.view.files.root == TreeNode.empty.hash && database.head.hash == nil }

    /// Makes sure that the folder is still the one that was paired, and not the empty place where it is mounted.
    func requireFolder() throws {
        let now = try? DirectoryHandle(path: layout.folder).status()
        guard let now, now.inode == identity.inode, now.device == identity.device else {
            throw FolderError(.folder, "\(layout.folder) is not the folder that it was: is its disk still mounted? Nothing was deleted anywhere")
        }
        guard (try? Pairing.read(layout))??.id == pairing.id else {
            throw FolderError(.folder, "\(layout.state) is gone, so this may not be the folder that was paired; nothing was deleted anywhere")
        }
    }
}

/// With whom a folder is paired.
public struct Pairing: Codable, Sendable, Hashable {
    /// Drawn when the folder was paired.
    public var id: String
    public var url: String
    /// The server's cluster; nil until it was reached.
    public var cluster: String?
    public var paths: [String]

    public init(id: String, url: String, cluster: String?, paths: [String]) {
        self.id = id
        self.url = url
        self.cluster = cluster
        self.paths = paths
    }

    static func read(_ layout: FolderLayout) throws -> Pairing? {
        guard let bytes = try PrivateFile.read(layout.pairing) else { return nil }
        guard let pairing = try? JSONDecoder().decode(Pairing.self, from: Data(bytes)) else {
            throw FolderError(.state, "\(layout.pairing) is damaged; restore it, or remove \(layout.state) to pair the folder anew")
        }
        return pairing
    }

    func write(_ layout: FolderLayout) throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        try PrivateFile.write(Array(encoder.encode(self)), to: layout.pairing)
    }

    /// The pairing of a folder; nil if it has none.
    public static func of(folder: String) throws -> Pairing? { try read(FolderLayout(folder: folder)) }

    /// Pairs a folder, or changes with whom it is.
    public func store(in folder: String) throws {
        let layout = FolderLayout(folder: folder)
        _ = try OperatingSystemDisk(path: layout.state)
        try write(layout)
    }
}
