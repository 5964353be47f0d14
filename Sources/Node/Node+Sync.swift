import Access
import Causality
import Content
import FileDatabase
import Foundation
import Logging
import Merkle
import Objects
import Platform
import Replication
import Synchronization

extension Node {
    /// Changes that are held in memory to be joined at once; where there are more, the trees are walked instead.
    private static let maximumChanges = 50_000
    private static let maximumStatusSize = 64 << 10

    /// Syncs with all peers, or with one, and waits. In both directions: what a peer lacks it is asked to pull.
    public func trigger(_ node: NodeID? = nil) async throws -> [SyncReport] {
        await recoverCluster()
        var links = allLinks()
        if let node {
            links = links.filter { $0.nodeID == node }
            guard !links.isEmpty else { throw NodeError(.notFound, "no peer has the id \(node)") }
        }
        let strangers = try links.filter { try !isKnownMember($0) }
        var reports = await sync(with: links)
        // Who was no member when it was asked may be one by what the others have told meanwhile.
        for (index, link) in links.enumerated() where strangers.contains(where: { $0 === link }) && !reports[index].ok {
            if try isKnownMember(link) { reports[index] = await sync(with: link) }
        }
        return reports
    }

    private func isKnownMember(_ link: PeerLink) throws -> Bool {
        try link.nodeID.map { try isMember($0) } ?? false
    }

    /// Syncs with several peers at once; the reports in their order.
    private func sync(with links: [PeerLink]) async -> [SyncReport] {
        await withTaskGroup(of: (Int, SyncReport).self) { group in
            for (index, link) in links.enumerated() {
                group.addTask { (index, await self.sync(with: link)) }
            }
            var reports: [(Int, SyncReport)] = []
            for await report in group { reports.append(report) }
            return reports.sorted { $0.0 < $1.0 }.map(\.1)
        }
    }

    /// Pulls from the peer that asks for it.
    public func pull(from node: NodeID) async throws -> SyncReport {
        guard let link = allLinks().first(where: { $0.nodeID == node }) else {
            throw NodeError(.notFound, "this node has no address for \(node.short); add it as a peer")
        }
        return await sync(with: link, asksBack: false)
    }

    func sync(with link: PeerLink, asksBack: Bool = true) async -> SyncReport {
        var report = SyncReport(nodeID: link.nodeID?.description, address: link.address, ok: false)
        do {
            link.wake.ring()
            try await keepingTime(with: link) {
                do {
                    try await exchange(with: link, asksBack: asksBack, &report)
                } catch let error as NodeError where error.code == .conflict {
                    // The peer may have started anew, and knows of no honeymoon.
                    enter(.disconnected, link, reason: error.reason)
                    try await exchange(with: link, asksBack: asksBack, &report)
                } catch {
                    // What is damaged here may be whole at a peer.
                    let damage = Node.damage(in: error)
                    guard !damage.isEmpty, await mend(damage).isEmpty else { throw error }
                    try await exchange(with: link, asksBack: asksBack, &report)
                }
            }
            report.ok = true
        } catch {
            let reason = Node.words(error)
            report.error = reason
            enter(.disconnected, link, reason: reason)
            logger.warning("sync failed", metadata: ["peer": "\(link.name)", "reason": "\(reason)"])
        }
        return report
    }

    private func exchange(with link: PeerLink, asksBack: Bool, _ report: inout SyncReport) async throws {
        try await meet(link)
        report.nodeID = link.nodeID?.description
        // Who is told to sync may not be listening to the peer, and would not know that its rights have changed.
        link.state.withLock { state in
            state.told = nil
            state.lastTold = nil
        }
        // The turn is given up before the peer is asked to pull, so that two nodes cannot wait for each other.
        let roots = try await link.pulls.run { () async throws -> PeerRoots? in
            let roots = try await pullAll(from: link, &report)
            if try isVetted(at: link) { try await push(to: link, &report) }
            return roots
        }
        if try isVetted(at: link) || !asksBack { return }
        let head = database.head.commit
        if let roots, head.files.root == roots.files, head.system.root == roots.system {
            // It matters only to deletions that could go, and to peers that cannot ask.
            if head.files.aggregates.tombstones == 0 || ownAddress != nil || link.state.withLock({ $0.peerPulls }) { return }
            return try await link.pulls.run { try await push(to: link, &report) }
        }
        if try await !askToPull(link) { try await link.pulls.run { try await push(to: link, &report) } }
    }

    /// Pulls both trees, as the peer has told of them last, or as it has them now.
    /// - Returns: the peer's roots; nil where this node does not see them.
    func pullAll(from link: PeerLink, _ report: inout SyncReport) async throws -> PeerRoots? {
        let (announced, isScoped) = link.state.withLock { state in
            defer { state.announced = nil }
            return (state.announced, state.isScoped && state.told != nil)
        }
        // A partial member is not believed what it holds; it pushes, and is vetted.
        if link.apiKey == nil, let peer = link.nodeID, try cluster().members[peer]?.syncPaths != nil {
            link.state.withLock { $0.lastSyncAt = clock.date }
            return nil
        }
        let known = try horizonDocuments().horizon
        // What was announced may be older than what the peer has told, so it does where the horizon is where it was.
        var announcedRoots = link.state.withLock { $0.caughtUp >= known } ? announced : nil
        var status: PeerStatus?
        if announcedRoots == nil, !isScoped {
            let asked = try await peerStatus(link)
            (status, announcedRoots) = (asked, asked.roots)
        }
        guard var roots = announcedRoots, link.state.withLock({ !$0.isScoped }) else {
            try await pullScoped(from: link, &report)
            return nil
        }
        // What a partial member knows of the cluster gives way to the cluster's own tree when it has become a full one.
        if try isPartialMember { try await adoptSystem(of: link) }
        try requireMember(link)
        // Who is a member decides whose files are taken, so it comes first; so does the horizon.
        try await pullOrRemind(.system, root: roots.system, from: link, &report)
        try requireMember(link)
        let horizon = try horizonDocuments().horizon
        if link.state.withLock({ $0.caughtUp }) < horizon {
            if status?.told.caughtUp ?? .zero < horizon {
                let asked = try await peerStatus(link)
                status = asked
                if let now = asked.roots { (roots.files, roots.clock) = (now.files, now.clock) }
            }
            guard let status, status.told.caughtUp >= horizon else {
                let advice = "nothing is taken from it until it has taken the cluster's state"
                throw NodeError(.conflict, "node \(link.name) was away for longer than deletions are kept; \(advice)")
            }
            link.state.withLock { $0.caughtUp = horizon }
        }
        if let told = status?.told, told.caughtUp >= horizon, try isLeftBehind() {
            // Another link may have brought what was missing meanwhile.
            guard try await startOver(from: link, roots, told, &report) else { return try await pullAll(from: link, &report) }
        } else if try isLeftBehind() {
            // What was announced does not say what the peer has.
            link.state.withLock { $0.caughtUp = .zero }
            return try await pullAll(from: link, &report)
        } else {
            try await followHorizon()
            try await pullOrRemind(.files, root: roots.files, from: link, under: database.horizon, &report)
            if let peer = link.nodeID { noteJoined(peer, roots.clock, status?.told) }
            if status?.isWhole == true { try await noteBack(from: link) }
        }
        await noteMet()
        try await pullSnapshots(from: link, &report)
        await tendHorizon()
        link.state.withLock { state in
            state.lastSyncAt = clock.date
            state.root = roots.files
        }
        return roots
    }

    /// Takes note that everything has been joined that a peer has which holds all files: what was dropped in reliance on it is back.
    private func noteBack(from link: PeerLink) async throws {
        guard let peer = link.nodeID?.description, local.value.droppedTo?.contains(peer) == true else { return }
        try await database.threads.run { [local] in
            try local.change { state in
                let left = state.droppedTo?.filter { $0 != peer } ?? []
                state.droppedTo = left.isEmpty ? nil : left
            }
        }
    }

    /// Whether the peer looks at what this node sends version by version, and takes nothing by itself.
    func isVetted(at link: PeerLink) throws -> Bool {
        if link.apiKey != nil { return true }
        return try isPartialMember
    }

    /// Nothing is taken from a stranger: its members and keys would become this cluster's.
    func requireMember(_ link: PeerLink) throws {
        // Where this node is let in by a key, the two share no cluster.
        if link.apiKey != nil { return }
        guard let peer = link.nodeID else { throw NodeError(.unavailable, "nobody has answered at \(link.address) yet") }
        if try cluster().members[peer] != nil { return }
        throw try wasRemoved(peer)
            ? NodeError(.forbidden, "node \(peer.short) was removed from the cluster; nothing is taken from it")
            : NodeError(.forbidden, "node \(peer.short) at \(link.address) is no member of this cluster; invite it and let it join")
    }

    struct PeerStatus {
        /// Nil where this node may see only a part.
        var roots: PeerRoots?
        /// Whether the peer's time is its cluster's.
        var clockSettled: Bool
        /// Whether the peer is a full member and holds all that it was ever given.
        var isWhole: Bool
        /// What the peer has; all of it is in `roots`.
        var told: Acknowledgement
    }

    func peerStatus(_ link: PeerLink) async throws -> PeerStatus {
        let body = try await send(.get, "/sync/status", to: link, timeoutSeconds: 10).body.collect(limit: Node.maximumStatusSize)
        guard let status = try? JSON.decode(NodeStatus.self, body), status.nodeID == link.nodeID?.description else {
            throw NodeError(.unavailable, "the peer at \(link.address) does not tell its status as it should")
        }
        var roots: PeerRoots?
        if let files = status.root.flatMap({ ContentHash($0) }), let system = status.systemRoot.flatMap({ ContentHash($0) }) {
            roots = PeerRoots(files: files, system: system, clock: Timestamp(rawValue: status.clock ?? 0))
        }
        let seesAll = roots != nil
        link.state.withLock { state in
            state.setScoped(!seesAll || state.syncPaths != nil || link.apiKey != nil)
            state.peerPulls = status.pullsFromCaller ?? false
            state.care = status.care
            if let node = state.nodeID, let own = status.own {
                state.note(KnownWrites(actor: Actor(node: node, incarnation: own.incarnation), gaps: own.gaps))
            }
            state.told = nil
        }
        let told = Acknowledgement(
            seen: SeenVector(encoded: status.seen ?? [:]), caughtUp: Timestamp(rawValue: status.caughtUp ?? 0))
        return PeerStatus(roots: roots, clockSettled: status.clockSettled, isWhole: status.whole ?? false, told: told)
    }

    /// A peer that cannot connect to this node keeps what it has until it pulls by itself; that is no failure of this sync.
    /// - Returns: whether it has pulled.
    private func askToPull(_ link: PeerLink) async throws -> Bool {
        do {
            let response = try await send(.post, "/sync/pull", to: link, timeoutSeconds: 3600)
            let report = try JSON.decode(SyncReport.self, await response.body.collect(limit: Node.maximumStatusSize))
            guard report.ok else {
                throw NodeError(.unavailable, "the peer at \(link.address) could not pull from here: \(report.error ?? "no reason given")")
            }
            if let root = try await peerStatus(link).roots?.files { link.state.withLock { $0.root = root } }
            return true
        } catch let error as NodeError where error.code == .notFound {
            logger.debug("the peer has no address for this node", metadata: ["peer": "\(link.name)"])
            return false
        }
    }

    // MARK: One tree

    /// Pulls a tree. A peer that runs on an old copy of its data finds that out when it pulls; one that cannot connect to this node is shown
    /// what it has forgotten.
    private func pullOrRemind(
        _ tree: Tree, root: ContentHash, from link: PeerLink, under purgedUpTo: Timestamp = .zero, _ report: inout SyncReport
    ) async throws {
        do {
            try await pull(tree, root: root, from: link, under: purgedUpTo, &report)
        } catch let error as PullError where error.code == .forgetful {
            if let path = error.path, !link.state.withLock({ $0.peerPulls }) {
                do {
                    try await show(path, in: tree, to: link)
                } catch {
                    logger.debug("cannot show a peer what it has forgotten", metadata: ["peer": "\(link.name)", "reason": "\(Node.words(error))"])
                }
            }
            throw error
        }
    }

    /// - Parameter purgedUpTo: the horizon that was known before the peer told its roots.
    private func pull(
        _ tree: Tree, root: ContentHash, from link: PeerLink, under purgedUpTo: Timestamp = .zero, _ report: inout SyncReport
    ) async throws {
        let own = database.head[tree].root
        if own == root { return link.state.withLock { $0.joined[tree.rawValue] = root } }
        var joined = link.state.withLock { $0.joined[tree.rawValue] }
        let isAgain = joined == root
        if isAgain {
            let now = clock.monotonicMicroseconds()
            guard link.state.withLock({ $0.isWalkDue(tree, own: own, root: root, now: now) }) else { return }
            joined = nil
        }
        let name = Fetches.Name(tree: tree, root: root)
        // Another peer may be bringing the same; but one that is slow holds up nobody.
        await fetches.wait(for: name)
        // Another link may have mended meanwhile what is to be looked for.
        if isAgain, database.head[tree].root != own { return }
        if !isAgain, fetches.isDone(name) {
            link.state.withLock { $0.joined[tree.rawValue] = root }
            return
        }
        // What is found here, and what comes, must not be collected before it is joined.
        let hold = database.holdObjects()
        defer { hold.end() }
        fetches.begin(name)
        var isJoined = false
        defer { fetches.end(name, isJoined: isJoined) }
        if let joined, let root = try await pullChanges(tree, since: joined, to: root, from: link, under: purgedUpTo, &report) {
            link.state.withLock { $0.joined[tree.rawValue] = root }
            isJoined = true
            return
        }
        let session = PullSession(
            node: self, link: link, pull: watched(Pull(local: own, remote: root, horizon: latestAccepted), link, purgedUpTo))
        let latest = try await session.run()
        try await checkOwnWrites(session.pull.withLock { $0.ownWrites })
        let result = try await database.join(root, into: tree, latest: latest, under: purgedUpTo, cause: "sync with \(link.name)")
        session.add(to: &report, result)
        link.state.withLock { state in
            state.joined[tree.rawValue] = root
            if isAgain { state.noteWalked(tree) }
        }
        isJoined = true
    }

    /// Versions from beyond it are refused.
    var latestAccepted: Timestamp {
        Timestamp(microseconds: database.now + FileDatabase.Limits.maximumDrift)
    }

    /// A pull that looks out for what nodes forget that were restored from old copies.
    private func watched(_ pull: Pull, _ link: PeerLink, _ purgedUpTo: Timestamp) -> Pull {
        var pull = pull
        (pull.peer, pull.peerKnows) = link.state.withLock { ($0.nodeID, $0.knows) }
        pull.purgedUpTo = purgedUpTo
        let written = database.written
        pull.ownWrites = OwnWrites(of: written.actor, after: written.start, gaps: written.earlier)
        return pull
    }

    /// Pulls what changed at the peer since a root that it knows.
    ///
    /// - Parameter expected: the root that the peer told. By now it may have another.
    /// - Returns: the root that the changes led to; nil if the trees have to be walked.
    private func pullChanges(
        _ tree: Tree, since: ContentHash, to expected: ContentHash, from link: PeerLink, under purgedUpTo: Timestamp, _ report: inout SyncReport
    ) async throws -> ContentHash? {
        var request = CanonicalEncoder()
        request.write(since)
        request.write(0)
        let response: TransportResponse
        do {
            response = try await send(.post, "/sync/changes?tree=\(tree.rawValue)", to: link, body: request.bytes)
        } catch let error as NodeError where error.code == .gone {
            return nil
        }
        var reader = ChangeReader()
        var changes: [(path: TreePath, register: Register)] = []
        while let piece = try await response.body.next() {
            link.state.withLock { $0.bytesReceived += UInt64(piece.count) }
            changes += try reader.read(piece)
            if changes.count > Node.maximumChanges { return nil }
        }
        guard let root = reader.root, reader.isAtEnd else {
            throw NodeError(.unavailable, "the peer at \(link.address) broke off in the middle of its changes; sync again")
        }
        // Deletions may have been dropped there that this node has never seen, under a horizon that it does not know yet.
        if tree == .files, root != expected, try mayBeLeftBehind() { return nil }
        let view = database.view
        let session = PullSession(node: self, link: link, pull: watched(Pull(horizon: latestAccepted), link, purgedUpTo))
        let found = changes
        try await database.threads.run {
            for (path, register) in found {
                try session.pull.withLock { try $0.add(register, at: path, local: view.entry(at: path, in: tree)?.register) }
            }
        }
        let latest = try await session.run()
        try await checkOwnWrites(session.pull.withLock { $0.ownWrites })
        let result = try await database.join(changes, into: tree, latest: latest, under: purgedUpTo, cause: "sync with \(link.name)")
        session.add(to: &report, result)
        return root
    }
}
