import Causality
import Content
import Merkle
import Objects

/// An immutable state of the database. Everything under its roots stays as it is while it is read. Calls block on the
/// disk where a node is not in memory.
public struct TreeView: Sendable {
    public let head: Head
    let nodes: StoredNodes
    let store: ObjectStore
    /// Keeps what it shows from being removed.
    let hold: RootHold
    /// Whether it is of a state of which only a part may be kept.
    var isPast = false

    public var files: Subtree { head.commit.files }

    /// The entry at a path; for the root, one without a register.
    public func entry(at path: TreePath, in tree: Tree = .files) throws -> Entry? {
        if path.isRoot { return Entry(name: "", subtree: head[tree]) }
        return try asDatabaseErrors { try head[tree].entry(at: path, in: nodes) }
    }

    /// A node of either tree.
    public func node(_ hash: ContentHash) throws -> TreeNode {
        try asDatabaseErrors { try nodes.node(hash) }
    }

    /// For reading trees that are complete here, whether they are a part of this view or not.
    public var reader: some NodeReader & Sendable { nodes }

    /// A document of the system tree; nil if there is none.
    public func document(_ path: TreePath) throws -> [UInt8]? {
        guard case .file(let file)? = try entry(at: path, in: .system)?.current?.value, file.isDocument else { return nil }
        return try asDatabaseErrors { try store.read(file.content.root, .chunk) }
    }

    /// The documents directly below a path of the system tree, by name. One that is damaged on this disk is passed over.
    public func documents(in path: TreePath) throws -> [(name: String, bytes: [UInt8])] {
        try documents(in: path, knowing: { _ in nil }).map { ($0.name, $0.bytes) }
    }

    /// The same, with the names of what they hold.
    ///
    /// - Parameter known: what an object holds that was read before, and may be damaged since.
    public func documents(
        in path: TreePath, knowing known: (ContentHash) -> [UInt8]?
    ) throws -> [(name: String, hash: ContentHash, bytes: [UInt8])] {
        try asDatabaseErrors {
            guard let directory = try entry(at: path, in: .system)?.subtree else { return [] }
            var entries = try directory.entries(in: nodes)
            var documents: [(name: String, hash: ContentHash, bytes: [UInt8])] = []
            while let entry = try entries.next() {
                guard case .file(let file)? = entry.current?.value, file.isDocument else { continue }
                let hash = file.content.root
                do {
                    documents.append((entry.name, hash, try known(hash) ?? store.read(hash, .chunk)))
                } catch let error as StoreError where error.code == .damaged || error.code == .missing {
                    continue
                }
            }
            return documents
        }
    }
}

extension TreeView {
    /// As for the database; but what is missing of a past state was let go.
    func asDatabaseErrors<Result>(_ body: () throws -> Result) throws -> Result {
        do {
            return try body()
        } catch let error as StoreError where isPast && error.code == .missing {
            throw DatabaseError(.gone, "this part of the state is not kept any more: the retention policy has let it go")
        } catch {
            throw DatabaseError(error)
        }
    }
}

/// Runs `body` and puts what it throws into the database's words.
func asDatabaseErrors<Result>(_ body: () throws -> Result) throws -> Result {
    do { return try body() } catch { throw DatabaseError(error) }
}

extension FileValue {
    /// Whether it can be a document of the system tree. What cannot is passed over, so that no odd one locks everybody out.
    fileprivate var isDocument: Bool {
        content.height == 0 && content.size <= UInt64(FileDatabase.Limits.maximumDocumentSize)
    }
}

extension TreeView {
    /// The documents that all versions at a path of the system tree hold, the losers too: for documents of which not the last
    /// one counts.
    public func allVersions(of path: TreePath) throws -> [[UInt8]] {
        try asDatabaseErrors {
            try (entry(at: path, in: .system)?.register?.versions ?? []).compactMap { version in
                guard case .file(let file) = version.value, file.isDocument else { return nil }
                do {
                    return try store.read(file.content.root, .chunk)
                } catch let error as StoreError where error.code == .damaged || error.code == .missing {
                    return nil
                }
            }
        }
    }
}

extension TreeView {
    /// A view of a system tree that is here, though it need not be this database's own.
    public static func documents(of system: Subtree, in database: FileDatabase) -> TreeView {
        let view = database.view
        var head = view.head
        head.commit.system = system
        return TreeView(head: head, nodes: database.nodes, store: database.store, hold: database.hold(.tree(system.root)))
    }
}
