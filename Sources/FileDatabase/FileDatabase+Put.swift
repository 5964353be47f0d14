import Causality
import Content
import Merkle
import Objects
import Platform
import Synchronization

/// What must hold for a write to happen (RFC 9110, section 13).
public enum WriteCondition: Sendable, Hashable {
    case none
    /// Nothing may be there: `If-None-Match: *`.
    case absent
    /// A file with one of these contents, or any where the set is empty, must be there: `If-Match`.
    case matches(Set<ContentHash>)
}

/// What a write did.
public struct WriteResult: Sendable {
    public var info: FileInfo
    /// Whether there was nothing before.
    public var isNew: Bool
}

extension FileDatabase {
    /// Puts a value at a path. Directories above appear by themselves.
    ///
    /// - Parameter objects: those of the value's objects that are not stored yet; they are written with the commit.
    /// - Throws: `DatabaseError`: `conflict` where the path is a directory or lies under a file, `preconditionFailed`.
    public func put(
        _ value: Value, at path: TreePath, objects: [PreparedObject] = [], if condition: WriteCondition = .none
    ) async throws -> WriteResult {
        try await write { draft in
            let old = try draft.checkPut(value, at: path, if: condition)
            if value == .directory, let old, old.isDirectory, old.register?.winner.value == .directory,
                let info = FileInfo(path, old)
            {
                return WriteResult(info: info, isNew: false)
            }
            let register = draft.write(value, at: path, over: old?.register, keepsAll: old?.hidesFile == true)
            draft.add(objects)
            draft.note(cause: "put \(path)")
            let entry = Entry(name: path.name ?? "", register: register, subtree: old?.subtree)
            guard let info = FileInfo(path, entry) else { preconditionFailure("a put value is visible") }
            return WriteResult(info: info, isNew: old?.isVisible != true)
        }
    }

    /// Whether a put would be refused by the state as it is now: to be asked before much is uploaded. Blocks.
    ///
    /// - Throws: what `put` would throw.
    public func checkPut(isDirectory: Bool, at path: TreePath, if condition: WriteCondition = .none) throws {
        let head = self.head
        let draft = Draft(head: head, nodes: nodes, clock: HybridClock(), authorship: authorship.withLock { $0 }, time: time)
        let value = isDirectory ? Value.directory : .file(FileValue(content: .empty, mediaType: "", modifiedAt: 0))
        _ = try asDatabaseErrors { try draft.checkPut(value, at: path, if: condition, in: head.commit.files) }
    }

    /// Makes a directory that stands even when nothing is in it.
    public func makeDirectory(_ path: TreePath) async throws -> WriteResult {
        try await put(.directory, at: path)
    }

    /// One file of a bulk write.
    public struct BulkItem: Sendable {
        public var path: TreePath
        public var value: Value
        /// Refuse the whole write if something is there.
        public var mustBeNew: Bool

        public init(path: TreePath, value: Value, mustBeNew: Bool = false) {
            self.path = path
            self.value = value
            self.mustBeNew = mustBeNew
        }
    }

    /// What a bulk write did.
    public struct BulkResult: Sendable, Equatable {
        public var created = 0
        public var replaced = 0
        /// Items that were there already, to the modification time, and got no new version.
        public var unchanged = 0
        public var commit: ContentHash?
    }

    /// Puts many values in one commit, or none of them.
    ///
    /// - Throws: `DatabaseError`, with the `missing` objects where a value's content is not all here.
    public func put(_ items: [BulkItem]) async throws -> BulkResult {
        let hold = holdObjects()
        defer { hold.end() }
        let missing = try await threads.run { [self] in try missingObjects(of: objects(of: items)) }
        guard missing.isEmpty else {
            var error = DatabaseError(.invalid, "\(missing.count) objects are not here; send them first")
            error.missing = missing
            throw error
        }
        // Sorted, so that a path and one below it are neighbours.
        let items = items.sorted { $0.path < $1.path }
        for (item, next) in zip(items, items.dropFirst()) {
            if item.path == next.path { throw DatabaseError(.invalid, "comes twice in one commit", path: item.path) }
        }
        var result = try await write { draft in
            var result = BulkResult()
            let subtree = try draft.settled(.files)
            var changes: [(TreePath, Value, Entry?)] = []
            var above: [TreePath] = []
            for item in items {
                // A file of this very commit may stand where another item needs a directory.
                above.removeAll { !item.path.isWithin($0) }
                if let file = above.last {
                    throw DatabaseError(.conflict, "lies under '\(file)', which is a file in the same commit", path: item.path)
                }
                if item.value != .directory { above.append(item.path) }
                let old = try draft.checkPut(item.value, at: item.path, if: item.mustBeNew ? .absent : .none, in: subtree)
                if let old, old.isVisible, old.register?.winner.value == item.value {
                    result.unchanged += 1
                    continue
                }
                if old?.isVisible == true { result.replaced += 1 } else { result.created += 1 }
                changes.append((item.path, item.value, old))
            }
            for (path, value, old) in changes { draft.write(value, at: path, over: old?.register, keepsAll: old?.hidesFile == true) }
            draft.note(cause: "put \(items.count) files")
            return result
        }
        result.commit = head.hash
        return result
    }
}

extension Draft {
    /// Checks that a value may be put at a path.
    /// - Returns: the entry that is there.
    mutating func checkPut(_ value: Value, at path: TreePath, if condition: WriteCondition) throws -> Entry? {
        let old = try entry(at: path)
        return try check(value, at: path, if: condition, old, below: files.subtree)
    }

    /// The same, where no edits wait.
    func checkPut(_ value: Value, at path: TreePath, if condition: WriteCondition, in subtree: Subtree) throws -> Entry? {
        try check(value, at: path, if: condition, subtree.entry(at: path, in: nodes), below: subtree)
    }

    private func check(
        _ value: Value, at path: TreePath, if condition: WriteCondition, _ old: Entry?, below subtree: Subtree
    ) throws -> Entry? {
        guard !path.isRoot else { throw DatabaseError(.conflict, "the root is a directory", path: path) }
        if let fault = value.fault { throw DatabaseError(.invalid, fault, path: path) }
        try checkParents(of: path, in: subtree)
        if old?.isDirectory == true, value != .directory {
            throw DatabaseError(.conflict, "is a directory; delete it first, or choose another name", path: path)
        }
        if value == .directory, old?.current != nil {
            throw DatabaseError(.conflict, "is a file; delete it first, or choose another name", path: path)
        }
        switch condition {
        case .none: break
        case .absent:
            if old?.isVisible == true { throw DatabaseError(.preconditionFailed, "something is there already", path: path) }
        case .matches(let hashes):
            guard let current = old.flatMap({ FileInfo(path, $0) })?.contentHash else {
                throw DatabaseError(.preconditionFailed, "no file is there to match", path: path)
            }
            guard hashes.isEmpty || hashes.contains(current) else {
                throw DatabaseError(.preconditionFailed, "the content is now \(current)", path: path)
            }
        }
        return old
    }

    /// Every directory above a path must be one, or nothing.
    func checkParents(of path: TreePath, in subtree: Subtree) throws {
        var directory = subtree
        var place = TreePath.root
        for name in path.names.dropLast() {
            place = place.appending(name)
            guard let entry = try directory.entry(named: name, in: nodes) else { return }
            if entry.current != nil {
                throw DatabaseError(.conflict, "lies under '\(place)', which is a file", path: path)
            }
            guard let next = entry.subtree else { return }
            directory = next
        }
    }

    /// A new version over what is there.
    ///
    /// - Parameter keepsAll: whether what is there was hidden by a directory, so that the writer means none of it: it stays,
    ///   as losers.
    @discardableResult
    mutating func write(
        _ value: Value, at path: TreePath, over old: Register?, keepsAll: Bool = false, in tree: Tree = .files
    ) -> Register {
        let dot = nextDot()
        let register =
            if let old {
                keepsAll ? old.covering(value, at: dot) : old.writing(value, at: dot)
            } else {
                Register(Version(dot: dot, past: VersionVector(), value: value))
            }
        set(path, to: register, in: tree)
        return register
    }
}
