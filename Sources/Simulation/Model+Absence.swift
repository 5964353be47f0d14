import Causality

/// Nodes that are away for too long, that are put back to old copies of themselves, and deletions that go.
extension Model {
    /// What a node knew at some time, as its copy holds it.
    struct Copy: Sendable {
        fileprivate var seen: [String: WriteSet]
    }

    func copy(of node: Int) -> Copy { Copy(seen: seen[node]) }

    /// A node goes on from an old copy. What it wrote since and nobody else has is lost, as whoever does so knows.
    mutating func restore(_ node: Int, to copy: Copy) {
        forgotten[node].merge(seen[node]) { $0.union($1) }
        seen[node] = copy.seen
        dropped[node] = [:]
        lingering[node] = [:]
        restoredAt[node] = writes.count
        abandonRequests(to: node)
    }

    /// Whether all nodes know all that a node has written.
    func isKnownToAll(_ node: Int) -> Bool {
        for (path, known) in seen[node] {
            let own = known.filter { nodes[writes[$0].dot.actor.node] == node }
            for other in seen where !own.subtracting(other[path] ?? WriteSet()).isEmpty { return false }
        }
        return true
    }

    /// Takes note of who does not count any more.
    ///
    /// - Parameter listed: those that the horizon has waited for. One that had lapsed by then may have said that it is back before it heard of it.
    mutating func setLapsed(_ nodes: Set<Int>, listed: Set<Int>? = nil) {
        for node in nodes { lapsedUntil[node] = writes.count }
        lapsed = (listed.map { nodes.union(Set(lapsedUntil.keys).subtracting($0)) } ?? nodes).union(unawaited)
    }

    /// Whether a deletion is that of a node that nobody waited for, which still has it or has made it anew: others need not keep it.
    func isToldByItsAuthor(_ write: Int, at path: String) -> Bool {
        guard let author = nodes[writes[write].dot.actor.node], lapsedUntil[author] != nil else { return false }
        return writes[write].isRenamed || seen[author][path]?.contains(write) == true && dropped[author][path]?.contains(write) != true
    }

    /// Whether a deletion is dropped by the member of a part, which knows nothing of who counts: as somebody has done who knows, or its own beside
    /// a later version, to which it says nothing.
    func isFollowed(by node: Int, _ write: Int, at path: String, beside shown: Set<Dot>) -> Bool {
        guard unawaited.contains(node) else { return false }
        let deletion = writes[write].dot
        return dropped.contains { $0[path]?.contains(write) == true } || nodes[deletion.actor.node] == node && shown.contains { $0 > deletion }
    }

    /// Whether somebody has deleted a version whom the horizon did not wait for then. Wherever the deletion comes to it takes the version away, and
    /// is dropped; the version may come back from elsewhere, until the deletion has been made anew.
    func isDeletedByOneAway(_ write: Int) -> Bool {
        writes.enumerated().contains { index, other in
            other.content == .nothing && other.replaced.contains(write)
                && nodes[other.dot.actor.node].map { index < lapsedUntil[$0] ?? 0 } == true
        }
    }

    /// What all who count have seen of a path.
    ///
    /// - Parameter everSeen: whether that counts which some of them have forgotten since.
    func commonKnowledge(of path: String, besides node: Int, everSeen: Bool) -> WriteSet {
        var common: WriteSet?
        for other in seen.indices where other != node && !lapsed.contains(other) {
            var known = seen[other][path] ?? WriteSet()
            if everSeen { known.formUnion(forgotten[other][path] ?? WriteSet()) }
            common = common?.intersection(known) ?? known
        }
        return common ?? WriteSet()
    }

    func everybodyHas(_ write: Int, at path: String, besides node: Int) -> Bool {
        seen.indices.allSatisfy { other in
            other == node || lapsed.contains(other) || seen[other][path]?.contains(write) == true
                || forgotten[other][path]?.contains(write) == true
        }
    }
}
