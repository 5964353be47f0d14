import Causality
import Content
import Merkle

extension FileDatabase {
    /// Deletes a file, or a directory with all that is in it.
    ///
    /// - Throws: `DatabaseError`: `notFound`; `conflict` for a directory that is not empty, unless `recursive`.
    public func delete(_ path: TreePath, recursive: Bool = false, if condition: WriteCondition = .none) async throws {
        try await write { draft in
            guard !path.isRoot else { throw DatabaseError(.conflict, "the root cannot be deleted", path: path) }
            guard let entry = try draft.entry(at: path), entry.isVisible else {
                throw DatabaseError(.notFound, "nothing is there", path: path)
            }
            if condition != .none { try draft.check(condition, of: entry, at: path) }
            if entry.isDirectory, entry.subtree?.aggregates.isVisible == true, !recursive {
                throw DatabaseError(.conflict, "is a directory that is not empty; delete it recursively", path: path)
            }
            for (path, register) in try draft.liveRegisters(at: path) { draft.write(.tombstone, at: path, over: register) }
            // A file that the directory hid stays a loser; it is not what the user deleted, and must not come back by itself.
            if entry.hidesFile { draft.write(.tombstone, at: path, over: entry.register, keepsAll: true) }
            draft.note(cause: "delete \(path)")
        }
    }

    /// Moves a file or a whole directory, in one commit. Losing versions stay where they are.
    ///
    /// - Parameter condition: of the source.
    /// - Throws: `DatabaseError`: `notFound`; `conflict` where the target exists, unless `replace`; `invalid` for a move
    ///   into itself; `preconditionFailed`.
    public func move(
        _ source: TreePath, to target: TreePath, replace: Bool = false, if condition: WriteCondition = .none
    ) async throws -> FileInfo {
        try await transfer(source, to: target, replace: replace, removesSource: true, if: condition)
    }

    /// Copies a file or a whole directory by reference: no content is read or written.
    ///
    /// - Parameter condition: what must be at the source, or that nothing may be at the target.
    public func copy(
        _ source: TreePath, to target: TreePath, replace: Bool = false, if condition: WriteCondition = .none
    ) async throws -> FileInfo {
        try await transfer(source, to: target, replace: replace, removesSource: false, if: condition)
    }

    private func transfer(
        _ source: TreePath, to target: TreePath, replace: Bool, removesSource: Bool, if condition: WriteCondition
    ) async throws -> FileInfo {
        try await write { draft in
            guard let entry = try draft.entry(at: source), entry.isVisible, !source.isRoot else {
                throw DatabaseError(.notFound, "nothing is there", path: source)
            }
            let isOfTarget = condition == .absent && !removesSource
            if condition != .none, !isOfTarget { try draft.check(condition, of: entry, at: source) }
            let subtree = try draft.settled(.files)
            if isOfTarget, try subtree.entry(at: target, in: draft.nodes)?.isVisible == true {
                throw DatabaseError(.preconditionFailed, "something is there already", path: target)
            }
            if source == target, let info = FileInfo(source, entry) { return info }
            guard !target.isWithin(source) else {
                throw DatabaseError(.invalid, "cannot go into itself, to '\(target)'", path: source)
            }
            guard !target.isRoot, !source.isWithin(target) else {
                throw DatabaseError(.conflict, "'\(target)' is a directory above it", path: source)
            }
            try draft.checkParents(of: target, in: subtree)
            let old = try subtree.entry(at: target, in: draft.nodes)
            if old?.isVisible == true, !replace {
                throw DatabaseError(.conflict, "exists; delete it first, or ask to replace it", path: target)
            }
            let moved = try draft.liveRegisters(at: source)
            let replaced = try draft.liveRegisters(at: target)
            let arriving = try moved.map { path, register in
                let place = target.appending(path.names.dropFirst(source.depth))
                guard place.length <= TreePath.maximumLength else {
                    throw DatabaseError(.invalid, "would be longer than \(TreePath.maximumLength) bytes at '\(target)'", path: path)
                }
                return (path: place, value: register.winner.value, old: try subtree.entry(at: place, in: draft.nodes))
            }
            let taken = Set(arriving.map(\.path))
            for (path, register) in replaced where !taken.contains(path) { draft.write(.tombstone, at: path, over: register) }
            if removesSource { for (path, register) in moved { draft.write(.tombstone, at: path, over: register) } }
            for item in arriving {
                draft.write(item.value, at: item.path, over: item.old?.register, keepsAll: item.old?.hidesFile == true)
            }
            draft.note(cause: "\(removesSource ? "move" : "copy") \(source) to \(target)")
            guard let new = try draft.entry(at: target), let info = FileInfo(target, new) else {
                preconditionFailure("what was moved is there")
            }
            return info
        }
    }
}

extension Draft {
    /// Whether what is at a path may be taken away from it.
    fileprivate mutating func check(_ condition: WriteCondition, of entry: Entry, at path: TreePath) throws {
        // A directory has no content to match.
        guard let current = entry.current else { throw DatabaseError(.preconditionFailed, "is a directory", path: path) }
        _ = try checkPut(current.value, at: path, if: condition)
    }

    /// What is current at a path and below: the registers whose winner is no tombstone, the path's own first. A file that
    /// a directory hides is not current.
    mutating func liveRegisters(at path: TreePath) throws -> [(path: TreePath, register: Register)] {
        guard let top = try entry(at: path) else { return [] }
        func isCurrent(_ entry: Entry) -> Bool {
            entry.current != nil || entry.register?.winner.value == .directory
        }
        var result: [(path: TreePath, register: Register)] = []
        if isCurrent(top), let register = top.register { result.append((path, register)) }
        guard let directory = top.subtree else { return result }
        var walk = try directory.walk(at: path, in: nodes, where: \.isVisible)
        while let (path, entry) = try walk.next() {
            if isCurrent(entry), let register = entry.register { result.append((path, register)) }
        }
        return result
    }
}
