import Content

/// One life of a node. A node restored from a backup may have forgotten what it wrote, so it takes up a fresh
/// incarnation and never reuses a dot.
public struct Actor: Hashable, Comparable, Sendable, CustomStringConvertible {
    public var node: NodeID
    public var incarnation: UInt32

    public init(node: NodeID, incarnation: UInt32 = 0) {
        self.node = node
        self.incarnation = incarnation
    }

    public static func < (left: Actor, right: Actor) -> Bool {
        left.node != right.node ? left.node < right.node : left.incarnation < right.incarnation
    }

    public var description: String { incarnation == 0 ? node.description : "\(node).\(incarnation)" }
}

/// The name of one write: when and by whom. Ordered by time, then by actor, which is the last-write-wins order.
public struct Dot: Hashable, Comparable, Sendable, CustomStringConvertible {
    public var timestamp: Timestamp
    public var actor: Actor

    public init(timestamp: Timestamp, actor: Actor) {
        self.timestamp = timestamp
        self.actor = actor
    }

    public static func < (left: Dot, right: Dot) -> Bool {
        left.timestamp != right.timestamp ? left.timestamp < right.timestamp : left.actor < right.actor
    }

    /// The version's name as users see it: the timestamp's 16 digits, a dash, and 16 digits of the actor.
    /// Sorts by time; two versions of one path could share it only by a 64-bit collision within a microsecond's tick.
    public var description: String {
        var digits = String(actor.node.hash.highBits &+ UInt64(actor.incarnation), radix: 16)
        digits = String(repeating: "0", count: 16 - digits.count) + digits
        return "\(timestamp)-\(digits)"
    }
}
