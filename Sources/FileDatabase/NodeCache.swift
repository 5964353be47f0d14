import Content
import Merkle
import Objects
import Synchronization

/// Tree nodes that were read lately, in two generations: what is not asked for while one generation fills up is let go.
final class NodeCache: Sendable {
    private struct Generations {
        var young: [ContentHash: TreeNode] = [:]
        var old: [ContentHash: TreeNode] = [:]
        var youngBytes = 0
    }

    private let limit: Int
    private let generations = Mutex(Generations())
    private let hits = Atomic(0)
    private let misses = Atomic(0)

    /// Reads that found a node, and those that did not.
    var counts: (hits: Int, misses: Int) { (hits.load(ordering: .relaxed), misses.load(ordering: .relaxed)) }

    /// - Parameter limit: bytes of nodes held at the most, about.
    init(limit: Int) {
        self.limit = limit
    }

    subscript(hash: ContentHash) -> TreeNode? {
        let found = generations.withLock { cache -> TreeNode? in
            if let node = cache.young[hash] { return node }
            guard let node = cache.old[hash] else { return nil }
            insert(node, &cache)
            return node
        }
        if found == nil { misses.add(1, ordering: .relaxed) } else { hits.add(1, ordering: .relaxed) }
        return found
    }

    func insert(_ node: TreeNode) {
        generations.withLock { insert(node, &$0) }
    }

    private func insert(_ node: TreeNode, _ cache: inout Generations) {
        if cache.young.updateValue(node, forKey: node.hash) == nil { cache.youngBytes += node.memory }
        if cache.youngBytes > limit / 2 {
            cache.old = cache.young
            cache.young = [:]
            cache.youngBytes = 0
        }
    }
}

extension TreeNode {
    /// Bytes in memory, about: the encoded ones and what was decoded from them.
    fileprivate var memory: Int { bytes.count * 2 + 200 }
}

/// Reads tree nodes from the store, through the cache.
struct StoredNodes: NodeReader, Sendable {
    let store: ObjectStore
    let cache: NodeCache

    func node(_ hash: ContentHash) throws -> TreeNode {
        if hash == TreeNode.empty.hash { return .empty }
        if let node = cache[hash] { return node }
        let node = try TreeNode(store.read(hash, .tree), hash: hash)
        cache.insert(node)
        return node
    }
}

/// What an edit makes, over what is stored.
struct DraftNodes: NodeStore {
    let stored: StoredNodes
    private(set) var made: [ContentHash: TreeNode] = [:]

    init(over stored: StoredNodes) {
        self.stored = stored
    }

    func node(_ hash: ContentHash) throws -> TreeNode {
        if let node = made[hash] { return node }
        return try stored.node(hash)
    }

    mutating func insert(_ node: TreeNode) {
        made[node.hash] = node
    }
}
