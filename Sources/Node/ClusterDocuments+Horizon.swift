import Causality
import Content
import FileDatabase
import Foundation
import Merkle
import Replication

extension ClusterDocument {
    /// What a member tells of what it has: `/.system/seen/NODE`.
    struct Seen: Codable, Sendable {
        /// Of the node that tells: one restored from a backup may have less than it once told.
        var incarnation: UInt32
        /// Timestamps by node.
        var seen: [String: UInt64]
        /// The members that it has asked for since longer than deletions are kept, in vain. Absent in what earlier versions wrote.
        var missed: [String]?

        init(incarnation: UInt32, _ vector: SeenVector, missed: Set<NodeID>) {
            self.incarnation = incarnation
            seen = vector.encoded
            self.missed = missed.isEmpty ? nil : missed.sorted().map(\.description)
        }

        var vector: SeenVector { SeenVector(encoded: seen) }
        var missing: Set<NodeID> { Set((missed ?? []).compactMap { NodeID($0) }) }
    }

    /// Up to when deletions are dropped: `/.system/horizon`. Of several the latest holds.
    struct Horizon: Codable, Sendable {
        var time: UInt64
        /// The incarnations of the members that have everything up to it. Another may have come back from before it.
        var members: [String: UInt32]
    }

    /// A member that was away for longer than deletions are kept: `/.system/lapsed/NODE`.
    struct Lapsed: Codable, Sendable {
        var since: Date
    }

    static let horizon = TreePath.root.appending("horizon")
    static let seen = TreePath.root.appending("seen")
    static let lapsed = TreePath.root.appending("lapsed")

    static func seen(_ id: NodeID) -> TreePath { seen.appending(id.description) }
    static func lapsed(_ id: NodeID) -> TreePath { lapsed.appending(id.description) }
}

extension SeenVector {
    init(encoded: [String: UInt64]) {
        var times: [NodeID: Timestamp] = [:]
        for (name, time) in encoded {
            if let node = NodeID(name) { times[node] = min(Timestamp(rawValue: time), .latestAllowed) }
        }
        self.init(times)
    }

    var encoded: [String: UInt64] {
        Dictionary(uniqueKeysWithValues: times.map { ($0.key.description, $0.value.rawValue) })
    }
}

/// What one state of `/.system/` says of the horizon.
struct HorizonDocuments: Sendable {
    /// The root that this was read from.
    var root: ContentHash
    var horizon = Timestamp.zero
    /// Who has everything up to it, with their incarnations.
    var listed: [NodeID: UInt32] = [:]
    var seen: [NodeID: ClusterDocument.Seen] = [:]
    var lapsed: Set<NodeID> = []
}

extension HorizonDocuments {
    init(_ view: TreeView) throws {
        self.init(root: view.head.commit.system.root)
        for bytes in try view.allVersions(of: ClusterDocument.horizon) {
            guard let document = try? ClusterDocument.decode(ClusterDocument.Horizon.self, bytes) else { continue }
            let time = Timestamp(rawValue: document.time)
            guard time > horizon else { continue }
            horizon = time
            listed = [:]
            for (name, incarnation) in document.members {
                if let node = NodeID(name) { listed[node] = incarnation }
            }
        }
        for (name, bytes) in try view.documents(in: ClusterDocument.seen) {
            guard let node = NodeID(name), let document = try? ClusterDocument.decode(ClusterDocument.Seen.self, bytes) else { continue }
            seen[node] = document
        }
        for (name, _) in try view.documents(in: ClusterDocument.lapsed) {
            if let node = NodeID(name) { lapsed.insert(node) }
        }
    }

    /// Those that have never told anything count too: there may never have been anything to tell.
    func acknowledgements(_ cluster: Cluster) -> Acknowledgements {
        // Partial members have only a part, and write nothing that is not looked at.
        let members = cluster.members.filter { node, member in !lapsed.contains(node) && member.syncPaths == nil }
        let told = seen.filter { members[$0.key] != nil }
        return Acknowledgements(members: Set(members.keys), seen: told.mapValues(\.vector), missed: told.mapValues(\.missing))
    }
}
