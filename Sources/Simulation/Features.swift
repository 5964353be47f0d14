/// What a run is made of. Drawn from its seed; each feature can be taken away to find a shorter run that still fails.
public struct Features: Sendable, Hashable, Codable, CustomStringConvertible {
    public enum Topology: String, Sendable, Codable, CaseIterable {
        case mesh, chain, ring, star
    }

    /// Seconds for which deletions are kept where they go.
    public static let retention = 6

    public var nodes: Int
    public var topology: Topology
    /// Operations of all users together.
    public var operations: Int
    public var hasPartitions: Bool
    public var hasCrashes: Bool
    public var hasBadWeather: Bool
    public var hasWrongClocks: Bool
    public var hasFullDisks: Bool
    public var movesThings: Bool
    public var resolvesConflicts: Bool
    public var hasLargeFiles: Bool
    /// Whether the last machine takes part in some of the files only.
    public var hasPartialMember: Bool
    /// Whether nobody can connect to some machines.
    public var hasHiddenNodes: Bool
    /// Whether machines are put back to old copies of themselves.
    public var hasOldCopies: Bool
    /// Whether deletions are kept for seconds only, and machines are away for longer.
    public var dropsDeletions: Bool
    /// Whether a site of two machines is cut off from all others for longer than that.
    public var hasOutage: Bool
    /// Whether somebody has a key with rules, and tries what it opens.
    public var hasProber: Bool
    /// Whether states are named, and files put back to what they were in them.
    public var hasSnapshots: Bool
    /// Whether nothing but the present is kept, and the rest is collected; and whether logs are scrubbed.
    public var collects: Bool
    /// Whether bits of a node's log flip in the end.
    public var flipsBits: Bool
    /// Whether tasks take turns at every call, and not only where they wait.
    public var switchesAtCalls: Bool
    /// Milliseconds between two operations of a user, at most. What goes wrong comes at the same pace.
    public var pause: Int

    /// - Parameter isSwarm: whether features are left out at random, so that those which hide each other's faults are also
    ///   tried alone (Groce et al., "Swarm testing", ISSTA 2012).
    public init(seed: UInt64, isSwarm: Bool) {
        var random = SplitMix64(seed: seed ^ 0x5157_4152_4d00)
        func chance(_ random: inout SplitMix64) -> Bool { !isSwarm || !random.once(in: 3) }
        nodes = 3 + random.below(5)
        topology = random.pick(Topology.allCases)
        operations = 100 + random.below(200)
        hasPartitions = chance(&random)
        hasCrashes = chance(&random)
        hasBadWeather = chance(&random)
        hasWrongClocks = chance(&random)
        hasFullDisks = chance(&random)
        movesThings = chance(&random)
        resolvesConflicts = chance(&random)
        hasLargeFiles = chance(&random)
        // Such a run takes several times as long.
        switchesAtCalls = random.once(in: 8)
        let rare = isSwarm ? 3 : 1
        hasPartialMember = random.once(in: rare)
        hasHiddenNodes = random.once(in: rare)
        // What a full member forgot and a partial one alone still has cannot come back, since that one is not believed: docs/simulation.md.
        hasOldCopies = random.once(in: rare) && (!hasPartialMember || random.once(in: 2))
        if hasOldCopies { hasPartialMember = false }
        dropsDeletions = !hasPartialMember && !hasHiddenNodes && random.once(in: 2)
        hasProber = random.once(in: rare)
        pause = random.pick([50, 100, 200, 400])
        hasSnapshots = random.once(in: rare)
        collects = random.once(in: rare)
        flipsBits = random.once(in: rare)
        // The others must be more than half, and still reach each other.
        hasOutage = dropsDeletions && nodes >= 5 && topology != .star && random.once(in: 2)
        // Drawn last, so that earlier seeds without either stay what they were.
        if hasHiddenNodes || hasPartialMember { dropsDeletions = random.once(in: 2) }
    }

    /// The same with one thing less, the most telling first.
    public var reductions: [Features] {
        var result: [Features] = []
        func add(_ change: (inout Features) -> Void) {
            var reduced = self
            change(&reduced)
            if reduced != self { result.append(reduced) }
        }
        add { $0.operations = max(10, $0.operations / 2) }
        add { $0.nodes = max($0.hasOutage ? 5 : 2, $0.nodes - 1) }
        add { $0.hasCrashes = false }
        add { $0.hasPartitions = false }
        add { $0.hasBadWeather = false }
        add { $0.hasWrongClocks = false }
        add { $0.hasFullDisks = false }
        add { $0.movesThings = false }
        add { $0.resolvesConflicts = false }
        add { $0.hasLargeFiles = false }
        add { $0.switchesAtCalls = false }
        add { $0.hasPartialMember = false }
        add { $0.hasHiddenNodes = false }
        add { $0.hasOldCopies = false }
        add { $0.hasOutage = false }
        add { $0.dropsDeletions = false; $0.hasOutage = false }
        add { $0.hasProber = false }
        add { $0.hasSnapshots = false }
        add { $0.collects = false }
        add { $0.flipsBits = false }
        add { $0.topology = .mesh }
        add { $0.operations = max(10, $0.operations * 3 / 4) }
        return result
    }

    public var description: String {
        let flags = [
            (hasPartitions, "partitions"), (hasCrashes, "crashes"), (hasBadWeather, "bad weather"), (hasWrongClocks, "wrong clocks"),
            (hasFullDisks, "full disks"), (movesThings, "moves"), (resolvesConflicts, "resolving"), (hasLargeFiles, "large files"),
            (switchesAtCalls, "turns at calls"), (hasPartialMember, "a partial member"), (hasHiddenNodes, "hidden nodes"),
            (hasOldCopies, "old copies"), (dropsDeletions, "absences"), (hasOutage, "an outage"), (hasProber, "a prober"),
            (hasSnapshots, "snapshots"), (collects, "collections"), (flipsBits, "flipped bits"),
        ]
        let names = flags.filter(\.0).map(\.1).joined(separator: ", ")
        return "\(nodes) nodes in a \(topology.rawValue), \(operations) operations every \(pause) ms\(names.isEmpty ? "" : ", ")\(names)"
    }
}
