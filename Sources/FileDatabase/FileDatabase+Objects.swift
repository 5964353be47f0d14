import Causality
import Content
import Objects

extension FileDatabase {
    /// An object that a value needs.
    public struct NeededObject: Hashable, Sendable {
        public var hash: ContentHash
        public var kind: ObjectKind
        /// Bytes that it must have, where the value says so.
        public var size: UInt64?
    }

    /// The objects that these values need, each once, as far as the manifests are here. Blocks.
    ///
    /// A manifest may name one node many times, and so describe exabytes in a few kilobytes; each node is looked at once.
    /// - Parameter opens: whether a manifest node may be looked into.
    /// - Throws: `DatabaseError`: `invalid` for a manifest that is not one.
    public func objects(
        of items: [BulkItem], opening opens: @escaping (ContentHash) -> Bool = { _ in true }
    ) throws -> [NeededObject] {
        var search = ObjectSearch(store: store, opens: opens)
        for item in items {
            guard case .file(let file) = item.value else { continue }
            if let attributes = file.attributes { search.add(NeededObject(hash: attributes, kind: .attributes)) }
            do {
                try search.visit(ManifestNode.Child(hash: file.content.root, size: file.content.size), height: file.content.height)
            } catch let error as MalformedBytes {
                throw DatabaseError(.invalid, "has a manifest that is not well formed: \(error)", path: item.path)
            } catch {
                throw DatabaseError(error)
            }
        }
        return search.needed
    }

    /// Which of the objects are not stored here. Blocks.
    ///
    /// - Throws: `DatabaseError`: `invalid` for one that is here, but is of another kind or size than its value says.
    public func missingObjects(of needed: [NeededObject]) throws -> [ContentHash] {
        let locations = try asDatabaseErrors { try store.locations(of: needed.map(\.hash)) }
        var missing: [ContentHash] = []
        for (object, location) in zip(needed, locations) {
            guard let location else {
                missing.append(object.hash)
                continue
            }
            guard location.kind == object.kind, object.size.map({ $0 == UInt64(location.rawLength) }) ?? true else {
                throw DatabaseError(.invalid, "\(object.hash) is not a \(object.kind) of the size that the value says")
            }
        }
        return missing
    }
}

/// A walk through manifests that goes into each node once.
private struct ObjectSearch {
    /// A node and what is expected where it stands, which decides whether it is well formed there.
    private struct Place: Hashable {
        var child: ManifestNode.Child
        var height: Int
        var isRoot: Bool
        var isLast: Bool
    }

    let store: ObjectStore
    let opens: (ContentHash) -> Bool
    private(set) var needed: [FileDatabase.NeededObject] = []
    private var known: Set<FileDatabase.NeededObject> = []
    private var visited: Set<Place> = []

    init(store: ObjectStore, opens: @escaping (ContentHash) -> Bool) {
        self.store = store
        self.opens = opens
    }

    mutating func add(_ object: FileDatabase.NeededObject) {
        if known.insert(object).inserted { needed.append(object) }
    }

    mutating func visit(_ child: ManifestNode.Child, height: Int, isRoot: Bool = true, isLast: Bool = true) throws {
        guard height > 0 else { return add(FileDatabase.NeededObject(hash: child.hash, kind: .chunk, size: child.size)) }
        guard visited.insert(Place(child: child, height: height, isRoot: isRoot, isLast: isLast)).inserted else { return }
        add(FileDatabase.NeededObject(hash: child.hash, kind: .manifest))
        // One of another kind is told from a missing one where the needed objects are looked up.
        guard opens(child.hash), try store.location(of: child.hash)?.kind == .manifest else { return }
        let node = try ManifestNode(
            decoding: store.read(child.hash, .manifest), height: height, size: child.size, isRoot: isRoot, isLast: isLast)
        for (index, next) in node.children.enumerated() {
            try visit(next, height: height - 1, isRoot: false, isLast: isLast && index == node.children.count - 1)
        }
    }
}
