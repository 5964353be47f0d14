import Content
import Merkle

/// What a pull needs to know of this node's own objects.
public protocol LocalObjects {
    /// A tree node, if it is here, checked against its hash.
    func treeNode(_ hash: ContentHash) throws -> TreeNode?
    /// A manifest node, if it is here, checked against its hash.
    func manifestNode(_ hash: ContentHash) throws -> [UInt8]?
    /// Those of the chunks that are not here.
    /// - Throws: `MalformedBytes` where one is here with another size.
    func lacking(_ chunks: [Pull.Chunk]) throws -> [Pull.Chunk]
    func contains(_ hash: ContentHash) throws -> Bool
}

/// The tree nodes of this node's own trees, all of which are here.
struct LocalNodes<Local: LocalObjects>: NodeReader {
    let local: Local

    func node(_ hash: ContentHash) throws -> TreeNode {
        guard let node = try local.treeNode(hash) else { throw MissingNode(hash: hash) }
        return node
    }
}
