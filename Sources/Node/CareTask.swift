import Foundation

/// Work that looks after the database: it can take hours, is followed while it runs, and can be stopped.
public struct CareTask: Sendable, Encodable {
    public enum Kind: String, Sendable, Codable, CaseIterable {
        /// Lets go of what nothing needs any more.
        case gc
        /// Reads the whole log and compares every object with its hash.
        case scrub
        /// Walks from the newest state and checks all that it needs.
        case verify
    }

    public enum State: String, Sendable, Codable {
        case running, done, failed, cancelled
    }

    /// How far a task has come.
    public struct Progress: Sendable, Encodable {
        /// What it is at, in a word or two.
        public var phase = ""
        /// Objects that it has looked at, and their bytes.
        public var objects: UInt64 = 0
        public var bytes: UInt64 = 0
        /// Bytes at the end; nil where that cannot be told.
        public var totalBytes: UInt64?

        public init(phase: String = "", objects: UInt64 = 0, bytes: UInt64 = 0, totalBytes: UInt64? = nil) {
            (self.phase, self.objects, self.bytes, self.totalBytes) = (phase, objects, bytes, totalBytes)
        }
    }

    /// What a task came to.
    public enum Result: Sendable, Encodable {
        case collection(CollectionFigures)
        case repair(RepairFigures)

        public func encode(to encoder: any Encoder) throws {
            switch self {
            case .collection(let figures): try figures.encode(to: encoder)
            case .repair(let figures): try figures.encode(to: encoder)
            }
        }
    }

    public var id: String
    public var kind: Kind
    public var state: State
    /// Whether the schedule has started it, and not somebody.
    public var scheduled: Bool
    /// Of a collection: whether it only tells what would go.
    public var dryRun: Bool
    public var startedAt: String
    public var finishedAt: String?
    public var progress: Progress
    public var result: Result?
    public var error: String?
}

extension CareTask {
    // What is not known is null, not absent.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(id, forKey: .id)
        try container.encode(kind, forKey: .kind)
        try container.encode(state, forKey: .state)
        try container.encode(scheduled, forKey: .scheduled)
        try container.encode(dryRun, forKey: .dryRun)
        try container.encode(startedAt, forKey: .startedAt)
        try container.encode(finishedAt, forKey: .finishedAt)
        try container.encode(progress, forKey: .progress)
        try container.encode(result, forKey: .result)
        try container.encode(error, forKey: .error)
    }

    private enum CodingKeys: String, CodingKey {
        case id, kind, state, scheduled, dryRun, startedAt, finishedAt, progress, result, error
    }
}

extension CareTask.Progress {
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(phase, forKey: .phase)
        try container.encode(objects, forKey: .objects)
        try container.encode(bytes, forKey: .bytes)
        try container.encode(totalBytes, forKey: .totalBytes)
    }

    private enum CodingKeys: String, CodingKey { case phase, objects, bytes, totalBytes }
}
