import Causality
import Content
import Foundation
import Replication

/// What this node knows of who has which writes, and when it looks after the horizon next.
struct HorizonState: Sendable {
    /// How long deletions are kept if nothing else is said: longer than anybody leaves a laptop in a drawer and expects it to
    /// go on as if nothing had been.
    static let retention = Duration.seconds(90 * 24 * 3600)
    /// The bounds of how often a node looks: a small part of the retention, and not more than an hour behind.
    private static let looks = (least: UInt64(50_000), most: UInt64(3_600_000_000))

    /// Up to when this node has the writes of each.
    var seen = SeenVector()
    /// Whatever was deleted up to here is deleted here, also where the deletion itself was dropped since.
    var caughtUp = Timestamp.zero
    /// This node's monotonic time of its next look for old deletions.
    var nextLook: UInt64 = 0
    /// The members without word of which an old deletion cannot go, as of the last look.
    var waitsFor: [NodeID] = []
    /// Since when it has asked its peers at each look what they have, because an old deletion cannot go.
    var askingSince: UInt64?
    /// When it first saw that the horizon could be moved.
    var movableSince: UInt64?

    init(_ local: LocalState) {
        seen = SeenVector(encoded: local.seen ?? [:])
        caughtUp = Timestamp(rawValue: local.caughtUp ?? 0)
    }

    /// Microseconds from one look to the next.
    static func interval(_ retention: Duration) -> UInt64 {
        min(max(retention.microseconds / 64, looks.least), looks.most)
    }
}

extension Duration {
    /// Whole microseconds; 0 for a negative one.
    var microseconds: UInt64 {
        let (seconds, attoseconds) = components
        return UInt64(clamping: seconds) &* 1_000_000 &+ UInt64(clamping: attoseconds / 1_000_000_000_000)
    }
}
