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
    /// - Parameters:
    ///   - after: Begin behind this path, which lies below `path`.
    ///   - matters: Whether there is anything of interest under such sums: nodes and subdirectories without are passed over
    ///     unread, though single entries without may still come.
    ///   - descend: Whether to go into the subdirectory at a path.
    public func walk<Reader: NodeReader>(
        at path: TreePath = .root, after: TreePath? = nil, in reader: Reader,
        where matters: @escaping (Aggregates) -> Bool = { _ in true }, descend: @escaping (TreePath) -> Bool = { _ in true }
    ) throws -> TreeWalk<Reader> {
        try TreeWalk(reader, self, at: path, after: after, matters: matters, descend: descend)
    }
}

/// The entries of one directory.
public struct EntryIterator<Reader: NodeReader> {
    private var cursor: TreeCursor<Reader>
    private let matters: (Aggregates) -> Bool

    init(
        _ reader: Reader, root: ContentHash, after name: String?, where matters: @escaping (Aggregates) -> Bool = { _ in true }
    ) throws {
        self.matters = matters
        cursor = try TreeCursor(reader, root: root)
        if let name {
            try cursor.seek(name)
            if !cursor.isAtEnd, cursor.entryName.isSameName(as: name) { cursor.advance() }
        }
    }

    public mutating func next() throws -> Entry? {
        while !cursor.isAtEnd, cursor.level > 0 {
            if matters(cursor.child.aggregates) { try cursor.descend() } else { cursor.advance() }
        }
        guard !cursor.isAtEnd else { return nil }
        let entry = try cursor.entry()
        cursor.advance()
        return entry
    }
}

/// A walk through directories, depth first.
public struct TreeWalk<Reader: NodeReader> {
    private let reader: Reader
    private let matters: (Aggregates) -> Bool
    private let descend: (TreePath) -> Bool
    private var stack: [(path: TreePath, entries: EntryIterator<Reader>)] = []

    init(
        _ reader: Reader, _ directory: Subtree, at path: TreePath, after: TreePath?,
        matters: @escaping (Aggregates) -> Bool, descend: @escaping (TreePath) -> Bool
    ) throws {
        self.reader = reader
        self.matters = matters
        self.descend = descend
        guard let after, after.isWithin(path) else {
            stack = [(path, try EntryIterator(reader, root: directory.root, after: nil, where: matters))]
            return
        }
        // Each directory on the way is entered behind the name that leads on, which has been seen.
        var directory = directory
        var path = path
        for name in after.names.dropFirst(path.depth) {
            stack.append((path, try EntryIterator(reader, root: directory.root, after: name, where: matters)))
            path = path.appending(name)
            guard let subtree = try directory.entry(named: name, in: reader)?.subtree, isOpen(path, subtree) else { return }
            directory = subtree
        }
        stack.append((path, try EntryIterator(reader, root: directory.root, after: nil, where: matters)))
    }

    public mutating func next() throws -> (path: TreePath, entry: Entry)? {
        while !stack.isEmpty {
            let last = stack.count - 1
            guard let entry = try stack[last].entries.next() else {
                stack.removeLast()
                continue
            }
            let path = stack[last].path.appending(entry.name)
            if let subtree = entry.subtree, isOpen(path, subtree) {
                stack.append((path, try EntryIterator(reader, root: subtree.root, after: nil, where: matters)))
            }
            return (path, entry)
        }
        return nil
    }

    private func isOpen(_ path: TreePath, _ subtree: Subtree) -> Bool {
        matters(subtree.aggregates) && descend(path)
    }
}
