import Content

/// Where tree nodes are read from.
public protocol NodeReader {
    /// The node of this hash, whose bytes have been checked against it.
    func node(_ hash: ContentHash) throws -> TreeNode
}

/// Where an edit puts the nodes it makes.
public protocol NodeStore: NodeReader {
    mutating func insert(_ node: TreeNode)
}

/// A node that is not there.
public struct MissingNode: Error, CustomStringConvertible {
    public var hash: ContentHash

    public init(hash: ContentHash) {
        self.hash = hash
    }

    public var description: String { "tree node \(hash) is missing" }
}

/// Nodes in memory: for tests, and for what an edit makes before it is written.
public struct MemoryNodes: NodeStore, Sendable {
    public private(set) var nodes: [ContentHash: TreeNode] = [TreeNode.empty.hash: .empty]

    public init() {}

    public func node(_ hash: ContentHash) throws -> TreeNode {
        guard let node = nodes[hash] else { throw MissingNode(hash: hash) }
        return node
    }

    public mutating func insert(_ node: TreeNode) {
        nodes[node.hash] = node
    }
}
