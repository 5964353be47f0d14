import Causality
import Content

extension Subtree {
    /// How many edits a purge gathers before it applies them, so that its memory does not grow with the tree.
    private static var purgeBatch: Int { 8192 }

    /// This directory without the deletions that every member has seen; see `Register.purged`.
    ///
    /// Goes only where there are deletions: O(deletions × log n).
    public func purged(upTo horizon: Timestamp, in store: inout some NodeStore) throws -> Subtree {
        if horizon == .zero || aggregates.tombstones == 0 { return self }
        var result = self
        var edits: [TreeEdit] = []
        var walk = try self.walk(in: store, where: { $0.tombstones > 0 })
        while let (path, entry) = try walk.next() {
            guard let register = entry.register else { continue }
            let purged = register.purged(upTo: horizon)
            if purged == register { continue }
            edits.append(TreeEdit(path, purged.map { .set($0) } ?? .forget))
            if edits.count == Subtree.purgeBatch {
                result = try result.applying(edits, in: &store)
                edits.removeAll(keepingCapacity: true)
            }
        }
        return try result.applying(edits, in: &store)
    }

    /// The paths at which there are deletions of some kind. O(deletions × log n).
    public func tombstones(in reader: some NodeReader, where isMeant: (Version) -> Bool) throws -> [TreePath] {
        var paths: [TreePath] = []
        if aggregates.tombstones == 0 { return paths }
        var walk = try self.walk(in: reader, where: { $0.tombstones > 0 })
        while let (path, entry) = try walk.next() {
            if entry.register?.versions.contains(where: isMeant) == true { paths.append(path) }
        }
        return paths
    }

    /// The earliest deletion behind a time; nil if there is none. O(deletions × log n).
    public func earliestTombstone(after time: Timestamp, in reader: some NodeReader) throws -> Timestamp? {
        if aggregates.tombstones == 0 { return nil }
        var earliest: Timestamp?
        var walk = try self.walk(in: reader, where: { $0.tombstones > 0 })
        while let (_, entry) = try walk.next() {
            for version in entry.register?.versions ?? [] where version.value.isTombstone && version.dot.timestamp > time {
                earliest = min(earliest ?? version.dot.timestamp, version.dot.timestamp)
            }
        }
        return earliest
    }
}
