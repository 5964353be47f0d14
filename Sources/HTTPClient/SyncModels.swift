/// How a node is.
public struct NodeStatus: Codable, Sendable {
    public var nodeID: String
    public var clusterID: String?
    public var root: String?
    public var head: String?
    /// Microseconds or RFC 3339, as the node has it.
    public var virtualTime: JSONValue?
    public var files: UInt64?
    public var bytes: UInt64?
    public var conflicts: UInt64?
    public var version: String?
    public var uptimeSeconds: Double?
    public var care: CareStatus?

    /// How the data is looked after.
    public struct CareStatus: Codable, Sendable {
        public var lastScrubAt: String?
        public var damagedObjects: UInt64
        public var lostObjects: UInt64
        public var lastGcAt: String?

        enum CodingKeys: String, CodingKey {
            case lastScrubAt = "last_scrub_at"
            case damagedObjects = "damaged_objects"
            case lostObjects = "lost_objects"
            case lastGcAt = "last_gc_at"
        }
    }

    /// Deletions that are kept, from when on, and which members it is that have not told of an old one.
    public var tombstones: UInt64?
    public var horizon: String?
    public var horizonWaitsFor: [String]?

    enum CodingKeys: String, CodingKey {
        case root, head, files, bytes, conflicts, version, care, tombstones, horizon
        case horizonWaitsFor = "horizon_waits_for"
        case nodeID = "node_id"
        case clusterID = "cluster_id"
        case virtualTime = "virtual_time"
        case uptimeSeconds = "uptime_seconds"
    }
}

/// What a node has dropped, or would.
public struct DropOutcome: Codable, Sendable {
    public var files: UInt64
    public var bytes: UInt64
    /// The first paths that were kept, since no peer is known to have what is there.
    public var kept: [String]
    public var keptCount: Int

    enum CodingKeys: String, CodingKey {
        case files, bytes, kept
        case keptCount = "kept_count"
    }
}

/// A node that this one exchanges changes with.
public struct Peer: Codable, Sendable {
    public var nodeID: String?
    public var label: String?
    public var address: String?
    public var state: String?
    /// Why the peer is in its state, where it is not active.
    public var reason: String?
    /// The peer's clock against ours.
    public var offsetMicroseconds: Double?
    /// How far the offset can be off.
    public var errorMicroseconds: Double?
    /// How old what is here of the peer's may be; 0 where nothing is missing.
    public var lagSeconds: Double?
    public var bytesReceived: UInt64?
    public var bytesSent: UInt64?
    public var syncPaths: [String]?
    public var lastSyncAt: String?
    public var inSync: Bool?

    enum CodingKeys: String, CodingKey {
        case label, address, state, reason
        case nodeID = "node_id"
        case offsetMicroseconds = "offset_us"
        case errorMicroseconds = "error_us"
        case lagSeconds = "lag_seconds"
        case bytesReceived = "bytes_received"
        case bytesSent = "bytes_sent"
        case syncPaths = "sync_paths"
        case lastSyncAt = "last_sync_at"
        case inSync = "in_sync"
    }
}

/// A node of the cluster.
public struct Member: Codable, Sendable {
    public var nodeID: String
    public var label: String?
    public var address: String?
    public var joinedAt: String?

    enum CodingKeys: String, CodingKey {
        case label, address
        case nodeID = "node_id"
        case joinedAt = "joined_at"
    }
}

/// A peer to add.
public struct NewPeer: Encodable, Sendable {
    public var address: String
    public var label: String?
    public var syncPaths: [String]?
    public var token: String?

    public init(address: String, label: String? = nil, syncPaths: [String]? = nil, token: String? = nil) {
        self.address = address
        self.label = label
        self.syncPaths = syncPaths
        self.token = token
    }

    enum CodingKeys: String, CodingKey {
        case address, label, token
        case syncPaths = "sync_paths"
    }
}

/// An invitation to be made.
public struct NewInvitation: Encodable, Sendable {
    public var label: String?
    /// Seconds.
    public var expiresIn: Int?
    public var syncPaths: [String]?

    public init(label: String? = nil, expiresIn: Int? = nil, syncPaths: [String]? = nil) {
        self.label = label
        self.expiresIn = expiresIn
        self.syncPaths = syncPaths
    }

    enum CodingKeys: String, CodingKey {
        case label
        case expiresIn = "expires_in"
        case syncPaths = "sync_paths"
    }
}

/// An invitation as it was made: shown once.
public struct Invitation: Codable, Sendable {
    public var invitation: String
    public var expiresAt: String?

    enum CodingKeys: String, CodingKey {
        case invitation
        case expiresAt = "expires_at"
    }
}

/// What a sync with one peer came to.
public struct SyncOutcome: Codable, Sendable {
    public var nodeID: String?
    public var ok: Bool
    public var entries: UInt64?
    public var chunks: UInt64?
    public var bytes: UInt64?
    public var conflicts: UInt64?
    public var error: String?

    enum CodingKeys: String, CodingKey {
        case ok, entries, chunks, bytes, conflicts, error
        case nodeID = "node_id"
    }
}

/// What syncs with several peers came to.
public struct SyncOutcomes: Codable, Sendable {
    public var peers: [SyncOutcome]
}
