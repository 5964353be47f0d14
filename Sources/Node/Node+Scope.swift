import Access
import Content
import FileDatabase
import Foundation
import Merkle
import Synchronization

/// The answer of `GET /sync/scope`: what the caller may do here.
public struct ScopeInfo: Codable, Sendable {
    public struct Rule: Codable, Sendable {
        public var path: String
        public var allow: [Permission]
    }

    public struct Member: Codable, Sendable {
        public var nodeID: String
        public var publicKey: String
        public var label: String?
        public var address: String?
        /// Whether it is a member of only a part of the files, too: nothing is exchanged with it. Nil from nodes that do not tell.
        public var partial: Bool?
    }

    public var nodeID: String
    public var clusterID: String?
    /// Whether nothing is kept from the caller.
    public var full: Bool
    /// Whether the caller is a member of only a part of the files.
    public var partial: Bool
    public var rules: [Rule]
    public var limits: [[String]]
    /// For partial members, who do not see the list of members.
    public var members: [Member]
    /// Whether the node, since it was started, has synced with each peer that it can reach; nil where it does not hold all files, and
    /// from nodes that do not tell.
    public var complete: Bool?
    /// Whether the node gives and takes packed records; nil from nodes that know of none.
    public var packs: Bool?
    /// Whether also after prefixes; nil from nodes that know of none.
    public var prefixes: Bool?
}

extension ScopeInfo {
    /// The rules as they decide; nothing is allowed by ones that cannot be read.
    var ruleSet: RuleSet {
        guard let rules = try? rules.map({ Access.Rule(path: try Glob($0.path), allow: Set($0.allow)) }),
            let limits = try? limits.map({ try $0.map { try Glob($0) } })
        else { return RuleSet([]) }
        return RuleSet(rules, limits: limits)
    }
}

extension Node {
    /// Patterns of one member or peer.
    public static let maximumSyncPaths = 1000

    /// What a member may do here: a full one everything, a partial one everything on its part, and each of them only what this
    /// node exchanges with it.
    func principal(of node: NodeID, _ cluster: Cluster) -> Principal {
        let limit = cluster.members[node]?.syncPaths
        let own = local.value.peers.first { $0.nodeID == node.description }?.syncPaths
        var rules = RuleSet.everything
        for paths in [limit, own].compactMap(\.self) {
            // Patterns that cannot be read let nothing through.
            rules = rules.limited(to: (try? paths.map { try Glob($0) }) ?? [])
        }
        return Principal(identity: .node(node), rules: rules, node: node, isPartial: limit != nil)
    }

    /// What a member may do here now; nil if it is none any more.
    public func principal(of node: NodeID) throws -> Principal? {
        let cluster = try cluster()
        return cluster.members[node] == nil ? nil : principal(of: node, cluster)
    }

    /// Forgets what was worked out from rights that have changed.
    func forgetPrincipals() {
        sessions.withLock { $0.checked = [:] }
    }

    public func scope(of caller: Principal) throws -> ScopeInfo {
        let cluster = try cluster()
        let members = caller.isPartial ? cluster.members.values.sorted { $0.nodeID < $1.nodeID } : []
        return ScopeInfo(
            nodeID: id.description, clusterID: cluster.id, full: caller.rules.isUnrestricted && caller.seesSystem, partial: caller.isPartial,
            rules: caller.rules.rules.map { rule in
                ScopeInfo.Rule(path: rule.path.description, allow: Permission.allCases.filter { rule.allow.contains($0) })
            },
            limits: caller.rules.limits.map { $0.map(\.description) },
            members: members.map {
                ScopeInfo.Member(nodeID: $0.nodeID, publicKey: $0.publicKey, label: $0.label, address: $0.address, partial: $0.syncPaths != nil)
            },
            complete: isComplete, packs: true, prefixes: true)
    }

    /// Whether this node, since it was started, has synced with all peers that it can reach. Some time has to pass before one is taken for
    /// out of reach. Nil if it has dropped files.
    private var isComplete: Bool? {
        guard isWhole else { return nil }
        let mayBeAway = uptime > Node.timeToReachPeers
        return allLinks().allSatisfy { link in
            // Of a member of a part nobody takes what others wrote.
            link.state.withLock { $0.lastSyncAt != nil || mayBeAway && $0.phase == .disconnected } || (try? isPartial(link)) == true
        }
    }

    private static let timeToReachPeers = Duration.seconds(20)

    static func check(syncPaths: [String]?) throws {
        guard syncPaths?.count ?? 0 <= maximumSyncPaths else {
            throw NodeError(.invalid, "'sync_paths' has more than \(maximumSyncPaths) patterns")
        }
        for path in syncPaths ?? [] { _ = try Glob(asked: path) }
    }

    /// Changes what of the files a member takes part in, wherever it connects; nil makes it a full member.
    public func limitMember(_ node: NodeID, to paths: [String]?) async throws {
        try Node.check(syncPaths: paths)
        guard var member = try cluster().members[node] else { throw NodeError(.notFound, "no member has the id \(node)") }
        guard node != id || paths == nil else { throw NodeError(.conflict, "a node cannot limit itself; ask another member to") }
        member.syncPaths = paths
        try await database.setDocument(ClusterDocument.encode(member), at: ClusterDocument.member(node))
    }
}

// MARK: - Where a scoped caller stands

/// What a cursor means: the state that its holder has been told, under which rules.
public struct ScopeCursor: Sendable, Hashable {
    public var root: ContentHash
    /// Of the rules, and of what the holder wanted.
    public var scope: ContentHash

    public init(root: ContentHash, scope: ContentHash) {
        self.root = root
        self.scope = scope
    }

    public var bytes: [UInt8] { root.withBytes { Array($0) } + scope.withBytes { Array($0) } }

    public init?(_ bytes: [UInt8]) {
        guard bytes.count == 2 * ContentHash.byteCount else { return nil }
        (root, scope) = bytes.withUnsafeBytes { bytes in
            (
                ContentHash(UnsafeRawBufferPointer(rebasing: bytes[..<ContentHash.byteCount])),
                ContentHash(UnsafeRawBufferPointer(rebasing: bytes[ContentHash.byteCount...]))
            )
        }
    }
}

extension Node {
    /// Names what a caller may see of a tree, and wants to.
    public func scopeName(of caller: Principal, tree: Tree = .files, wanting globs: [Glob] = []) -> ContentHash {
        var encoder = CanonicalEncoder(reserving: 256)
        encoder.write(tree.rawValue)
        encoder.write(caller.rules.rules.count)
        for rule in caller.rules.rules {
            encoder.write(rule.path.description)
            encoder.write(Permission.allCases.filter { rule.allow.contains($0) }.map(\.rawValue).joined(separator: ","))
        }
        for list in caller.rules.limits + [globs] {
            encoder.write(list.count)
            for glob in list { encoder.write(glob.description) }
        }
        return ContentHash(sha256: encoder.bytes)
    }

    public func sealed(_ cursor: ScopeCursor, _ purpose: Seal.Purpose = .cursor, for caller: Principal) -> [UInt8] {
        seal.close(cursor.bytes, purpose, for: caller)
    }

    /// - Returns: nil for one that this node has not given to this caller.
    public func opened(_ cursor: [UInt8], _ purpose: Seal.Purpose = .cursor, for caller: Principal) -> ScopeCursor? {
        seal.open(cursor, purpose, for: caller).flatMap { ScopeCursor($0) }
    }
}
