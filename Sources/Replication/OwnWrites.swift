import Causality
import Content
import Merkle

/// Looks through what a peer has for writes in this node's name that this node does not know of: then it runs on an old copy
/// of its data.
public struct OwnWrites: Sendable {
    public let actor: Actor
    /// What the actor wrote up to here is known, but for what lies in gaps.
    public let start: Timestamp
    /// Before `start`, ascending.
    private let gaps: [WriteGap]
    /// The first of the actor's writes behind `start` that were seen.
    public private(set) var earliest: Timestamp?
    /// The last of them.
    public private(set) var latest: Timestamp?
    /// Whether there are some in a gap, or at a path of which this node knows, and does not know of these.
    public private(set) var areForgotten = false

    public init(of actor: Actor, after start: Timestamp, gaps: [WriteGap] = []) {
        self.actor = actor
        self.start = start
        self.gaps = gaps
    }

    /// Takes note of those that a register has or has seen.
    ///
    /// - Parameters:
    ///   - local: what this node has at the same path.
    ///   - purgedUpTo: deletions up to here were dropped at this node, with what they had seen.
    public mutating func look(at register: Register, over local: Register?, purgedUpTo: Timestamp) {
        // Most registers were never written here; their contexts say so in one look.
        guard let last = register.context.timestamp(of: actor), last > gaps.first?.start ?? start else { return }
        // The clock may have been put back with the data, and have passed the times of what was forgotten since.
        if let local, last > start, last > purgedUpTo, local.context.timestamp(of: actor) ?? .zero < last { areForgotten = true }
        note(last)
        for version in register.versions {
            if version.dot.actor == actor { note(version.dot.timestamp) }
            if let seen = version.past.timestamp(of: actor) { note(seen) }
        }
    }

    private mutating func note(_ timestamp: Timestamp) {
        if gaps.contains(where: { $0.contains(timestamp) }) { areForgotten = true }
        guard timestamp > start else { return }
        earliest = min(earliest ?? timestamp, timestamp)
        latest = max(latest ?? timestamp, timestamp)
    }
}

/// Which writes of its own a node may not know: those in gaps between its processes.
public struct KnownWrites: Sendable, Hashable {
    public var actor: Actor
    public var gaps: [WriteGap]

    public init(actor: Actor, gaps: [WriteGap]) {
        self.actor = actor
        self.gaps = gaps
    }

    func hasForgotten(_ dot: Dot) -> Bool { dot.actor == actor && gaps.contains { $0.contains(dot.timestamp) } }
}

extension Pull {
    /// Refuses a write of the peer's that was made without having seen an earlier one of its own, which is known here: its
    /// register would claim to have seen that one, and a join would drop it unseen.
    func refuseForgetful(_ register: Register, at path: TreePath, over local: Register?) throws(PullError) {
        guard let local, let peer else { return }
        for version in register.versions where version.dot.actor.node == peer && !local.context.covers(version.dot) {
            // With deletions, what they had seen is dropped, here or there.
            guard let time = local.context.timestamp(of: version.dot.actor), time > purgedUpTo else { continue }
            let known = Dot(timestamp: time, actor: version.dot.actor)
            // Of several writes over what was forgotten only the first shows it.
            guard !version.past.covers(known) || peerKnows.contains(where: { $0.hasForgotten(known) }) else { continue }
            throw PullError(
                .forgetful, "node \(peer.short) has forgotten what it wrote to '\(path)' before: it runs on an old copy of its data, and has to sync from here first",
                at: path)
        }
    }
}
