import Content
import Objects

/// Finds what stands at a place of a file, going down its manifest. Keeps the nodes that it has read, since those who ask for
/// one place mostly ask for its neighbours.
public struct ManifestPlaces {
    /// Nodes that are kept; a megabyte and a half at the most.
    private static let maximumKept = 32

    private let store: ObjectStore
    private var kept: [ContentHash: ManifestNode] = [:]

    public init(_ database: FileDatabase) {
        store = database.store
    }

    /// The node or chunk of a height that begins at a byte of the file; nil if there is none there. Blocks. O(height).
    public mutating func object(of content: FileContent, height: Int, offset: UInt64) throws -> ContentHash? {
        guard height <= content.height else { return nil }
        var child = ManifestNode.Child(hash: content.root, size: content.size)
        var start: UInt64 = 0
        var isLast = true
        for level in stride(from: content.height, to: height, by: -1) {
            let node = try node(child, height: level, isRoot: level == content.height, isLast: isLast)
            guard let index = place(of: offset, in: node, from: &start) else { return nil }
            child = node.children[index]
            isLast = isLast && index == node.children.count - 1
        }
        return start == offset ? child.hash : nil
    }

    /// - Parameter start: where the node begins, then where the child does.
    private func place(of offset: UInt64, in node: ManifestNode, from start: inout UInt64) -> Int? {
        for (index, child) in node.children.enumerated() {
            if offset < start + child.size { return offset >= start ? index : nil }
            start += child.size
        }
        return nil
    }

    private mutating func node(_ child: ManifestNode.Child, height: Int, isRoot: Bool, isLast: Bool) throws -> ManifestNode {
        // Whether it may stand here is checked where it is taken in; here it is only to be found.
        if let node = kept[child.hash], node.height == height, node.size == child.size { return node }
        let bytes = try asDatabaseErrors { try store.read(child.hash, .manifest) }
        let node = try ManifestNode(decoding: bytes, height: height, size: child.size, isRoot: isRoot, isLast: isLast)
        if kept.count >= ManifestPlaces.maximumKept { kept.removeAll(keepingCapacity: true) }
        kept[child.hash] = node
        return node
    }
}
