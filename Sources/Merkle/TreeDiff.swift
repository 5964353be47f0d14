import Causality
import Content

/// One path at which two trees differ.
public struct TreeDifference: Sendable {
    public var path: TreePath
    public var before: Register?
    public var after: Register?
    /// The subdirectories of the same name.
    public var subtreeBefore: Subtree?
    public var subtreeAfter: Subtree?
    /// A subdirectory that only the second tree has and that was not gone into; see `TreeDiff.init`.
    public var added: Subtree?
}

/// The paths at which two trees differ, in order, read as they are asked for. Only subtrees with different hashes are
/// visited: O(differences × log n).
public struct TreeDiff<Reader: NodeReader> {
    private struct Level {
        var path: TreePath
        var before: TreeCursor<Reader>
        var after: TreeCursor<Reader>
    }

    private let reader: Reader
    private let keepsAddedWhole: Bool
    private let tellsVisibility: Bool
    private let descend: (TreePath) -> Bool
    private var stack: [Level] = []

    /// - Parameters:
    ///   - keepsAddedWhole: Tell a subdirectory that only `after` has as one difference, and leave out one that only
    ///     `before` has: what a join needs.
    ///   - tellsVisibility: Also tell a path whose register is the same, but which a directory of the same name has begun or
    ///     ceased to hide.
    ///   - last: The path of the difference that a walk ended with; this one begins behind it.
    ///   - descend: Whether to look into the directory at a path at all.
    public init(
        from before: Subtree, to after: Subtree, at path: TreePath = .root, in reader: Reader, keepsAddedWhole: Bool = false,
        tellsVisibility: Bool = false, after last: TreePath? = nil, descend: @escaping (TreePath) -> Bool = { _ in true }
    ) throws {
        self.reader = reader
        self.keepsAddedWhole = keepsAddedWhole
        self.tellsVisibility = tellsVisibility
        self.descend = descend
        try push(path, before.root, after.root)
        guard let last, last.isWithin(path) else { return }
        // Each directory on the way is entered behind the name that leads on, which has been seen.
        var (left, right): (Subtree?, Subtree?) = (before, after)
        var place = path
        for name in last.names.dropFirst(path.depth) {
            guard let top = stack.indices.last, stack[top].path == place else { return }
            try stack[top].before.skip(past: name)
            try stack[top].after.skip(past: name)
            left = try left?.entry(named: name, in: reader)?.subtree
            right = try right?.entry(named: name, in: reader)?.subtree
            place = place.appending(name)
            guard descend(place) else { return }
            try push(place, left?.root, right?.root)
        }
    }

    private mutating func push(_ path: TreePath, _ before: ContentHash?, _ after: ContentHash?) throws {
        if before == after { return }
        stack.append(Level(
            path: path, before: try TreeCursor(reader, root: before), after: try TreeCursor(reader, root: after)))
    }

    public mutating func next() throws -> TreeDifference? {
        while !stack.isEmpty {
            guard let (before, after) = try nextEntries() else {
                stack.removeLast()
                continue
            }
            let path = stack[stack.count - 1].path.appending((before ?? after)!.name)
            var difference = TreeDifference(
                path: path, before: before?.register, after: after?.register, subtreeBefore: before?.subtree,
                subtreeAfter: after?.subtree)
            if before?.subtree?.root != after?.subtree?.root {
                if keepsAddedWhole, before?.subtree == nil {
                    difference.added = after?.subtree
                } else if keepsAddedWhole, after?.subtree == nil {
                    // Nothing to add.
                } else if descend(path) {
                    try push(path, before?.subtree?.root, after?.subtree?.root)
                }
            }
            if difference.before != difference.after || difference.added != nil { return difference }
            if tellsVisibility, before?.isDirectory != after?.isDirectory, difference.before != nil { return difference }
        }
        return nil
    }

    /// The next name of the innermost directory whose entries differ; nil at its end.
    private mutating func nextEntries() throws -> (before: Entry?, after: Entry?)? {
        let top = stack.count - 1
        // Moved out and back, so that the cursors are not copied at each step.
        var level = stack[top]
        stack[top].before = try TreeCursor(reader, root: nil)
        stack[top].after = try TreeCursor(reader, root: nil)
        defer { stack[top] = level }
        while true {
            switch (level.before.isAtEnd, level.after.isAtEnd) {
            case (true, true): return nil
            case (true, false):
                try level.after.descendToEntry()
                defer { level.after.advance() }
                return (nil, try level.after.entry())
            case (false, true):
                try level.before.descendToEntry()
                defer { level.before.advance() }
                return (try level.before.entry(), nil)
            case (false, false):
                if level.before.level > level.after.level {
                    try level.before.descend()
                } else if level.before.level < level.after.level {
                    try level.after.descend()
                } else if level.before.level > 0 {
                    if level.before.child.hash == level.after.child.hash {
                        level.before.advance()
                        level.after.advance()
                    } else {
                        try level.before.descend()
                        try level.after.descend()
                    }
                } else {
                    let (left, right) = (level.before.entryName, level.after.entryName)
                    if left.sortsBefore(right) {
                        defer { level.before.advance() }
                        return (try level.before.entry(), nil)
                    }
                    if right.sortsBefore(left) {
                        defer { level.after.advance() }
                        return (nil, try level.after.entry())
                    }
                    let same = level.before.hasSameEntry(as: level.after)
                    defer {
                        level.before.advance()
                        level.after.advance()
                    }
                    if !same { return (try level.before.entry(), try level.after.entry()) }
                }
            }
        }
    }
}
