import Causality
import Content
import Replication

/// Deletions from before the horizon that a node has and those may lack whom the horizon has waited for: it has heard of them of a member that
/// was cut off when the horizon moved. Dropped as they are, they would be lost.
struct UnheardDeletions: Sendable {
    /// What those have told who count.
    private let told: [SeenVector]
    private let fullMembers: Set<NodeID>
    private let hasHeard: Bool
    /// All of them have what was here by then.
    let since: Timestamp

    /// Nil if there can be none.
    ///
    /// - Parameters:
    ///   - node: whose deletions it is about.
    ///   - fullMembers: of the cluster.
    ///   - unawaited: the others of them that the horizon did not wait for.
    ///   - seen: what the node has.
    init?(of node: NodeID, fullMembers: Set<NodeID>, unawaited: [NodeID], seen: SeenVector, _ documents: HorizonDocuments) {
        let told = documents.listed.keys.filter { $0 != node && fullMembers.contains($0) }.map { documents.seen[$0]?.vector ?? SeenVector() }
        guard !unawaited.isEmpty, let since = told.map({ $0[node] }).min() else { return nil }
        self.told = told
        self.fullMembers = fullMembers
        self.since = since
        hasHeard = unawaited.contains { member in told.contains { $0[member] < seen[member] } }
    }

    /// Whether somebody may lack it, if it was not here by then.
    ///
    /// Nobody tells what it has of desks and members of a part: what they have written may have come by one that was cut off only where
    /// anything has. Else it would be made anew again and again where no past is kept.
    func mayContain(_ version: Version) -> Bool {
        let author = version.dot.actor.node
        return (hasHeard || fullMembers.contains(author)) && told.contains { $0[author] < version.dot.timestamp }
    }
}
