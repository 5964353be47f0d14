import Causality
import Merkle

extension TreeView {
    /// The conflict at a path; nil where there is none.
    public func conflict(at path: TreePath) throws -> Conflict? {
        try entry(at: path).flatMap { Conflict(path, $0) }
    }
}

extension FileDatabase {
    /// Takes the settlement of a conflict back: what was current is current again, and the others are losers again. Both come about by
    /// ordinary writes, so that it replicates like them.
    ///
    /// - Parameters:
    ///   - conflict: as it was before.
    ///   - dot: the version that settled it.
    /// - Throws: `DatabaseError`: `conflict` where the path was written since, `invalid` where a directory takes part.
    public func reopen(_ conflict: Conflict, settledBy dot: Dot) async throws -> Conflict {
        let path = conflict.path
        guard let winner = conflict.winner, conflict.kind != .fileDirectory, let first = conflict.losers.first else {
            throw DatabaseError(.invalid, "a folder took part in the conflict, which cannot be brought back", path: path)
        }
        return try await write { draft in
            guard let entry = try draft.entry(at: path), !entry.isDirectory, let register = entry.register,
                register.versions.count == 1, register.winner.dot == dot
            else { throw DatabaseError(.conflict, "was written since the conflict was settled; nothing was changed", path: path) }
            var reopened = register.resolving(to: first.value, at: draft.nextDot())
            // The last has seen the others, so it wins everywhere, and has replaced none.
            for version in conflict.losers.dropFirst() + [winner] { reopened = reopened.covering(version.value, at: draft.nextDot()) }
            guard let result = Conflict(path, Entry(name: path.name ?? "", register: reopened)) else {
                throw DatabaseError(.invalid, "has no versions that differ", path: path)
            }
            draft.set(path, to: reopened)
            draft.note(cause: "reopen \(path)")
            return result
        }
    }
}
