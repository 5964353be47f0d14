import Access
import Causality
import Content
import Foundation
import Platform
import Synchronization

/// What a node keeps for itself and never replicates: whom it talks to, and which invitations it has given out.
struct LocalState: Codable, Sendable {
    struct Peer: Codable, Sendable {
        var nodeID: String?
        var label: String?
        var address: String
        var syncPaths: [String]?
    }

    struct Invitation: Codable, Sendable {
        var id: String
        var secretHash: String
        var label: String?
        var syncPaths: [String]?
        var expiresAt: Date
        var isUsed = false
        /// Who used it, and may do so again until it expires: the answer may have been lost on the way.
        var usedBy: String?
    }

    var peers: [Peer] = []
    var invitations: [Invitation] = []
    /// Where this node stands with the peers of which it sees a part.
    var scoped: [String: ScopedState]?
    /// Own writes up to here may have been shown to a peer that vets them. Runs ahead of what was shown.
    var shown: UInt64?
    /// Up to when this node has the writes of each node; see `SeenVector`. Lags behind.
    var seen: [String: UInt64]?
    /// Whatever was deleted up to here is deleted here. Lags behind.
    var caughtUp: UInt64?
    /// The nodes that were relied on to hold what was dropped here, and whose whole state has not been joined since.
    var droppedTo: [String]?
    /// The cluster of the backup that the directory was made from: what is here may be older than deletions there.
    var importedFrom: String?

    /// Own writes after it were shown to nobody that vets them.
    var shownUpTo: Timestamp { Timestamp(rawValue: shown ?? 0) }
}

/// The local state in its file, which is replaced whole at each change.
final class LocalStateFile: Sendable {
    private let path: String
    private let state: Mutex<LocalState>

    init(directory: String) throws {
        path = directory + "/local.json"
        let state =
            if let bytes = try PrivateFile.read(path) {
                try JSONDecoder().decode(LocalState.self, from: Data(bytes))
            } else {
                LocalState()
            }
        self.state = Mutex(state)
    }

    var value: LocalState { state.withLock { $0 } }

    /// Notes that own writes may have been shown; durable on return.
    func noteShown(upTo time: Timestamp) throws {
        if time > value.shownUpTo { try change { $0.shown = max($0.shown ?? 0, time.rawValue) } }
    }

    /// Takes back what was noted ahead of the last write.
    func noteShownAtMost(upTo time: Timestamp) throws {
        if time < value.shownUpTo { try change { $0.shown = time.rawValue } }
    }

    /// Changes the state; durable on return. A change that throws, or cannot be written, did not happen.
    func change<Result>(_ body: (inout LocalState) throws -> Result) throws -> Result {
        try state.withLock { state in
            var changed = state
            let result = try body(&changed)
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
            try PrivateFile.write(Array(encoder.encode(changed)), to: path)
            state = changed
            return result
        }
    }
}

extension NodeKey {
    /// The node's key from its file in the data directory; made at the first call.
    public static func load(directory: String, randomness: any Randomness = SystemRandomness()) throws -> NodeKey {
        let path = directory + "/node.key"
        if let bytes = try PrivateFile.read(path) {
            guard let key = NodeKey(rawBytes: bytes) else {
                throw NodeError(.unavailable, "\(path) is not a node key; restore it from a backup, or remove it to start as a new node")
            }
            return key
        }
        guard let key = NodeKey(rawBytes: randomness.bytes(NodeKey.byteCount)) else { throw NodeError(.unavailable, "no key can be made") }
        try PrivateFile.write(key.rawBytes, to: path)
        return key
    }

    /// The key of a node that has run before; nil if none has in this directory.
    public static func existing(directory: String) throws -> NodeKey? {
        guard let bytes = try PrivateFile.read(directory + "/node.key") else { return nil }
        return NodeKey(rawBytes: bytes)
    }
}
