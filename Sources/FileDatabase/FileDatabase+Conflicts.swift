import Causality
import Content
import Merkle

/// A path with losing versions.
public struct Conflict: Sendable {
    public enum Kind: String, Sendable {
        case modifyModify = "modify-modify"
        case modifyDelete = "modify-delete"
        case fileDirectory = "file-directory"
    }

    public var path: TreePath
    public var kind: Kind
    /// Nil where a directory that stands because something is in it has won.
    public var winner: Version?
    /// In the order of their dots.
    public var losers: [Version]

    init?(_ path: TreePath, _ entry: Entry) {
        let losers = entry.losers
        guard !losers.isEmpty, let register = entry.register else { return nil }
        self.path = path
        self.losers = losers
        if entry.isDirectory {
            kind = .fileDirectory
            winner = register.winner.value == .directory ? register.winner : nil
        } else {
            let winner = register.winner
            kind = winner.value.isTombstone || losers.contains { $0.value.isTombstone } ? .modifyDelete : .modifyModify
            self.winner = winner
        }
    }
}

/// Which version settles a conflict.
public enum ConflictPick: Sendable, Hashable {
    case winner
    /// The only loser.
    case loser
    /// A version by its name.
    case version(String)
}

extension TreeView {
    /// The conflicted paths at and below a path, in order, from the first behind `after` on.
    public func conflicts(
        at path: TreePath = .root, after: TreePath? = nil, limit: Int, where isIncluded: (TreePath) -> Bool = { _ in true }
    ) throws -> (items: [Conflict], isComplete: Bool) {
        try asDatabaseErrors {
            guard let top = try entry(at: path) else { return ([], true) }
            var items: [Conflict] = []
            if after == nil, let conflict = Conflict(path, top), isIncluded(path) { items.append(conflict) }
            guard let directory = top.subtree else { return (items, true) }
            var walk = try directory.walk(at: path, after: after, in: nodes, where: { $0.conflicts > 0 })
            while let (path, entry) = try walk.next() {
                guard let conflict = Conflict(path, entry), isIncluded(path) else { continue }
                if items.count == limit { return (items, false) }
                items.append(conflict)
            }
            return (items, true)
        }
    }

    /// A losing version by its name; nil if the path has no such loser.
    public func loser(named version: String, at path: TreePath) throws -> Version? {
        try entry(at: path)?.losers.first { $0.dot.description == version }
    }
}

extension FileDatabase {
    /// Settles the conflict at a path. The pick becomes the only version, by an ordinary write.
    ///
    /// - Returns: the resulting version; nil where a directory stands that was never made as one.
    /// - Throws: `DatabaseError`: `notFound` without a conflict, `invalid` for an unknown version, `conflict` for `loser`
    ///   where there are several.
    public func resolve(_ path: TreePath, pick: ConflictPick) async throws -> Version? {
        try await write { draft in
            guard !path.isRoot, let entry = try draft.entry(at: path), let conflict = Conflict(path, entry),
                let register = entry.register
            else { throw DatabaseError(.notFound, "has no conflict", path: path) }
            guard let picked = try conflict.version(picked: pick) else {
                // The directory stays. What it hid is given up.
                let dot = draft.nextDot()
                draft.set(path, to: register.resolving(to: .tombstone, at: dot))
                draft.note(cause: "resolve \(path)")
                return nil
            }
            let below = conflict.kind == .fileDirectory && picked.value != .directory ? try draft.liveRegisters(at: path) : []
            for (place, register) in below where place != path { draft.write(.tombstone, at: place, over: register) }
            let resolved = register.resolving(to: picked.value, at: draft.nextDot())
            draft.set(path, to: resolved)
            draft.note(cause: "resolve \(path)")
            return resolved.winner
        }
    }
}

extension Conflict {
    /// The version that a pick means; nil for the directory.
    fileprivate func version(picked pick: ConflictPick) throws -> Version? {
        switch pick {
        case .winner: return winner
        case .loser:
            guard losers.count == 1 else {
                throw DatabaseError(.conflict, "has \(losers.count) losers; pick one by its version", path: path)
            }
            return losers[0]
        case .version(let name):
            if let version = ([winner].compactMap(\.self) + losers).first(where: { $0.dot.description == name }) { return version }
            throw DatabaseError(.invalid, "has no version '\(name.prefix(80))'; pick one that the conflict lists", path: path)
        }
    }
}
