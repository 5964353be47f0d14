import Causality
import Content

extension Subtree {
    /// The entry of this name in this directory. O(log n).
    public func entry(named name: String, in reader: some NodeReader) throws -> Entry? {
        var hash = root
        while true {
            let node = try reader.node(hash)
            let index = node.lowerBound(of: name)
            guard index < node.count else { return nil }
            if node.level > 0 {
                hash = node.children[index].hash
            } else {
                return node.name(at: index).isSameName(as: name) ? try node.entry(at: index) : nil
            }
        }
    }

    /// The entry at a path below this directory, which must not be the directory itself.
    public func entry(at path: TreePath, in reader: some NodeReader) throws -> Entry? {
        var directory = self
        for (index, name) in path.names.enumerated() {
            guard let entry = try directory.entry(named: name, in: reader) else { return nil }
            if index == path.names.count - 1 { return entry }
            guard let subtree = entry.subtree else { return nil }
            directory = subtree
        }
        return nil
    }

    /// The entries of this directory in order of name, from the first one after `name` on. Deleted ones included.
    public func entries<Reader: NodeReader>(after name: String? = nil, in reader: Reader) throws -> EntryIterator<Reader> {
        try EntryIterator(reader, root: root, after: name)
    }

    /// All entries below this directory, in order of path, a directory before what is in it. Deleted ones included.
    ///
    /// - Parameter descend: whether to go into a subdirectory.
    public func walk<Reader: NodeReader>(
        at path: TreePath = .root, after: TreePath? = nil, in reader: Reader,
        descend: @escaping (TreePath, Subtree) -> Bool = { _, _ in true }
    ) throws -> TreeWalk<Reader> {
        try TreeWalk(reader, self, at: path, after: after, descend: descend)
    }
}

/// The entries of one directory.
public struct EntryIterator<Reader: NodeReader> {
    private var cursor: TreeCursor<Reader>

    init(_ reader: Reader, root: ContentHash, after name: String?) throws {
        cursor = try TreeCursor(reader, root: root)
        if let name {
            try cursor.seek(name)
            if !cursor.isAtEnd, cursor.entryName.isSameName(as: name) { cursor.advance() }
        }
    }

    public mutating func next() throws -> Entry? {
        try cursor.descendToEntry()
        guard !cursor.isAtEnd else { return nil }
        let entry = try cursor.entry()
        cursor.advance()
        return entry
    }
}

/// A walk through directories, depth first.
public struct TreeWalk<Reader: NodeReader> {
    private let reader: Reader
    private let descend: (TreePath, Subtree) -> Bool
    private var stack: [(path: TreePath, entries: EntryIterator<Reader>)] = []

    init(
        _ reader: Reader, _ directory: Subtree, at path: TreePath, after: TreePath?,
        descend: @escaping (TreePath, Subtree) -> Bool
    ) throws {
        self.reader = reader
        self.descend = descend
        guard let after, after.isWithin(path) else {
            stack = [(path, try directory.entries(in: reader))]
            return
        }
        // Each directory on the way is entered behind the name that leads on, which has been seen.
        var directory = directory
        var path = path
        for name in after.names.dropFirst(path.depth) {
            stack.append((path, try directory.entries(after: name, in: reader)))
            path = path.appending(name)
            guard let subtree = try directory.entry(named: name, in: reader)?.subtree, descend(path, subtree) else { return }
            directory = subtree
        }
        stack.append((path, try directory.entries(in: reader)))
    }

    public mutating func next() throws -> (path: TreePath, entry: Entry)? {
        while !stack.isEmpty {
            let last = stack.count - 1
            guard let entry = try stack[last].entries.next() else {
                stack.removeLast()
                continue
            }
            let path = stack[last].path.appending(entry.name)
            if let subtree = entry.subtree, descend(path, subtree) {
                stack.append((path, try subtree.entries(in: reader)))
            }
            return (path, entry)
        }
        return nil
    }
}
