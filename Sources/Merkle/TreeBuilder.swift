import Content

/// Builds a directory's tree from its items in order: entries, or whole nodes of an older tree where nothing changed.
///
/// One open node a level. A node of an older tree can be taken as it is whenever all levels below it are closed, which
/// is so after every name that cuts there.
///
/// The store is passed to each call rather than held, so that nothing copies it.
struct TreeBuilder {
    private var entries: [LeafItem] = []
    /// upper[0] holds references to leaves, on their way into a node of level 1.
    private var upper: [[TreeNode.Child]] = []
    private var byteCount = 0

    /// Whether a node of this level can be taken whole.
    func isAligned(at level: Int) -> Bool {
        entries.isEmpty && upper.prefix(level).allSatisfy(\.isEmpty)
    }

    /// - Parameter cuts: How many levels the name cuts.
    mutating func append(_ item: LeafItem, cuts: Int, to store: inout some NodeStore) throws {
        // A node that could not be read again must not be made.
        guard item.byteCount <= TreeNode.maximumEntrySize else { throw OversizedEntry(name: item.name) }
        entries.append(item)
        byteCount += item.byteCount
        guard entries.count <= TreeNode.maximumItems, byteCount <= TreeNode.maximumSize - TreeNode.maximumItems * 4 else { throw OversizedDirectory() }
        if cuts > 0 { try close(through: cuts, &store) }
    }

    /// Takes a node of an older tree; it must be aligned.
    mutating func append(_ child: TreeNode.Child, level: Int, cuts: Int, to store: inout some NodeStore) throws(OversizedDirectory) {
        try push(child, level: level)
        if cuts > level { try close(through: cuts, &store) }
    }

    /// The finished directory.
    mutating func finish(in store: inout some NodeStore) throws -> Subtree {
        if entries.isEmpty && upper.allSatisfy(\.isEmpty) {
            return .empty
        }
        if !entries.isEmpty { try closeLeaf(&store) }
        var level = 0
        while level < upper.count - 1 || upper[level].count > 1 {
            if !upper[level].isEmpty { try closeUpper(level, &store) }
            level += 1
        }
        // A last name that cuts several levels leaves nodes with a single child on top; a root is never one of those.
        var root = upper[level][0]
        while level > 0 {
            let node = try store.node(root.hash)
            guard node.count == 1 else { break }
            root = node.children[0]
            level -= 1
        }
        return Subtree(root: root.hash, aggregates: root.aggregates)
    }

    private mutating func push(_ child: TreeNode.Child, level: Int) throws(OversizedDirectory) {
        while upper.count <= level { upper.append([]) }
        upper[level].append(child)
        guard upper[level].count <= TreeNode.maximumItems else { throw OversizedDirectory() }
    }

    private mutating func close(through cuts: Int, _ store: inout some NodeStore) throws(OversizedDirectory) {
        if !entries.isEmpty { try closeLeaf(&store) }
        for level in 0..<(cuts - 1) where level < upper.count && !upper[level].isEmpty {
            try closeUpper(level, &store)
        }
    }

    private mutating func closeLeaf(_ store: inout some NodeStore) throws(OversizedDirectory) {
        let node = TreeNode(entries: entries)
        var sums = Aggregates.zero
        for entry in entries { sums += entry.aggregates }
        store.insert(node)
        try push(TreeNode.Child(lastName: entries[entries.count - 1].name, hash: node.hash, aggregates: sums), level: 0)
        entries.removeAll(keepingCapacity: true)
        byteCount = 0
    }

    /// Makes a node of level `level + 1` of the references at `level`.
    private mutating func closeUpper(_ level: Int, _ store: inout some NodeStore) throws(OversizedDirectory) {
        let children = upper[level]
        upper[level] = []
        let node = TreeNode(level: level + 1, children: children)
        var sums = Aggregates.zero
        for child in children { sums += child.aggregates }
        store.insert(node)
        try push(TreeNode.Child(lastName: children[children.count - 1].lastName, hash: node.hash, aggregates: sums), level: level + 1)
    }
}

/// A directory with a run of names that no node can hold. Names have to be chosen on purpose to get there.
public struct OversizedDirectory: Error, Equatable, CustomStringConvertible {
    public var description: String { "the directory has a run of names too long for one node; use other names" }
}

/// A name with more versions than an entry can hold: thousands of conflicts that nobody resolved.
public struct OversizedEntry: Error, Equatable, CustomStringConvertible {
    public var name: String

    public var description: String { "the name '\(name)' has too many conflicting versions; resolve some of them" }
}
