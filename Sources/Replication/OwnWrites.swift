import Causality
import Content
import Merkle

/// Looks through what a peer has for writes in this node's name that this node does not know of: then it runs on an old copy
/// of its data.
public struct OwnWrites: Sendable {
    public let actor: Actor
    /// What the actor wrote up to here is known.
    public let start: Timestamp
    /// The first of the actor's writes behind `start` that were seen.
    public private(set) var earliest: Timestamp?
    /// The last of them.
    public private(set) var latest: Timestamp?

    public init(of actor: Actor, after start: Timestamp) {
        self.actor = actor
        self.start = start
    }

    /// Takes note of those that a register has or has seen.
    public mutating func look(at register: Register) {
        // Most registers were never written here; their contexts say so in one look.
        guard let last = register.context.timestamp(of: actor), last > start else { return }
        note(last)
        for version in register.versions {
            if version.dot.actor == actor, version.dot.timestamp > start { note(version.dot.timestamp) }
            if let seen = version.past.timestamp(of: actor), seen > start { note(seen) }
        }
    }

    private mutating func note(_ timestamp: Timestamp) {
        earliest = min(earliest ?? timestamp, timestamp)
        latest = max(latest ?? timestamp, timestamp)
    }
}

extension Pull {
    /// Refuses a write of the peer's that was made without having seen an earlier one of its own, which is known here: its
    /// register would claim to have seen that one, and a join would drop it unseen.
    func refuseForgetful(_ register: Register, at path: TreePath, over local: Register?) throws(PullError) {
        guard let local, let peer else { return }
        for version in register.versions where version.dot.actor.node == peer && !local.context.covers(version.dot) {
            // With deletions, what they had seen is dropped, here or there.
            guard let known = local.context.timestamp(of: version.dot.actor), known > purgedUpTo,
                !version.past.covers(Dot(timestamp: known, actor: version.dot.actor))
            else { continue }
            throw PullError(
                .forgetful, "node \(peer.short) has forgotten what it wrote to '\(path)' before: it runs on an old copy of its data, and has to sync from here first")
        }
    }
}
