import Causality
import Content

/// Up to when a node has each node's writes.
///
/// Whole states are exchanged: who has joined a node's whole state has all that the node wrote up to then, and all that the
/// node had of others.
public struct SeenVector: Hashable, Sendable {
    public private(set) var times: [NodeID: Timestamp]

    public init(_ times: [NodeID: Timestamp] = [:]) {
        self.times = times
    }

    public subscript(node: NodeID) -> Timestamp { times[node] ?? .zero }

    public mutating func note(_ node: NodeID, _ time: Timestamp) {
        if time > self[node] { times[node] = time }
    }

    public mutating func merge(_ other: SeenVector) {
        times.merge(other.times) { max($0, $1) }
    }
}

/// What the members have told of what they have: enough to say which deletions need not be kept any longer.
public struct Acknowledgements: Sendable {
    /// The members that count: neither those that were away for too long, nor those that hold only a part.
    public var members: Set<NodeID>
    /// What each of them has told.
    public var seen: [NodeID: SeenVector]
    /// Of whom each of them has told that it asked for them, and heard nothing.
    public var missed: [NodeID: Set<NodeID>]

    public init(members: Set<NodeID>, seen: [NodeID: SeenVector], missed: [NodeID: Set<NodeID>] = [:]) {
        self.members = members
        self.seen = seen
        self.missed = missed
    }

    /// The time up to which a node with this vector has every write that any member has or will have.
    ///
    /// Of a node that does not count, nothing more is to come; it matters only as long as a member has more of it than others.
    public func frontier(of vector: SeenVector) -> Timestamp {
        var frontier = Timestamp.latestAllowed
        for member in members { frontier = min(frontier, vector[member]) }
        for told in seen.values {
            for (node, time) in told.times where !members.contains(node) && vector[node] < time {
                frontier = min(frontier, vector[node])
            }
        }
        return frontier
    }

    /// The time up to which all members that count have every write: deletions from before it can go.
    public var horizon: Timestamp {
        var horizon = members.isEmpty ? Timestamp.zero : .latestAllowed
        for member in members {
            guard let vector = seen[member] else { return .zero }
            horizon = min(horizon, frontier(of: vector))
        }
        return horizon
    }

    /// The members of which nobody has heard since a time, as far as a node that has this vector can say.
    ///
    /// More than half of the members that count must have told lately that they miss it, each of which misses less than half of them
    /// itself: whoever hears of few others is the one that is cut off. That others have been heard of is not enough. One in the middle
    /// between two sides that do not hear of each other would be in the majority of both, and either would give the other up.
    ///
    /// - Parameters:
    ///   - since: who was heard of later is not silent.
    ///   - lately: what was told later counts.
    public func silent(_ vector: SeenVector, since: Timestamp, lately: Timestamp) -> Set<NodeID> {
        var heard = vector
        for (member, told) in seen where members.contains(member) { heard.merge(told) }
        let witnesses = members.compactMap { witness -> Set<NodeID>? in
            guard let missed = missed[witness], let told = seen[witness]?[witness], told > lately else { return nil }
            return missed.intersection(members).count * 2 < members.count ? missed : nil
        }
        return members.filter { member in
            heard[member] < since && witnesses.count { $0.contains(member) } * 2 > members.count
        }
    }
}
