import Access
import Causality
import Content
import FileDatabase
import Foundation
import Merkle
import Platform
import Replication
import Synchronization

/// The answer of `GET /sync/status`.
public struct NodeStatus: Codable, Sendable {
    public var nodeID: String
    public var clusterID: String?
    public var label: String?
    /// Nil, as the sums are, for a caller that may not see everything.
    public var root: String?
    public var systemRoot: String?
    public var head: String?
    public var virtualTime: String
    /// Whether the virtual time is the cluster's; a newcomer's is not yet.
    public var clockSettled: Bool
    public var files: UInt64?
    public var bytes: UInt64?
    public var conflicts: UInt64?
    /// For nodes: whether this one can reach the caller and takes its changes by itself; if not, the caller has to push them.
    public var pullsFromCaller: Bool?
    public var version: String
    public var uptimeSeconds: Double
    /// Deletions from before it are dropped.
    public var horizon: String?
    /// How the data is looked after; nil for a caller that may not see everything.
    public var care: CareStatus?
    /// The members without word of which a deletion cannot go that is old enough, by id.
    public var horizonWaitsFor: [String]?
    /// Deletions that are still kept.
    public var tombstones: UInt64?
    /// Whether the node is a full member and holds all that it was ever given.
    public var whole: Bool?
    /// For peers only: what this node has; see `SeenVector`. Timestamps.
    public var clock: UInt64?
    public var caughtUp: UInt64?
    public var seen: [String: UInt64]?
    /// For peers only: which of its own writes it may not know.
    public var own: Own?

    /// See `KnownWrites`.
    public struct Own: Codable, Sendable {
        public var incarnation: UInt32
        public var gaps: [WriteGap]
    }
}

/// An item of `GET /sync/peers`.
public struct PeerInfo: Codable, Sendable {
    public var nodeID: String?
    public var label: String?
    public var address: String
    public var state: String
    public var reason: String?
    public var offsetUs: Int64?
    public var delayUs: Int64?
    public var errorUs: Int64?
    public var syncPaths: [String]?
    public var lastSyncAt: String?
    public var root: String?
    /// When the peer last read all of its data, as it told; and what it found damaged, and could not bring back.
    public var lastScrubAt: String?
    public var damagedObjects: UInt64?
    public var lostObjects: UInt64?
    public var inSync: Bool
    /// How old what is here of the peer's may be; 0 where nothing is missing, nil where nothing was ever synced.
    public var lagSeconds: Double?
    public var bytesReceived: UInt64
    public var bytesSent: UInt64
}

/// What one sync with one peer did.
public struct SyncReport: Codable, Sendable {
    public var nodeID: String?
    public var address: String?
    public var ok: Bool
    /// Paths whose registers changed here.
    public var entries = 0
    public var chunks = 0
    public var bytes: UInt64 = 0
    /// Paths that are conflicted now and were not before.
    public var conflicts: UInt64 = 0
    /// Paths and bytes that were sent to a peer that does not pull from here.
    public var pushed = 0
    public var bytesPushed: UInt64 = 0
    public var error: String?
}

extension Node {
    /// - Parameter caller: nil for the node itself.
    public func status(for caller: Principal? = nil) throws -> NodeStatus {
        let isFullPeer = if case .node? = caller?.identity { caller?.isPartial == false && caller?.rules.isUnrestricted == true } else { false }
        // Before the head is read, which holds all of it then.
        let acknowledgement = isFullPeer ? try acknowledgement() : nil
        let horizon = try horizonDocuments().horizon
        let head = database.head
        let seesFiles = caller?.rules.isUnrestricted ?? true
        let seesAll = seesFiles && caller?.seesSystem ?? true
        let sums = seesFiles ? head.commit.files.aggregates : nil
        let (seconds, attoseconds) = uptime.components
        let written = database.written
        let own = NodeStatus.Own(
            incarnation: written.actor.incarnation,
            gaps: written.earlier + [WriteGap(start: written.start, first: written.first ?? Timestamp(microseconds: database.now))])
        return NodeStatus(
            nodeID: id.description, clusterID: try cluster().id, label: label, root: seesAll ? head.commit.files.root.description : nil,
            systemRoot: seesAll ? head.commit.system.root.description : nil, head: seesAll ? head.hash?.description : nil,
            virtualTime: clock.date.rfc3339, clockSettled: clock.isSettled, files: sums?.files, bytes: sums?.bytes,
            conflicts: sums?.conflicts, pullsFromCaller: caller.flatMap { pulls(from: $0) }, version: Node.version,
            uptimeSeconds: Double(seconds) + Double(attoseconds / 1_000_000_000) / 1e9,
            horizon: horizon == .zero ? nil : Date(timeIntervalSince1970: Double(horizon.microseconds) / 1e6).rfc3339,
            care: seesAll ? careStatus : nil,
            horizonWaitsFor: seesAll ? horizonState.withLock { $0.waitsFor.map(\.description) } : nil, tombstones: sums?.tombstones, whole: isWhole,
            clock: acknowledgement.map { $0.seen[id].rawValue }, caughtUp: acknowledgement?.caughtUp.rawValue,
            seen: acknowledgement?.seen.encoded, own: isFullPeer ? own : nil)
    }

    /// Whether this node takes a caller's changes by itself; nil for one that is no node.
    private func pulls(from caller: Principal) -> Bool? {
        guard let node = caller.node else { return nil }
        // Others are not believed what they hold, so they have to push, and be vetted.
        guard case .node = caller.identity, !caller.isPartial else { return false }
        return links.withLock { $0[node.description] }?.state.withLock { $0.phase == .active } ?? false
    }

    public func peers() -> [PeerInfo] {
        allLinks().map(info(of:))
    }

    func info(of link: PeerLink) -> PeerInfo {
        let own = database.head.commit.files.root
        let limits = (try? cluster().members.mapValues(\.syncPaths)) ?? [:]
        let now = clock.monotonicMicroseconds()
        return link.state.withLock { state in
            let estimate = state.honeymoon.filter.estimate(at: now)
            let inSync = state.phase == .active && (state.isScoped ? state.isEven : state.root == own)
            return PeerInfo(
                nodeID: state.nodeID?.description, label: state.label, address: state.address, state: state.phase.rawValue,
                reason: state.reason, offsetUs: estimate.map { clock.offset(of: $0) }, delayUs: estimate?.delay, errorUs: estimate?.error,
                syncPaths: state.syncPaths ?? state.nodeID.flatMap { limits[$0] ?? nil } ?? state.toldPaths,
                lastSyncAt: state.lastSyncAt?.rfc3339, root: state.root?.description, lastScrubAt: state.care?.lastScrubAt,
                damagedObjects: state.care?.damagedObjects, lostObjects: state.care?.lostObjects,
                inSync: inSync, lagSeconds: inSync ? 0 : state.lastSyncAt.map { max(0, clock.date.timeIntervalSince($0)) },
                bytesReceived: state.bytesReceived, bytesSent: state.bytesSent)
        }
    }

    /// Changes a peer's label, or what is exchanged with it. Of a partial member it is what it takes part in that changes, wherever
    /// it connects; nil makes it a full one.
    public func updatePeer(_ node: NodeID, label: String?, syncPaths: [String]??) async throws -> PeerInfo {
        try await updatePeer(.node(node), label: label, syncPaths: syncPaths)
    }

    /// The same for a peer that may not have told its id yet.
    public func updatePeer(_ name: PeerName, label: String?, syncPaths: [String]??) async throws -> PeerInfo {
        var syncPaths = syncPaths
        if case .some(let paths) = syncPaths { try Node.check(syncPaths: paths) }
        let known = try local.value.peers.first(where: name.names) ?? { throw name.unknown }()
        if case .some(let paths) = syncPaths, let node = known.nodeID.flatMap({ NodeID($0) }) {
            let isPartial = try cluster().members[node]?.syncPaths != nil
            if isPartial {
                try await limitMember(node, to: paths)
                syncPaths = nil
            }
        }
        let wanted = syncPaths
        let peer = try await database.threads.run { [local] in
            try local.change { state in
                guard let index = state.peers.firstIndex(where: name.names) else { throw name.unknown }
                if let label { state.peers[index].label = label }
                if let wanted { state.peers[index].syncPaths = wanted }
                return state.peers[index]
            }
        }
        forgetPrincipals()
        let link = link(for: peer)
        link.state.withLock { state in
            state.label = peer.label
            state.setPaths(peer.syncPaths)
        }
        link.announce(nil)
        return info(of: link)
    }

    public func removePeer(_ node: NodeID) throws {
        guard local.value.peers.contains(where: PeerName.node(node).names) else { throw PeerName.node(node).unknown }
        try forget(node)
    }

    /// Forgets a peer that may not have told its id yet.
    public func removePeer(_ name: PeerName) async throws {
        let peer = try await database.threads.run { [local] in
            try local.change { state in
                guard let index = state.peers.firstIndex(where: name.names) else { throw name.unknown }
                return state.peers.remove(at: index)
            }
        }
        // Under its address until it has told its id, which it may be doing just now.
        let gone = links.withLock { links in
            [peer.nodeID, peer.address].compactMap { $0.flatMap { links.removeValue(forKey: $0) } }
        }
        for link in gone { stopKeepingInTouch(with: link) }
    }
}

/// What a peer is called: by its id, or by its address where it has never told its id.
public enum PeerName: Sendable, Hashable {
    case node(NodeID)
    case address(String)

    func names(_ peer: LocalState.Peer) -> Bool {
        switch self {
        case .node(let id): peer.nodeID == id.description
        case .address(let address): peer.address == address
        }
    }

    var unknown: NodeError {
        switch self {
        case .node(let id): NodeError(.notFound, "no peer has the id \(id)")
        case .address(let address): NodeError(.notFound, "no peer has the address \(address)")
        }
    }
}

// MARK: - Encoding

// What is not known is null, not absent: scripts can rely on every field being there.

extension NodeStatus {
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(nodeID, forKey: .nodeID)
        try container.encode(clusterID, forKey: .clusterID)
        try container.encode(label, forKey: .label)
        try container.encode(root, forKey: .root)
        try container.encode(systemRoot, forKey: .systemRoot)
        try container.encode(head, forKey: .head)
        try container.encode(virtualTime, forKey: .virtualTime)
        try container.encode(clockSettled, forKey: .clockSettled)
        try container.encode(files, forKey: .files)
        try container.encode(bytes, forKey: .bytes)
        try container.encode(conflicts, forKey: .conflicts)
        try container.encodeIfPresent(pullsFromCaller, forKey: .pullsFromCaller)
        try container.encode(version, forKey: .version)
        try container.encode(uptimeSeconds, forKey: .uptimeSeconds)
        try container.encode(horizon, forKey: .horizon)
        try container.encode(care, forKey: .care)
        try container.encode(horizonWaitsFor, forKey: .horizonWaitsFor)
        try container.encode(tombstones, forKey: .tombstones)
        try container.encode(whole, forKey: .whole)
        try container.encodeIfPresent(clock, forKey: .clock)
        try container.encodeIfPresent(caughtUp, forKey: .caughtUp)
        try container.encodeIfPresent(seen, forKey: .seen)
        try container.encodeIfPresent(own, forKey: .own)
    }
}

extension PeerInfo {
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(nodeID, forKey: .nodeID)
        try container.encode(label, forKey: .label)
        try container.encode(address, forKey: .address)
        try container.encode(state, forKey: .state)
        try container.encode(reason, forKey: .reason)
        try container.encode(offsetUs, forKey: .offsetUs)
        try container.encode(delayUs, forKey: .delayUs)
        try container.encode(errorUs, forKey: .errorUs)
        try container.encode(syncPaths, forKey: .syncPaths)
        try container.encode(lastSyncAt, forKey: .lastSyncAt)
        try container.encode(root, forKey: .root)
        try container.encode(lastScrubAt, forKey: .lastScrubAt)
        try container.encode(damagedObjects, forKey: .damagedObjects)
        try container.encode(lostObjects, forKey: .lostObjects)
        try container.encode(inSync, forKey: .inSync)
        try container.encode(lagSeconds, forKey: .lagSeconds)
        try container.encode(bytesReceived, forKey: .bytesReceived)
        try container.encode(bytesSent, forKey: .bytesSent)
    }
}

extension SyncReport {
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(nodeID, forKey: .nodeID)
        try container.encode(address, forKey: .address)
        try container.encode(ok, forKey: .ok)
        try container.encode(entries, forKey: .entries)
        try container.encode(chunks, forKey: .chunks)
        try container.encode(bytes, forKey: .bytes)
        try container.encode(conflicts, forKey: .conflicts)
        try container.encode(pushed, forKey: .pushed)
        try container.encode(bytesPushed, forKey: .bytesPushed)
        try container.encode(error, forKey: .error)
    }
}
