import Access
import Causality
import Content
import FileDatabase
import Foundation
import Logging
import Merkle
import Platform
import Replication
import Synchronization

/// Sends a peer what it cannot, or may not, ask for.
extension Node {
    /// Changed paths that are looked at together. Among them a file that has moved finds its old place.
    private static let window = 20_000

    /// Pushes what the peer does not have: all of it where the peer believes this node, what was written here where it does not.
    ///
    /// - Throws: what ends the push. Single records that the peer refuses are noted at the link, and do not.
    func push(to link: PeerLink, _ report: inout SyncReport) async throws {
        let told = try await scope(at: link)
        let isVetted = try isVetted(at: link) || !told.full
        // Before the trees are looked at, which hold all of it.
        let acknowledgement = try acknowledgement()
        // The tree of what the peer has is put together as parts are taken, from what is here now.
        let hold = database.holdObjects()
        defer { hold.end() }
        // Both trees of one state: a horizon that came between the two would not be told, and what was dropped under it not known.
        var view = database.view
        if !isVetted {
            try await push(.system, of: view, to: link, PushRules(rules: .everything, node: nil), caughtUp: nil, &report)
            // It takes the cluster's state before it gives anything to anybody.
            if try isLeftBehind() { return }
        }
        var rules = told.ruleSet
        if let paths = link.state.withLock({ $0.syncPaths }) { rules = rules.limited(to: try paths.map { try Glob($0) }) }
        if isVetted {
            try await renewUnshown(to: link, rules)
            view = database.view
        }
        try await push(.files, of: view, to: link, PushRules(rules: rules, node: isVetted ? id : nil), caughtUp: isVetted ? nil : acknowledgement.caughtUp, &report)
        let isAll = link.state.withLock { state in
            state.isEven = true
            return state.refused.isEmpty
        }
        if !isVetted, isAll, rules.isUnrestricted, isTellingDue(at: link) { try await tell(acknowledgement, to: link) }
    }

    /// Whether the peer takes this node's changes by itself. One that did not is asked again now and then: it may have come to reach
    /// this node.
    func peerPulls(_ link: PeerLink) async throws -> Bool {
        let now = clock.monotonicMicroseconds()
        let isDue = link.state.withLock { state in
            guard !state.peerPulls, now >= state.nextAsked else { return false }
            state.nextAsked = now + UInt64(state.asking.next(chance: 1) * 1e6)
            return true
        }
        if isDue { _ = try await peerStatus(link) }
        return link.state.withLock { $0.peerPulls }
    }

    /// Whether a peer that takes everything has all that is here, as far as is known, and has lately been told so.
    func hasNothingToTell(_ link: PeerLink) -> Bool {
        let head = database.head
        let isEven = link.state.withLock { state in
            !state.isScoped && Tree.allCases.allSatisfy { state.joined[$0.rawValue] == head[$0].root }
        }
        return isEven && !isTellingDue(at: link)
    }

    /// How often a peer is told of a new state at most, in microseconds.
    private static let tellingInterval: UInt64 = 60_000_000

    /// Deletions wait for what the peer is told; it need not come more often than anybody looks for old ones. A new state is told sooner:
    /// should this node be away for too long, what the peer had of it then is what it has been told.
    private func isTellingDue(at link: PeerLink) -> Bool {
        let commit = database.head.commit
        guard let last = link.state.withLock({ $0.lastTold }) else { return true }
        let (now, interval) = (clock.monotonicMicroseconds(), HorizonState.interval(retention))
        if commit.files.aggregates.tombstones > 0, now >= last.at + interval { return true }
        return commit.time > last.upTo && now >= last.at + min(interval, Node.tellingInterval)
    }

    /// Tells what this node has, all of which the peer has been given. Deletions wait for it, and nobody can connect to ask.
    private func tell(_ acknowledgement: Acknowledgement, to link: PeerLink) async throws {
        struct Told: Encodable {
            var clock: UInt64
            var caughtUp: UInt64
            var seen: [String: UInt64]
        }
        let told = Told(
            clock: acknowledgement.seen[id].rawValue, caughtUp: acknowledgement.caughtUp.rawValue, seen: acknowledgement.seen.encoded)
        _ = try await send(
            .post, "/sync/acknowledge", to: link, body: try JSON.encode(told), contentType: "application/json", timeoutSeconds: 10
        ).body.collect(limit: 4096)
        link.state.withLock { $0.lastTold = (clock.monotonicMicroseconds(), acknowledgement.seen[id]) }
    }

    private func push(
        _ tree: Tree, of view: TreeView, to link: PeerLink, _ rules: PushRules, caughtUp: Timestamp?, _ report: inout SyncReport
    ) async throws {
        let state = try await database.threads.run { [self] in
            // Where everything is seen, the root that was joined last is what the peer has.
            if let joined = link.state.withLock({ $0.isScoped ? nil : $0.joined[tree.rawValue] }) { return ScopedState(cursor: [], known: joined) }
            return scopedState(of: link, tree)
        }
        let known = try await database.threads.run { [database] in try database.subtree(state.known) } ?? .empty
        if known.root == view.head[tree].root { return }
        let walk = DifferenceWalk(view, from: known, to: view.head[tree], rules: rules.rules)
        let told = try await scope(at: link)
        // Until the last part is taken, the peer has what it had before the first.
        // It knows nothing of what this node takes no part in, and would have more there.
        let hasPrefixes = told.packs == true && told.prefixes == true && link.state.withLock { $0.syncPaths == nil }
        let shared = hasPrefixes ? SharedRegisters(known, readableBy: rules.rules, in: view) : nil
        let session = PushSession(
            node: self, link: link, tree: tree, known: known, cursor: state.cursor, isPacked: told.packs == true, shared: shared, caughtUp: caughtUp)
        while true {
            let items = try await database.threads.run { try walk.next(Node.window) }
            if items.isEmpty { break }
            let wanted = items.filter { rules.wants($0) }
            if wanted.isEmpty { continue }
            if rules.node != nil { try await noteShowing() }
            try await session.send(wanted, rules)
        }
        guard let result = try await session.finish() else { return }
        report.pushed += result.entries
        report.bytesPushed += result.bytes
        if link.state.withLock({ $0.isScoped }) {
            // Without a new cursor, what was pushed comes back with the next changes, and is known by then. Not before: the peer may be
            // put back to a copy that has what the old cursor stands for, and not this.
            let next = result.cursor.map { ScopedState(cursor: $0, known: result.known.root) } ?? state
            try await database.threads.run { [self] in setScopedState(next, of: link, tree) }
        }
    }

    /// Sends what is at one path.
    func show(_ path: TreePath, in tree: Tree, to link: PeerLink) async throws {
        let hold = database.holdObjects()
        defer { hold.end() }
        let register = try await database.threads.run { [view = database.view] in try view.entry(at: path, in: tree)?.register }
        guard let register else { return }
        let session = PushSession(node: self, link: link, tree: tree, known: .empty, cursor: [], caughtUp: try acknowledgement().caughtUp)
        let rules = PushRules(rules: .everything, node: nil)
        try await session.send([DifferenceWalk.Item(path: path, before: nil, after: register)], rules)
        _ = try await session.finish()
    }

    /// How far ahead it is written down that writes may have been shown, in microseconds, so that this need not be done for each.
    private static let shownAhead: UInt64 = 10_000_000

    /// Notes that this node's writes are about to be shown; durable on return.
    private func noteShowing() async throws {
        let latest = database.head.commit.time
        guard latest > local.value.shownUpTo else { return }
        let ahead = Timestamp(microseconds: latest.microseconds + Node.shownAhead)
        do {
            try await database.threads.run { [local] in try local.noteShown(upTo: ahead) }
        } catch let error as DiskError where error.code == .full {
            // That keeps nothing from being sent: it matters only after a crash, a long absence, and a deletion meanwhile.
        }
    }

    /// Writes anew what was made here while this node was away for so long that the peer would not know what has been deleted since, and
    /// takes nothing as old. What may have been shown to anybody stays as it is: it may be what was deleted.
    private func renewUnshown(to link: PeerLink, _ rules: RuleSet) async throws {
        // What an earlier life wrote may have come back from where it was shown.
        let (own, shown, horizon) = (database.actor, local.value.shownUpTo, link.state.withLock { $0.horizon })
        guard horizon > shown else { return }
        let view = database.view
        let walk = try await database.threads.run { [self] in
            DifferenceWalk(view, from: try database.subtree(scopedState(of: link, .files).known) ?? .empty, to: view.files, rules: rules)
        }
        @Sendable func isUnshown(_ version: Version, _ known: Register?) -> Bool {
            version.dot.actor == own && version.dot.timestamp > shown && known?.context.covers(version.dot) != true
        }
        var count = 0
        while case let items = try await database.threads.run({ try walk.next(Node.window) }), !items.isEmpty {
            let old = items.filter { item in item.after.versions.contains { $0.dot.timestamp <= horizon && isUnshown($0, item.before) } }
            if old.isEmpty { continue }
            let known = Dictionary(old.map { ($0.path, $0.before) }) { first, _ in first }
            count += try await database.renew(old.map(\.path)) { path, version in known[path].map { isUnshown(version, $0) } ?? false }
        }
        guard count > 0 else { return }
        logger.notice("was away for longer than deletions are kept; wrote anew what nobody else had", metadata: ["paths": "\(count)"])
    }

    /// What a peer has refused of this node's writes, and why.
    public func refusals(by peer: NodeID) -> [Refusal] {
        guard let link = allLinks().first(where: { $0.nodeID == peer }) else { return [] }
        return link.state.withLock { $0.refused.values.map(\.refusal) }.sorted { $0.path < $1.path }
    }
}

/// What of a node's changes goes to a peer.
struct PushRules: Sendable {
    /// What may be done there, and what the two exchange.
    var rules: RuleSet
    /// Where versions are vetted, the only node in whose name they may be.
    var node: NodeID?

    /// Whether there is something for the peer in what differs from what it has.
    func wants(_ item: DifferenceWalk.Item) -> Bool {
        guard node != nil else {
            return rules.allows(.read, item.path) && (item.before.map { $0.joined(with: item.after) != $0 } ?? true)
        }
        return !newVersions(item).isEmpty
    }

    /// The versions that the peer does not have, as far as they may be this node's to send.
    func newVersions(_ item: DifferenceWalk.Item) -> [Version] {
        item.after.versions.filter { version in
            (node == nil || version.dot.actor.node == node) && item.before?.context.covers(version.dot) != true
        }
    }

    /// Why the peer would not take it, without asking.
    func refusal(of item: DifferenceWalk.Item) -> Refusal? {
        guard node != nil else { return nil }
        for version in newVersions(item) {
            let permission = version.value.isTombstone ? Permission.delete : .write
            if !rules.allows(permission, item.path) {
                return Refusal(item.path, .forbidden, "the rules do not allow to \(permission.rawValue) here; it is kept on this node")
            }
        }
        return nil
    }
}
