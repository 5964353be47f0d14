import Content

/// A place in a directory's tree that moves on item by item: over references, skipping what is below them, or down
/// into them.
struct TreeCursor<Reader: NodeReader> {
    private let reader: Reader
    private var frames: [(node: TreeNode, index: Int)] = []

    init(_ reader: Reader, root: ContentHash?) throws {
        self.reader = reader
        guard let root, root != TreeNode.empty.hash else { return }
        let node = try reader.node(root)
        guard node.count > 0 else { return }
        frames = [(node, 0)]
    }

    var isAtEnd: Bool { frames.isEmpty }

    /// The level of the node that the current item is in; at 0 the item is an entry.
    var level: Int { frames[frames.count - 1].node.level }

    var child: TreeNode.Child {
        let (node, index) = frames[frames.count - 1]
        return node.children[index]
    }

    var entryName: String {
        let (node, index) = frames[frames.count - 1]
        return node.name(at: index)
    }

    func entry() throws -> Entry {
        let (node, index) = frames[frames.count - 1]
        return try node.entry(at: index)
    }

    /// Whether both stand at entries of the same bytes.
    func hasSameEntry(as other: TreeCursor) -> Bool {
        let (mine, theirs) = (frames[frames.count - 1], other.frames[other.frames.count - 1])
        let (left, right) = (mine.node.entryRange(at: mine.index), theirs.node.entryRange(at: theirs.index))
        return left.count == right.count && mine.node.bytes[left] == theirs.node.bytes[right]
    }

    mutating func descend() throws {
        let node = try reader.node(child.hash)
        guard node.count > 0, node.level < level else { throw MalformedBytes("tree node \(node.hash) has the wrong level") }
        frames.append((node, 0))
    }

    mutating func advance() {
        while !frames.isEmpty {
            let last = frames.count - 1
            frames[last].index += 1
            if frames[last].index < frames[last].node.count { return }
            frames.removeLast()
        }
    }

    /// Goes down to the next entry, if it is not at one.
    mutating func descendToEntry() throws {
        while !isAtEnd, level > 0 { try descend() }
    }

    /// Moves behind the entry of this name, or of where it would stand. Only from the start. O(log n).
    mutating func skip(past name: String) throws {
        try seek(name)
        if !isAtEnd, entryName.utf8.elementsEqual(name.utf8) { advance() }
    }

    /// Moves to the first entry whose name is not below `name`. Only from the start. O(log n).
    mutating func seek(_ name: String) throws {
        while !frames.isEmpty {
            let last = frames.count - 1
            let index = frames[last].node.lowerBound(of: name)
            guard index < frames[last].node.count else {
                frames = []
                return
            }
            frames[last].index = index
            if level == 0 { return }
            try descend()
        }
    }
}
