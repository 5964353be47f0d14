import Causality
import Content
import Merkle
import Objects

/// A path that needs an object.
public struct NeededPath: Sendable, Hashable {
    /// In the system tree with `/.system` in front; of a tree node the directory that it is of.
    public var path: String
    /// The newest kept commit in whose state it is so; nil for the present state and for a snapshot.
    public var commit: ContentHash?
    public var snapshot: String?
}

extension FileDatabase {
    /// Which paths need some objects, in the present state, and for objects that it does not need in the kept ones. Blocks: O(tree).
    ///
    /// - Parameter limit: paths for each object at the most.
    public func paths(needing hashes: Set<ContentHash>, limit: Int = 10) throws -> [ContentHash: [NeededPath]] {
        try asDatabaseErrors {
            var search = NeedSearch(store: store, wanted: hashes, limit: limit)
            let head = self.head
            try search.visit(head.commit.files.root, at: "", NeededPath(path: ""))
            try search.visit(head.commit.system.root, at: "/.system", NeededPath(path: ""))
            if search.found.count == hashes.count { return search.found }
            try eachKeptState { state in
                try search.visit(state.root, at: "", NeededPath(path: "", commit: state.commit, snapshot: state.snapshot))
                return search.found.count < hashes.count
            }
            return search.found
        }
    }
}

/// A walk through trees that remembers where it has been.
private struct NeedSearch {
    let store: ObjectStore
    let wanted: Set<ContentHash>
    let limit: Int
    private(set) var found: [ContentHash: [NeededPath]] = [:]
    private let visited = Marks()
    /// Manifests that lead to what is wanted, and to what.
    private var manifests: [ContentHash: Set<ContentHash>] = [:]
    /// Manifests that do not.
    private let clean = Marks()

    init(store: ObjectStore, wanted: Set<ContentHash>, limit: Int) {
        self.store = store
        self.wanted = wanted
        self.limit = limit
    }

    /// - Parameter state: whose tree it is.
    mutating func visit(_ root: ContentHash, at path: String, _ state: NeededPath) throws {
        var stack = [(hash: root, path: path)]
        while let (hash, path) = stack.popLast() {
            if hash == TreeNode.empty.hash { continue }
            if wanted.contains(hash) { add(hash, path.isEmpty ? "/" : path, state) }
            guard visited.walk(hash), let bytes = try read(hash, .tree) else { continue }
            let node = try TreeNode(bytes, hash: hash)
            for child in node.children { stack.append((child.hash, path)) }
            for index in 0..<(node.level == 0 ? node.count : 0) {
                let entry = try node.entry(at: index)
                let name = "\(path)/\(entry.name)"
                if let subtree = entry.subtree { stack.append((subtree.root, name)) }
                for case .file(let file) in entry.register?.versions.map(\.value) ?? [] {
                    for hash in try wanted(in: file.content.root, height: file.content.height) { add(hash, name, state) }
                    if let attributes = file.attributes, wanted.contains(attributes) { add(attributes, name, state) }
                }
            }
        }
    }

    private mutating func add(_ hash: ContentHash, _ path: String, _ state: NeededPath) {
        var place = state
        place.path = path
        guard found[hash]?.count ?? 0 < limit, found[hash]?.contains(place) != true else { return }
        found[hash, default: []].append(place)
    }

    /// What is wanted of a content.
    private mutating func wanted(in root: ContentHash, height: Int) throws -> Set<ContentHash> {
        var result: Set<ContentHash> = wanted.contains(root) ? [root] : []
        guard height > 0, !clean.isWalked(root) else { return result }
        if let known = manifests[root] { return known }
        var children: [ContentHash] = []
        if let bytes = try read(root, .manifest) { try ManifestNode.scanChildren(of: bytes) { children.append($0) } }
        for child in children { result.formUnion(try wanted(in: child, height: height - 1)) }
        if result.isEmpty { _ = clean.walk(root) } else { manifests[root] = result }
        return result
    }

    /// Nil for what is not here as it should be.
    private func read(_ hash: ContentHash, _ kind: ObjectKind) throws -> [UInt8]? {
        do throws(StoreError) {
            return try store.read(hash, kind)
        } catch {
            if error.code == .missing || error.code == .damaged { return nil }
            throw error
        }
    }
}
