import Causality
import Content
import FileDatabase
import Foundation
import Logging
import Merkle
import Platform
import Replication
import Synchronization

extension Node {
    /// The number of this node's life, which a restored one changes.
    public var incarnation: UInt32 { database.actor.incarnation }

    /// Looks whether a peer has shown writes in this node's name that this node does not know of.
    func checkOwnWrites(_ pull: OwnWrites?) async throws {
        guard let pull else { return }
        func isOldCopy() -> Bool {
            let written = database.written
            guard pull.actor == written.actor else { return false }
            if pull.areForgotten { return true }
            guard let earliest = pull.earliest, let latest = pull.latest else { return false }
            return written.hasForgotten(earliest: earliest, latest: latest)
        }
        guard isOldCopy() else { return }
        // Several peers may show it at the same time. Once is enough.
        try await takingUp.run {
            guard isOldCopy() else { return }
            try await takeUpIncarnation(reason: "a peer has writes in this node's name that are not here: the data directory is an old copy")
        }
    }

    /// The writes in this node's name among what a peer pushes. Joined unseen, they would be named anew with those of this process when it
    /// finds out later that it runs on an old copy.
    func ownWrites(in records: [PushRecord], _ tree: Tree) async throws -> OwnWrites {
        try await database.threads.run { [database] in
            let written = database.written
            let horizon = tree == .files ? database.horizon : .zero
            let view = database.view
            var own = OwnWrites(of: written.actor, after: written.start, gaps: written.earlier)
            for record in records {
                own.look(at: record.register, over: try view.entry(at: record.path, in: tree)?.register, purgedUpTo: horizon)
            }
            return own
        }
    }

    /// What this process writes from now on may be earlier than it began.
    func noteSetBack() async {
        guard isLone.withLock({ $0 }) else { return }
        let now = Timestamp(microseconds: database.now)
        await change("that the clock was set back") { try Incarnation.noteSetBack(to: now, in: $0) }
    }

    /// A peer has shown all that it has, and it was no news what this node had written: its log is no old copy, as far as can be told.
    func noteMet() async {
        guard isLone.withLock({ $0 }) else { return }
        if await change("that a peer was met", { try Incarnation.noteMet(in: $0) }) { isLone.withLock { $0 = false } }
    }

    /// - Returns: whether it is written down. A full disk is no reason not to sync, and to go on watching does no harm.
    @discardableResult
    private func change(_ what: String, _ body: @escaping @Sendable (_ directory: String) throws -> Void) async -> Bool {
        do {
            try await database.threads.run { [directory = database.directory] in try body(directory) }
            return true
        } catch {
            logger.debug("cannot write down \(what)", metadata: ["reason": "\(Node.words(error))"])
            return false
        }
    }

    /// Goes on as another actor, and says so.
    func takeUpIncarnation(reason: String) async throws {
        let number = Incarnation.fresh(after: incarnation, randomness)
        try await database.threads.run { [self] in
            try local.noteShown(upTo: database.head.commit.time)
            try Incarnation.change(to: number, in: database.directory)
        }
        let renamed = try await database.takeUp(incarnation: number)
        logger.notice(
            "took up a fresh incarnation", metadata: ["incarnation": "\(number)", "reason": "\(reason)", "renamed": "\(renamed)"])
    }

    /// Takes up the cluster's state after an absence that was longer than deletions are kept.
    ///
    /// - Parameters:
    ///   - roots: of the peer that it is taken from.
    ///   - told: what that peer has.
    /// - Returns: whether that was still to be done.
    func startOver(from link: PeerLink, _ roots: PeerRoots, _ told: Acknowledgement, _ report: inout SyncReport) async throws -> Bool {
        try await startingOver.run { try await takeUpState(from: link, roots, told, &report) }
    }

    private func takeUpState(
        from link: PeerLink, _ roots: PeerRoots, _ told: Acknowledgement, _ report: inout SyncReport
    ) async throws -> Bool {
        guard let peer = link.nodeID, try isLeftBehind() else { return false }
        let documents = try horizonDocuments()
        guard told.caughtUp >= documents.horizon else {
            throw NodeError(.conflict, "old deletions were dropped in the meantime; sync again")
        }
        // One that was away as well may start over, too, and rely on this node for what it had from here.
        var acknowledged = told.seen
        for (member, document) in documents.seen where member != id && documents.listed[member] == document.incarnation {
            acknowledged.merge(document.vector)
        }
        let (own, others) = (id, acknowledged)
        let hold = database.holdObjects()
        defer { hold.end() }
        let session = PullSession(
            node: self, link: link, pull: Pull(local: database.head.commit.files.root, remote: roots.files, horizon: latestAccepted))
        let latest = try await session.run()
        let number = Incarnation.fresh(after: incarnation, randomness)
        try await database.threads.run { [directory = database.directory, number] in try Incarnation.change(to: number, in: directory) }
        // Where nobody has ever told what they have of this node, nothing says what of the writes of strangers they have not.
        let kept = try await database.startOver(
            with: roots.files, acknowledged: { $0 == own ? others[$0] : others.times[$0] }, since: others.times[own] ?? .latestAllowed,
            horizon: documents.horizon, latest: latest, incarnation: number)
        horizonState.withLock { state in
            state.seen = told.seen
            state.seen.note(peer, roots.clock)
            state.caughtUp = told.caughtUp
        }
        session.add(to: &report, nil)
        // What was joined from others before may not be here any more.
        fetches.forget()
        for other in allLinks() { other.state.withLock { $0.joined[Tree.files.rawValue] = nil } }
        link.state.withLock { $0.joined[Tree.files.rawValue] = roots.files }
        try await database.setDocuments([
            (ClusterDocument.seen(id), seenDocument()), (ClusterDocument.lapsed(id), nil),
        ])
        try await database.threads.run { self.storeHorizonState() }
        logger.notice(
            "was away for longer than deletions are kept; took the cluster's state, and wrote what nobody else had anew",
            metadata: ["peer": "\(link.name)", "writes": "\(kept)", "incarnation": "\(number)"])
        return true
    }
}
