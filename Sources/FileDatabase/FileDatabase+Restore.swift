import Causality
import Content
import Merkle
import Objects
import Platform

/// What a restore changes, or would change.
public struct RestoreResult: Sendable {
    public enum Change: String, Sendable {
        /// Was deleted since.
        case restored
        /// Was changed since.
        case reverted
        /// Was made since.
        case deleted
    }

    /// Files and links that are written again, put back to what they were, and deleted.
    public var restored = 0
    public var reverted = 0
    public var deleted = 0
    /// Bytes of the files that are written. They are here already: nothing is copied.
    public var bytes: UInt64 = 0
    /// The first paths of all.
    public var paths: [(path: TreePath, change: Change)] = []
    /// The newest commit before it: restoring to it undoes the restore.
    public var before: ContentHash?
    /// The commit that holds it; nil if nothing was to change, and of a preview.
    public var commit: ContentHash?

    public static let shownPaths = 100

    public var isEmpty: Bool { restored + reverted + deleted == 0 }
}

extension FileDatabase {
    /// Puts a file, a directory with all below it, or everything back to an earlier state, in one commit of ordinary writes:
    /// it replicates like any, losing versions stay, and a restore to the commit before it undoes it. What was made since is
    /// deleted. O(differences × log n).
    ///
    /// - Parameter isPreview: tell what would change, and change nothing.
    /// - Throws: `DatabaseError`: `notFound` where there was nothing at the path then and is nothing now; `gone` where content
    ///   is no longer here; `conflict` where a parent is a file now.
    public func restore(_ path: TreePath, to past: TreeView, isPreview: Bool = false) async throws -> RestoreResult {
        let hold = holdObjects()
        defer { hold.end() }
        let base = head
        let plan = try await threads.run { [self] in
            try asDatabaseErrors {
                let plan = try RestorePlan(path, from: base.commit.files, to: past.files, in: nodes)
                try checkContent(plan)
                return plan
            }
        }
        if plan.result.isEmpty, plan.changes.isEmpty {
            let isThere = try [past, view].contains { view in try path.isRoot || view.entry(at: path)?.isVisible == true }
            guard isThere else { throw DatabaseError(.notFound, "nothing is there, and nothing was then", path: path) }
        }
        if isPreview || plan.changes.isEmpty {
            var result = plan.result
            result.before = base.hash
            return result
        }
        return try await apply(path, "restore \(path)") { draft in
            // What was written since the plan was made is put back like the rest.
            let current = try draft.settled(.files)
            return current.root == base.commit.files.root
                ? plan : try RestorePlan(path, from: current, to: past.files, in: draft.nodes)
        }
    }

    /// Writes an earlier version of a file anew.
    ///
    /// - Throws: `DatabaseError`: `notFound` for a version that is not kept, `invalid` for a deletion.
    public func restore(_ path: TreePath, toVersion name: String, isPreview: Bool = false) async throws -> RestoreResult {
        let hold = holdObjects()
        defer { hold.end() }
        let base = head
        let (value, plan) = try await threads.run { [self] in
            guard !path.isRoot, let found = try version(name, of: path) else {
                throw DatabaseError(.notFound, "has no version '\(name.prefix(80))' that is kept; 'pando log' shows those that are", path: path)
            }
            guard !found.value.isTombstone else {
                throw DatabaseError(.invalid, "was deleted by this version; delete it to have it so again", path: path)
            }
            return try asDatabaseErrors {
                let plan = try RestorePlan(found.value, at: path, from: base.commit.files, in: nodes)
                try checkContent(plan)
                return (found.value, plan)
            }
        }
        if isPreview || plan.changes.isEmpty {
            var result = plan.result
            result.before = base.hash
            return result
        }
        return try await apply(path, "restore \(path) to version \(name)") { draft in
            try RestorePlan(value, at: path, from: try draft.settled(.files), in: draft.nodes)
        }
    }

    private func apply(
        _ path: TreePath, _ cause: String, _ plan: @escaping @Sendable (inout Draft) throws -> RestorePlan
    ) async throws -> RestoreResult {
        var result = try await write { draft in
            let plan = try plan(&draft)
            if !path.isRoot, plan.changes.contains(where: { $0.value != nil }) { try draft.checkParents(of: path, in: draft.files.subtree) }
            for change in plan.changes {
                draft.write(change.value ?? .tombstone, at: change.path, over: change.register, keepsAll: change.keepsAll)
            }
            draft.note(cause: cause)
            var result = plan.result
            result.before = draft.head.hash
            return result
        }
        result.commit = head.hash
        return result
    }

    /// Nothing is written that refers to content which is not here.
    private func checkContent(_ plan: RestorePlan) throws {
        let items = plan.changes.compactMap { change in change.value.map { BulkItem(path: change.path, value: $0) } }
        let missing = try missingObjects(of: objects(of: items))
        guard missing.isEmpty else {
            var error = DatabaseError(.gone, "\(missing.count) objects of that state are not here; it was let go, or is still being fetched")
            error.missing = missing
            throw error
        }
    }
}

/// The writes that lead from one state to another.
private struct RestorePlan: Sendable {
    struct Change: Sendable {
        var path: TreePath
        /// Nil deletes.
        var value: Value?
        /// What is there now.
        var register: Register?
        /// Whether a directory hides what is there, so that it stays a loser.
        var keepsAll: Bool
    }

    private(set) var changes: [Change] = []
    private(set) var result = RestoreResult()

    /// Everything at a path and below.
    init(_ path: TreePath, from current: Subtree, to past: Subtree, in nodes: some NodeReader) throws {
        func entry(_ tree: Subtree) throws -> Entry? {
            path.isRoot ? Entry(name: "", subtree: tree) : try tree.entry(at: path, in: nodes)
        }
        let (now, then) = (try entry(current), try entry(past))
        if !path.isRoot { add(path, now, then?.ownValue, staysDirectory: then?.isDirectory == true) }
        guard now?.subtree?.root != then?.subtree?.root else { return }
        var diff = try TreeDiff(
            from: now?.subtree ?? .empty, to: then?.subtree ?? .empty, at: path, in: nodes, tellsVisibility: true)
        while let difference = try diff.next() {
            let name = difference.path.name ?? ""
            let then = Entry(name: name, register: difference.after, subtree: difference.subtreeAfter)
            add(
                difference.path, Entry(name: name, register: difference.before, subtree: difference.subtreeBefore), then.ownValue,
                staysDirectory: then.isDirectory)
        }
    }

    /// One value at one path. A directory in its place goes.
    init(_ value: Value, at path: TreePath, from current: Subtree, in nodes: some NodeReader) throws {
        let now = try current.entry(at: path, in: nodes)
        if value != .directory, let directory = now?.subtree {
            var walk = try directory.walk(at: path, in: nodes, where: \.isVisible)
            while let (place, entry) = try walk.next() { add(place, entry, nil) }
        }
        add(path, now, value)
    }

    /// - Parameter staysDirectory: whether a directory stands at the path afterwards.
    private mutating func add(_ path: TreePath, _ now: Entry?, _ new: Value?, staysDirectory: Bool = false) {
        let old = now?.ownValue
        if let now, now.hidesFile, new == nil, !staysDirectory {
            // The file that the directory hid must not come to light where nothing was; it stays a loser.
            changes.append(Change(path: path, value: nil, register: now.register, keepsAll: true))
        }
        guard old != new else { return }
        changes.append(Change(path: path, value: new, register: now?.register, keepsAll: now?.hidesFile == true))
        switch (old.map { $0 == .directory ? nil : $0 } ?? nil, new.map { $0 == .directory ? nil : $0 } ?? nil) {
        case (nil, let value?):
            result.restored += 1
            note(path, .restored, value)
        case (_?, let value?):
            result.reverted += 1
            note(path, .reverted, value)
        case (_?, nil):
            result.deleted += 1
            note(path, .deleted, nil)
        // A mark of an empty directory comes or goes.
        case (nil, nil): break
        }
    }

    private mutating func note(_ path: TreePath, _ change: RestoreResult.Change, _ value: Value?) {
        if case .file(let file)? = value { result.bytes += file.content.size }
        if result.paths.count < RestoreResult.shownPaths { result.paths.append((path, change)) }
    }
}

extension Entry {
    /// What the name itself is for a user: a file, a link, or a directory that was made as such; nil for nothing, and for a
    /// directory that stands because something is in it.
    fileprivate var ownValue: Value? {
        if let current { return current.value }
        return register?.winner.value == .directory ? .directory : nil
    }
}
