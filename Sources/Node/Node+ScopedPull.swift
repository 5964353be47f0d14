import Access
import Causality
import Content
import FileDatabase
import Foundation
import Merkle
import Objects
import Platform
import Replication
import Synchronization

/// Pulls from a peer of which this node may see, or wants, a part.
extension Node {
    /// Registers that are staged, or whose content is asked for, together.
    private static let batch = 2048
    /// Changes that are joined one by one; where there are more, the trees are joined.
    private static let maximumSingleChanges = 4096
    /// Where more is gone at a peer, everything is to be told again, which is compared piece by piece.
    private static let maximumLosses = 4096
    private static let maximumScopeSize = 8 << 20

    /// Pulls what this node may see. The roles of both sides are told first, since they may have changed.
    func pullScoped(from link: PeerLink, _ report: inout SyncReport) async throws {
        let told = try await scope(at: link)
        if link.apiKey == nil {
            if told.partial {
                try await adoptMembership(told)
            } else if try isPartialMember {
                try await adoptSystem(of: link)
            } else {
                try await pullScoped(.system, from: link, &report)
            }
            try requireMember(link)
        }
        try await pullScoped(.files, from: link, &report)
        let isVetted = try isVetted(at: link)
        link.state.withLock { state in
            state.lastSyncAt = clock.date
            // Whoever pushes has still to see whether there is something to push.
            if !isVetted { state.isEven = true }
        }
    }

    /// What this node may do at the peer.
    func scope(at link: PeerLink) async throws -> ScopeInfo {
        if let told = link.state.withLock({ $0.told }) { return told }
        let body = try await send(.get, "/sync/scope", to: link, timeoutSeconds: 10).body.collect(limit: Node.maximumScopeSize)
        guard let told = try? JSON.decode(ScopeInfo.self, body), told.nodeID == link.nodeID?.description else {
            throw NodeError(.unavailable, "the peer at \(link.address) does not tell what this node may do there as it should")
        }
        link.state.withLock { $0.told = told }
        return told
    }

    /// Whether this node is a member of only a part of the files.
    var isPartialMember: Bool {
        get throws { try cluster().members[id]?.syncPaths != nil }
    }

    /// Pulls what changed in one tree since the last time.
    private func pullScoped(_ tree: Tree, from link: PeerLink, _ report: inout SyncReport) async throws {
        let state = try await database.threads.run { [self] in scopedState(of: link, tree) }
        do {
            try await pullScoped(tree, from: link, since: state, &report)
        } catch {
            // What it went on from may be what is wrong. Without it everything is told again, and content that is here is not sent. What
            // the peer had is still known, unless it cannot be read.
            let known = Node.damage(in: error).isEmpty ? state.known : Subtree.empty.root
            link.state.withLock { $0.scoped[tree] = ScopedState(cursor: [], known: known) }
            throw error
        }
    }

    private func pullScoped(_ tree: Tree, from link: PeerLink, since state: ScopedState, _ report: inout SyncReport) async throws {
        let hold = database.holdObjects()
        defer { hold.end() }
        let wanted = tree == .files ? try (link.state.withLock { $0.syncPaths } ?? []).map { try Glob($0) } : []
        let database = database
        let known = try await database.threads.run { try database.subtree(state.known) }
        var request = CanonicalEncoder()
        request.write(known == nil ? [] : state.cursor)
        request.write(wanted.count)
        for glob in wanted { request.write(glob.description) }
        let scope = try await self.scope(at: link)
        let rules = wanted.isEmpty ? RuleSet.everything : RuleSet.everything.limited(to: wanted)
        var shared: SharedRegisters?
        if let known, !state.cursor.isEmpty, scope.packs == true, scope.prefixes == true {
            let readable = tree == .system ? RuleSet.everything : scope.ruleSet
            shared = SharedRegisters(known, readableBy: wanted.isEmpty ? readable : readable.limited(to: wanted), in: database.view)
        }
        func ask(_ shared: SharedRegisters?) async throws -> ScopedAnswer {
            let response = try await send(.post, ScopedAnswer.path(of: tree, scope, prefixes: shared != nil), to: link, body: request.bytes)
            return try await stage(response, of: tree, onto: known ?? .empty, rules, scope, shared, link)
        }
        let answer: ScopedAnswer
        do {
            answer = try await ask(shared)
        } catch is PrefixMismatch {
            answer = try await ask(nil)
        }
        if tree == .files { link.state.withLock { $0.horizon = answer.horizon } }
        let (cursor, staged) = (answer.cursor, answer.tree)
        guard staged != known else {
            return try await setScopedState(follow(answer, of: staged, tree, rules, link), of: link, tree)
        }

        let session = ContentSession(node: self, link: link, tree: tree.rawValue, cursor: cursor, horizon: latestAccepted)
        let view = database.view
        let walk = DifferenceWalk(view, from: known ?? .empty, to: staged)
        var single: [(path: TreePath, register: Register)] = []
        var count = 0
        while true {
            let items = try await database.threads.run {
                try walk.next(Node.batch).map { item in
                    let local = try view.entry(at: item.path, in: tree)?.register
                    // Told anew, also what is known may have lost its content here.
                    return (item.path, item.after, state.cursor.isEmpty && local == item.after ? nil : local)
                }
            }
            if items.isEmpty { break }
            count += items.count
            if count <= Node.maximumSingleChanges { single += items.map { ($0.0, $0.1) } } else { single = [] }
            try await session.run(items)
        }
        let latest = session.pull.withLock { $0.latest }
        let cause = "sync with \(link.name)"
        let dropped = try follows(tree, link) ? droppedElsewhere() : .zero
        let result = count <= Node.maximumSingleChanges
            ? try await database.join(single, into: tree, latest: latest, shedding: dropped, cause: cause)
            : try await database.join(staged.root, into: tree, latest: latest, shedding: dropped, cause: cause)
        session.add(to: &report)
        report.conflicts += result.conflictsAfter > result.conflictsBefore ? result.conflictsAfter - result.conflictsBefore : 0
        let next = try await follow(answer, of: staged, tree, rules, link)
        try await database.threads.run { [self] in
            setScopedState(next, of: link, tree)
            // A later crash is not to find once more what was lost.
            if answer.all != nil { storeScopedStates() }
        }
    }

    /// Up to which any peer that this node sees a part of has dropped deletions: all of them do so in time, and none tells of one anew.
    private func droppedElsewhere() -> Timestamp { allLinks().map { $0.state.withLock(\.horizon) }.max() ?? .zero }

    /// Whether this node lets go of what the peer has let go of. A full member does so by itself.
    private func follows(_ tree: Tree, _ link: PeerLink) throws -> Bool { try tree == .files && isVetted(at: link) }

    /// Puts the records of an answer into a tree beside the node's own. They are taken as fast as they come, so that the peer does not
    /// wait; the content follows.
    ///
    /// - Parameter shared: what the records may be packed after.
    /// - Throws: `PrefixMismatch` if the peer packed them after something else.
    private func stage(
        _ response: TransportResponse, of kind: Tree, onto tree: Subtree, _ rules: RuleSet, _ scope: ScopeInfo, _ shared: SharedRegisters?, _ link: PeerLink
    ) async throws -> ScopedAnswer {
        var reader = ChangeReader(head: .cursor)
        var staged = tree
        var all: Subtree? = tree == .empty ? nil : .empty
        var waiting: [(path: TreePath, register: Register)] = []
        var losses: [FileDatabase.Loss] = []
        func settle() async throws {
            let (base, other, batch) = (staged, reader.isWhole ? all : nil, waiting)
            waiting = []
            let isFollowing = try follows(kind, link) && reader.horizon > .zero
            let dropped = isFollowing ? max(reader.horizon, droppedElsewhere()) : .zero
            let found: [FileDatabase.Loss]
            (staged, all, found) = try await database.threads.run { [database] in
                var losses: [FileDatabase.Loss] = []
                let staged = try database.stage(batch, onto: base, shedding: dropped, losses: &losses)
                return (staged, try other.map { try database.stage(batch, onto: $0) }, losses)
            }
            // Where everything is told, the two are compared as a whole.
            if reader.isWhole || !isFollowing { return }
            losses += found.prefix(Node.maximumLosses + 1 - losses.count)
        }
        func take(_ records: [UInt8]) async throws {
            // Not more than was asked for, whatever comes.
            waiting += try reader.read(records).filter { rules.allows(.read, $0.path) }
            if waiting.count >= Node.batch { try await settle() }
        }
        func unpack(_ block: PackedBlock) async throws -> [UInt8] {
            guard let recipe = block.recipe else { return try block.bytes() }
            guard let shared else { throw MalformedBytes("records packed after a prefix, which was not asked for") }
            return try await database.threads.run { try block.bytes(after: shared.prefix(recipe)) }
        }
        var packed = scope.packs == true ? PackedRecordsReader() : nil
        while let piece = try await response.body.next() {
            link.state.withLock { $0.bytesReceived += UInt64(piece.count) }
            guard packed != nil else {
                try await take(piece)
                continue
            }
            packed?.add(piece)
            while let block = try packed?.next() { try await take(unpack(block)) }
        }
        guard let cursor = reader.cursor, reader.isAtEnd, packed?.isAtBlockEnd ?? true else {
            throw NodeError(.unavailable, "the peer at \(link.address) broke off in the middle of its changes; sync again")
        }
        try await settle()
        return ScopedAnswer(
            cursor: losses.count > Node.maximumLosses ? [] : cursor, tree: staged, all: reader.isWhole ? all : nil, losses: losses, forgotten: reader.forgotten.filter { rules.allows(.read, $0) }, horizon: reader.horizon,
            scope: scope)
    }

    // MARK: Membership

    /// Takes the little of the cluster's own tree that a partial member needs: who the members are, and what itself is.
    private func adoptMembership(_ told: ScopeInfo) async throws {
        let own = try cluster()
        guard let clusterID = told.clusterID, told.members.contains(where: { $0.nodeID == id.description }) else {
            throw NodeError(.unavailable, "the peer does not tell who the members are as it should")
        }
        var documents: [(TreePath, [UInt8]?)] = []
        if own.id != clusterID {
            documents.append((ClusterDocument.cluster, try ClusterDocument.encode(ClusterDocument.Cluster(clusterID: clusterID, createdAt: clock.date))))
        }
        var gone = Set(own.members.keys)
        for member in told.members {
            guard let node = NodeID(member.nodeID), let key = [UInt8](hex: member.publicKey), NodeID(publicKey: key) == node else { continue }
            gone.remove(node)
            let known = own.members[node]
            if node == id, let known, known.syncPaths == nil {
                // A full member's writes were there for all to see.
                try await database.threads.run { [local, database] in try local.noteShown(upTo: database.head.commit.time) }
            }
            // What other members of a part take part in is not told to one. They see nothing here: it could be what they may not.
            let paths = node == id ? told.limits.first ?? [] : member.partial == true ? [] : nil
            if let known, known.label == member.label, known.address == member.address, known.syncPaths == paths { continue }
            let document = ClusterDocument.Member(
                nodeID: member.nodeID, publicKey: member.publicKey, label: member.label, address: member.address,
                joinedAt: known?.joinedAt ?? clock.date, syncPaths: paths)
            documents.append((ClusterDocument.member(node), try ClusterDocument.encode(document)))
        }
        for node in gone { documents.append((ClusterDocument.member(node), nil)) }
        if !documents.isEmpty { try await database.setDocuments(documents) }
    }

    /// Takes the system tree of the cluster that this node has just been let into, or the part of it that it may have.
    func adoptSystem(of link: PeerLink) async throws {
        let hold = database.holdObjects()
        defer { hold.end() }
        let status = try await peerStatus(link)
        if let system = status.roots?.system {
            let session = PullSession(
                node: self, link: link, pull: Pull(local: TreeNode.empty.hash, remote: system, horizon: latestAccepted))
            let latest = try await session.run()
            try await database.replaceSystem(with: system, latest: latest)
            link.state.withLock { $0.joined[Tree.system.rawValue] = system }
            try noteAdopted()
            return
        }
        let told = try await scope(at: link)
        if told.partial { return try await adoptMembership(told) }
        // A full member with which the peer exchanges a part of the files.
        var request = CanonicalEncoder()
        request.write([UInt8]())
        request.write(0)
        let response = try await send(.post, ScopedAnswer.path(of: .system, told), to: link, body: request.bytes)
        let answer = try await stage(response, of: .system, onto: .empty, .everything, told, nil, link)
        let (cursor, staged) = (answer.cursor, answer.tree)
        let session = ContentSession(node: self, link: link, tree: Tree.system.rawValue, cursor: cursor, horizon: latestAccepted)
        let view = database.view
        let walk = DifferenceWalk(view, from: .empty, to: staged)
        while case let items = try await database.threads.run({ try walk.next(Node.batch) }), !items.isEmpty {
            try await session.run(items.map { ($0.path, $0.after, nil) })
        }
        try await database.replaceSystem(with: staged.root, latest: session.pull.withLock { $0.latest })
        setScopedState(ScopedState(cursor: cursor, known: staged.root), of: link, .system)
    }
}
