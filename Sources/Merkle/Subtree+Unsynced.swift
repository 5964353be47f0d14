import Causality
import Content

extension Subtree {
    /// This directory, which is another node's, with those writes of one's own that nobody else has, as new writes.
    ///
    /// For a node that was away for so long that deletions it does not know have been dropped. Whatever it merely still has
    /// stays behind.
    ///
    /// - Parameters:
    ///   - mine: the directory of the node that was away.
    ///   - acknowledged: for each node, up to when others have its writes; nil for one that they have not heard of.
    ///   - isHad: of one that they have not heard of, whether they have what it wrote at a path all the same; nil where that cannot be told,
    ///     which is then left out unless it stands beside a write that is kept.
    ///   - horizon: up to which deletions have been dropped here.
    ///   - nextDot: names for the new writes.
    /// - Returns: the directory, and how many writes were kept.
    public func keeping(
        unsyncedOf mine: Subtree, acknowledged: (NodeID) -> Timestamp?, isHad: (TreePath, Version) -> Bool?, purgedUpTo horizon: Timestamp,
        in store: inout some NodeStore, nextDot: () -> Dot
    ) throws -> (subtree: Subtree, kept: Int) {
        var kept = 0
        var edits: [TreeEdit] = []
        var diff = try TreeDiff(from: self, to: mine, in: store)
        while let difference = try diff.next() {
            guard let register = difference.after else { continue }
            var result = difference.before
            let before = difference.before
            var unsynced: Set<Dot> = []
            var unknown: Set<Dot> = []
            for version in register.versions {
                // It is known there, or to delete what is not there is nothing.
                if before.map({ $0.context.covers(version.dot) }) ?? version.value.isTombstone { continue }
                if let told = acknowledged(version.dot.actor.node) {
                    if version.dot.timestamp > told { unsynced.insert(version.dot) }
                } else if let isHad = isHad(difference.path, version) {
                    if !isHad { unsynced.insert(version.dot) }
                } else {
                    unknown.insert(version.dot)
                }
            }
            // What stands beside such a write would be taken for replaced by it.
            let wanted = unsynced.isEmpty ? [] : unsynced.union(unknown)
            let renewed = register.renewed(
                where: { wanted.contains($0.dot) },
                // What the register shows of others' writes they have, whether or not anybody has told so yet.
                known: { actor in acknowledged(actor.node).map { max($0, before?.context.timestamp(of: actor) ?? .zero) } },
                after: before == nil ? horizon : .zero, nextDot: nextDot)
            if let renewed {
                result = before.map { renewed.laid(over: $0, by: register) } ?? renewed
                kept += renewed.versions.count
            }
            result = result?.purged(upTo: horizon)
            if result != difference.before, let result { edits.append(TreeEdit(difference.path, .set(result))) }
        }
        return (try applying(edits, in: &store), kept)
    }
}
