import Foundation

/// How a node's data is looked after, for its status.
public struct CareStatus: Codable, Sendable {
    /// A task that runs.
    public struct Running: Codable, Sendable {
        public var id: String
        public var kind: CareTask.Kind
        public var scheduled: Bool
        public var bytes: UInt64
        public var totalBytes: UInt64?
    }

    /// When all data was last read and compared with its hashes.
    public var lastScrubAt: String?
    /// What the last scrub found: objects that did not have their hash or were gone.
    public var damagedObjects: UInt64
    /// What came back from peers, ever.
    public var healedObjects: UInt64
    /// What paths need and nobody has, as the last scrub or verification found.
    public var lostObjects: UInt64
    public var losses: [CareRecord.Loss]
    public var lastGcAt: String?
    public var freedBytes: UInt64
    public var running: [Running]
}

extension CareStatus {
    // What is not known is null, not absent.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(lastScrubAt, forKey: .lastScrubAt)
        try container.encode(damagedObjects, forKey: .damagedObjects)
        try container.encode(healedObjects, forKey: .healedObjects)
        try container.encode(lostObjects, forKey: .lostObjects)
        try container.encode(losses, forKey: .losses)
        try container.encode(lastGcAt, forKey: .lastGcAt)
        try container.encode(freedBytes, forKey: .freedBytes)
        try container.encode(running, forKey: .running)
    }
}

extension Node {
    /// Paths that a status names; the result of the task has the rest.
    private static let namedLosses = 5

    /// How the care went so far.
    public var careSoFar: CareRecord { careRecord.value }

    public var careStatus: CareStatus {
        let record = careRecord.value
        func text(_ seconds: Double?) -> String? { seconds.map { Date(timeIntervalSince1970: $0).rfc3339 } }
        return CareStatus(
            lastScrubAt: text(record.lastScrub), damagedObjects: record.damaged, healedObjects: record.healed,
            lostObjects: record.lost, losses: Array(record.losses.prefix(Node.namedLosses)), lastGcAt: text(record.lastCollection),
            freedBytes: record.freedBytes,
            running: careTasks.all.filter { $0.state == .running }.map {
                CareStatus.Running(
                    id: $0.id, kind: $0.kind, scheduled: $0.scheduled, bytes: $0.progress.bytes, totalBytes: $0.progress.totalBytes)
            })
    }
}
