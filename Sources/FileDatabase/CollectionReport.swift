import Content
import Objects

/// How to collect.
public struct CollectionOptions: Sendable {
    /// Only tell what would go.
    public var isDryRun = false
    /// Read and written by the compaction; nil for as fast as it goes.
    public var bytesPerSecond: UInt64? = LogLimits.compactionRate
    /// How long writers that rely on what they were told are waited for, before the round is given up. Zero never sleeps.
    public var patience = Duration.seconds(60)
    /// For the retention policy, in microseconds since 1970; nil for the database's own clock.
    public var now: UInt64?

    public init() {}
}

/// How far a collection is.
public struct CollectionProgress: Sendable {
    public enum Phase: String, Sendable {
        /// Finding what is needed; `done` are objects.
        case mark
        /// Waiting for writers; `done` are those that are left.
        case wait
        /// Looking at all that there is; `done` are objects.
        case sweep
        /// Rewriting segments; `done` and `total` are bytes.
        case compact
    }

    public var phase: Phase
    public var done: UInt64
    /// Where it is known.
    public var total: UInt64?
}

/// What a collection found and did.
public struct CollectionReport: Sendable {
    /// What states of one kind keep.
    public struct Kept: Sendable {
        /// `newest`, `recent`, `daily`, `weekly`, `snapshot`, or `reader` for what somebody reads or has under way.
        public var reason: String
        public var states = 0
        /// What none of those in front of it in the list keeps. Counted in a dry run only, without what is not in the log.
        public var own = ObjectFigures()
    }

    /// A commit that the retention policy lets go.
    public struct Expired: Sendable {
        public var commit: ContentHash
        /// Microseconds since 1970.
        public var time: UInt64
        public var cause: String
    }

    /// Named one by one, for people to look at.
    public static let shownExpired = 100

    public var isDryRun = false
    /// What stays.
    public var live = ObjectFigures()
    /// What nobody needs; its bytes include old copies and head records.
    public var dead = ObjectFigures()
    /// By which the log became shorter; of a dry run, would become. Below zero where it broke off behind a copy.
    public var freedBytes: Int64 = 0
    public var kept: [Kept] = []
    /// Commits that the policy lets go, and the newest of them.
    public var expiredStates = 0
    public var expired: [Expired] = []
    public var segmentsRewritten = 0
    public var segmentsRemoved = 0
    public var copiedBytes: UInt64 = 0
    public var readBytes: UInt64 = 0
    public var seconds = 0.0
    public var wasCancelled = false
    /// Why not everything was removed that could be; nil if it was.
    public var remark: String?

    mutating func add(_ compaction: CompactionReport) {
        segmentsRewritten = compaction.segmentsRewritten
        segmentsRemoved = compaction.segmentsRemoved
        copiedBytes = compaction.copiedBytes
        readBytes = compaction.readBytes
        freedBytes = compaction.freedBytes
        wasCancelled = compaction.wasCancelled
        if compaction.segmentsLeft > 0 {
            remark = "\(compaction.segmentsLeft) segments were left: they hold damaged objects that are needed; scrub and heal"
        }
    }
}
