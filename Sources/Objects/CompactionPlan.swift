/// Which segments are worth rewriting.
struct CompactionPlan {
    struct Segment: Hashable {
        var number: UInt32
        /// Bytes of the file without its header.
        var size: UInt64
        var live: UInt64

        var dead: UInt64 { size > live ? size - live : 0 }
        var deadShare: Double { size == 0 ? 1 : Double(dead) / Double(size) }
    }

    /// What may be left of what is dead: the most expensive part, in segments that are nearly all live.
    private static let toleratedShare = 0.04
    /// Under this share of the log, rewriting costs more than it is worth: half a hundred bytes copied for each that is freed.
    private static let worthwhileShare = 0.02

    /// In the order in which they are to be rewritten: those that hold nothing come first, since they cost nothing and make room.
    let segments: [Segment]

    init(_ all: [Segment]) {
        let byCost = all.sorted { ($1.deadShare, $0.number) < ($0.deadShare, $1.number) }
        let dead = all.reduce(0) { $0 + $1.dead }
        let size = all.reduce(0) { $0 + $1.size }
        var chosen = byCost.filter { $0.live == 0 && $0.size > 0 }
        var left = dead - chosen.reduce(0) { $0 + $1.dead }
        let tolerated = UInt64(Double(dead) * CompactionPlan.toleratedShare)
        if Double(left) > Double(size) * CompactionPlan.worthwhileShare {
            for segment in byCost where segment.live > 0 && segment.dead > 0 {
                if left <= tolerated { break }
                chosen.append(segment)
                left -= min(left, segment.dead)
            }
        }
        segments = chosen
    }

    /// Bytes that become free.
    var freed: UInt64 { segments.reduce(0) { $0 + $1.dead } }
    /// Bytes that have to be looked at.
    var size: UInt64 { segments.reduce(0) { $0 + $1.size } }
}
