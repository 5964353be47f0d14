/// A task that looks after a node's data.
public struct TaskItem: Codable, Sendable {
    public struct Progress: Codable, Sendable {
        public var phase: String
        public var objects: UInt64
        public var bytes: UInt64
        public var totalBytes: UInt64?

        enum CodingKeys: String, CodingKey {
            case phase, objects, bytes
            case totalBytes = "total_bytes"
        }
    }

    public var id: String
    public var kind: String
    public var state: String
    public var progress: Progress
    public var result: JSONValue?
    public var error: String?
}

/// What a collection came to, or would come to.
public struct CollectionOutcome: Codable, Sendable {
    public struct Sum: Codable, Sendable {
        public var objects: UInt64
        public var bytes: UInt64
    }

    public struct Kept: Codable, Sendable {
        public var reason: String
        public var states: Int
        /// What is kept for this reason beyond those before it; nil where that was not counted.
        public var own: Sum?
    }

    public struct Expired: Codable, Sendable {
        public var commit: String
        public var time: String
        public var cause: String
    }

    public var live: Sum
    public var dead: Sum
    public var freedBytes: Int64
    public var kept: [Kept]
    public var expiredStates: Int
    /// The newest of them.
    public var expired: [Expired]
    public var seconds: Double
    public var remark: String?

    enum CodingKeys: String, CodingKey {
        case live, dead, kept, expired, seconds, remark
        case freedBytes = "freed_bytes"
        case expiredStates = "expired_states"
    }
}

/// What a scrub or a verification came to.
public struct RepairOutcome: Codable, Sendable {
    public struct Loss: Codable, Sendable {
        public var path: String
        public var reason: String
    }

    public var objects: UInt64
    public var bytes: UInt64
    public var damaged: UInt64
    public var healed: UInt64
    public var lost: UInt64
    public var losses: [Loss]
    public var whole: Bool
}
