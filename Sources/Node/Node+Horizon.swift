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

/// What a node tells of what it has, of the state that it shows afterwards.
struct Acknowledgement: Sendable {
    var seen: SeenVector
    var caughtUp: Timestamp
}

extension Node {
    /// What `/.system/` says of the horizon now.
    func horizonDocuments() throws -> HorizonDocuments {
        let view = database.view
        if let known = horizonCache.withLock({ $0?.root == view.head.commit.system.root ? $0 : nil }) { return known }
        var documents = try HorizonDocuments(view)
        // Nobody can have everything up to a time that has not come.
        if documents.horizon > Timestamp(microseconds: database.now + FileDatabase.Limits.maximumDrift) {
            documents.horizon = .zero
            documents.listed = [:]
        }
        let found = documents
        horizonCache.withLock { $0 = found }
        return documents
    }

    /// Whether this node takes all that its peers have.
    private var takesAll: Bool {
        isWhole && allLinks().allSatisfy { link in link.apiKey != nil || link.state.withLock { $0.syncPaths == nil && !$0.isScoped } }
    }

    /// What this node has.
    private func known() throws -> Acknowledgement {
        // A clock that may still be set can promise nothing.
        let now = clock.isSettled ? database.promisedTime : database.head.commit.time
        let documents = try horizonDocuments()
        let cluster = try cluster()
        let listed = documents.listed[id] == incarnation
        let isCounted = cluster.members[id] != nil && takesAll
        let all = documents.acknowledgements(cluster)
        return horizonState.withLock { state in
            state.seen.note(id, now)
            if listed { state.caughtUp = max(state.caughtUp, documents.horizon) }
            if isCounted, !all.members.isEmpty { state.caughtUp = max(state.caughtUp, all.frontier(of: state.seen)) }
            return Acknowledgement(seen: state.seen, caughtUp: state.caughtUp)
        }
    }

    /// What this node tells of what it has. To be asked before its roots are read: these then hold all of it.
    func acknowledgement() throws -> Acknowledgement {
        var known = try known()
        let horizon = try horizonDocuments().horizon
        // Its own deletions from before the horizon would be dropped wherever they came to, and go no further. So would those of others.
        if horizon > followed.withLock({ $0 }), try !isAwaited() || !unawaited().isEmpty {
            known.caughtUp = min(known.caughtUp, Timestamp(rawValue: horizon.rawValue - 1))
        }
        return known
    }

    /// Whether those who moved the horizon had all that this node wrote up to it: they have waited for one of its lives, or it has joined since.
    private func isAwaited() throws -> Bool { try isAwaited(id) }

    private func isAwaited(_ node: NodeID) throws -> Bool {
        let documents = try horizonDocuments()
        if documents.listed[node] != nil { return true }
        return try cluster().members[node].map { $0.joinedAt.timeIntervalSince1970 * 1e6 >= Double(documents.horizon.microseconds) } ?? true
    }

    /// Other full members that the horizon did not wait for: this node may have heard of them what those who moved it had not.
    private func unawaited() throws -> [NodeID] {
        try cluster().members.compactMap { member, document in
            try member != id && document.syncPaths == nil && !isAwaited(member) ? member : nil
        }
    }

    private func unheardDeletions() throws -> UnheardDeletions? {
        let members = try cluster().members.filter { $0.value.syncPaths == nil }
        return try UnheardDeletions(
            of: id, fullMembers: Set(members.keys), unawaited: unawaited(), seen: horizonState.withLock { $0.seen }, horizonDocuments())
    }

    /// Whether deletions were dropped that this node has never seen.
    func isLeftBehind() throws -> Bool {
        let horizon = try horizonDocuments().horizon
        return try horizon > .zero && known().caughtUp < horizon
    }

    /// Whether the members may have moved the horizon past this node without its knowing: they wait only for those of whom they have heard.
    func mayBeLeftBehind() throws -> Bool { try known().caughtUp < limit }

    /// Takes note that all of a peer's state has been joined.
    ///
    /// - Parameter told: what the peer had told before it showed its roots; nil where only its own writes are known.
    func noteJoined(_ peer: NodeID, _ clock: Timestamp, _ told: Acknowledgement?) {
        horizonState.withLock { state in
            state.seen.note(peer, clock)
            guard let told else { return }
            state.seen.merge(told.seen)
            state.caughtUp = max(state.caughtUp, told.caughtUp)
        }
    }

    /// Takes note of what a full member has that has just pushed all of it: nobody can connect to it and ask.
    ///
    /// - Parameter clock: all that it wrote up to it was pushed.
    public func acknowledge(_ clock: UInt64, seen: [String: UInt64], caughtUp: UInt64, from caller: Principal) async throws {
        guard caller.isTrusted, let node = caller.node else {
            throw NodeError(.forbidden, "only full members tell what they have")
        }
        // What it pushed brought nothing back that was deleted here meanwhile.
        if try isLeftBehind() { return }
        let latest = latestAccepted
        noteJoined(node, min(Timestamp(rawValue: clock), latest), Acknowledgement(
            seen: SeenVector(encoded: seen), caughtUp: min(Timestamp(rawValue: caughtUp), latest)))
        await noteMet()
    }

    /// Takes note that this node has just been let into a cluster.
    func noteAdopted() throws {
        // A newcomer has nothing that anybody could have deleted, unless it was made from the cluster's own backup.
        let isOld = try local.value.importedFrom.map { try $0 == cluster().id } ?? false
        let horizon = try horizonDocuments().horizon
        horizonState.withLock { state in
            state.seen = SeenVector()
            if !isOld { state.caughtUp = horizon }
        }
    }

    /// Keeps what is known over a restart. What a crash loses is found out again. Blocks.
    func storeHorizonState() {
        let state = horizonState.withLock { $0 }
        let seen = state.seen.encoded
        if local.value.seen == seen, local.value.caughtUp == state.caughtUp.rawValue { return }
        try? local.change { local in
            local.seen = seen
            local.caughtUp = state.caughtUp.rawValue
        }
    }

    // MARK: Moving the horizon

    private var now: Timestamp { Timestamp(microseconds: database.now) }

    /// What lies behind it is old.
    private var limit: Timestamp { Timestamp(microseconds: database.now - min(retention.microseconds, database.now)) }

    private var patience: Date { clock.date.addingTimeInterval(-Double(retention.microseconds) / 1e6) }

    /// Drops what the horizon says, and helps to move it where old deletions wait. What fails is tried again at the next look.
    func tendHorizon() async {
        do {
            try await tending.run {
                try await dropOldDeletions()
                try await tellOfReturn()
                let monotonic = clock.monotonicMicroseconds()
                guard horizonState.withLock({ $0.nextLook <= monotonic }), try cluster().members[id] != nil, takesAll else { return }
                let known = try horizonDocuments().horizon
                let earliest = try await database.threads.run { [database] in try database.earliestTombstone(after: known) }
                let interval = HorizonState.interval(retention)
                horizonState.withLock { state in
                    state.nextLook = monotonic + interval
                    state.waitsFor = []
                }
                // By a clock that may still be set nothing is old.
                guard clock.isSettled, let earliest, earliest <= limit, try !isLeftBehind() else {
                    return horizonState.withLock { $0.askingSince = nil }
                }
                try await moveHorizon(beyond: earliest, interval: interval)
                try await dropOldDeletions()
            }
        } catch {
            logger.debug("the horizon has to wait", metadata: ["reason": "\(Node.words(error))"])
        }
    }

    /// Drops deletions up to the horizon of the cluster, once this node has everything up to it.
    func followHorizon() async throws {
        try await tending.run { try await dropOldDeletions() }
    }

    private func dropOldDeletions() async throws {
        let horizon = try horizonDocuments().horizon
        guard horizon > followed.withLock({ $0 }), try known().caughtUp >= horizon else { return }
        var renewed = 0
        var dropped: UInt64?
        repeat {
            let base = database.head.commit.files
            let isAwaited = try isAwaited()
            let unheard = try unheardDeletions()
            let isOwn = { @Sendable [id] (version: Version) in !isAwaited && version.dot.actor.node == id }
            // Those that others may lack are made anew. By a clock that may still be set nothing is.
            if !clock.isSettled, !isAwaited || unheard != nil {
                let isWaiting = try await database.threads.run { [database] in
                    try database.hasDeletions(upTo: horizon) { isOwn($0) || unheard?.mayContain($0) == true }
                }
                if isWaiting { return }
            }
            if !isAwaited { renewed += try await database.renewDeletions(upTo: horizon, where: isOwn) }
            if let unheard { renewed += try await database.renewDeletions(upTo: horizon, after: unheard.since, where: unheard.mayContain) }
            dropped = try await database.purge(upTo: horizon, after: base) { isOwn($0) || unheard?.mayContain($0) == true }
        } while dropped == nil
        if renewed > 0 { logger.notice("deleted anew what those who moved the horizon had not heard of", metadata: ["deletions": "\(renewed)"]) }
        followed.withLock { $0 = horizon }
        if let dropped, dropped > 0 { logger.info("dropped deletions that all members have", metadata: ["deletions": "\(dropped)"]) }
    }

    /// Takes back what was said of this node while it was away, or before it was restored.
    private func tellOfReturn() async throws {
        let documents = try horizonDocuments()
        let isRestored = documents.seen[id].map { $0.incarnation != incarnation } ?? false
        guard isRestored || documents.lapsed.contains(id), try !isLeftBehind() else { return }
        var changes: [(path: TreePath, bytes: [UInt8]?)] = [(ClusterDocument.lapsed(id), nil)]
        if isRestored { changes.append((ClusterDocument.seen(id), try seenDocument())) }
        try await database.setDocuments(changes)
    }

    /// - Parameter missed: members that were asked for in vain.
    func seenDocument(missed: Set<NodeID> = []) throws -> [UInt8] {
        try ClusterDocument.encode(ClusterDocument.Seen(incarnation: incarnation, acknowledgement().seen, missed: missed))
    }

    private func moveHorizon(beyond earliest: Timestamp, interval: UInt64) async throws {
        let acknowledgement = try acknowledgement()
        var documents = try horizonDocuments()
        var all = documents.acknowledgements(try cluster())
        let told = documents.seen[id]
        let isUseful = all.frontier(of: acknowledgement.seen) >= earliest
        if isUseful, told?.incarnation != incarnation || told.map({ all.frontier(of: $0.vector) < earliest }) ?? true {
            try await database.setDocument(seenDocument(), at: ClusterDocument.seen(id))
        }
        documents = try horizonDocuments()
        all = documents.acknowledgements(try cluster())
        // Those of whom this node lacks something, or, where it lacks nothing, those that have not told the same of themselves.
        let waiting = all.members.filter { member in
            guard member != id else { return false }
            return isUseful ? all.seen[member].map { all.frontier(of: $0) < earliest } ?? true : acknowledgement.seen[member] < earliest
        }
        horizonState.withLock { $0.waitsFor = waiting.sorted() }
        let horizon = min(all.horizon, limit)
        let monotonic = clock.monotonicMicroseconds()
        guard horizon >= earliest else {
            // Where nothing changes, what is known of members behind the peers is old. The peers are asked, and ask theirs in turn.
            for link in allLinks() { link.announce(nil) }
            let since = horizonState.withLock { state in
                state.askingSince = state.askingSince ?? monotonic
                return state.askingSince ?? monotonic
            }
            guard monotonic >= since + retention.microseconds / 4 else { return }
            return try await declareLapsed(acknowledgement.seen)
        }
        // One writes it, and the next only where that one does not.
        let place = UInt64(all.members.filter { $0 < id }.count)
        let since = horizonState.withLock { state in
            state.askingSince = nil
            state.movableSince = state.movableSince ?? monotonic
            return state.movableSince ?? monotonic
        }
        guard monotonic >= since + place * interval else { return }
        horizonState.withLock { $0.movableSince = nil }
        var members: [String: UInt32] = [:]
        for member in all.members { members[member.description] = documents.seen[member]?.incarnation }
        try await database.setDocument(
            ClusterDocument.encode(ClusterDocument.Horizon(time: horizon.rawValue, members: members)), at: ClusterDocument.horizon)
        logger.info("moved the horizon of deletions", metadata: ["members": "\(members.count)"])
    }

    /// Members that are silent for longer than deletions are kept hold nobody up any more, once more than half of the members say so.
    private func declareLapsed(_ seen: SeenVector) async throws {
        func ago(_ parts: UInt64) -> Timestamp { Timestamp(microseconds: database.now - min(retention.microseconds / parts, database.now)) }
        let cluster = try cluster()
        var documents = try horizonDocuments()
        let missed = documents.acknowledgements(cluster).members.filter { $0 != id && seen[$0] < limit }
        let told = documents.seen[id]
        // It is told anew before it counts for nothing.
        if !missed.isEmpty, told?.incarnation != incarnation || told?.missing != missed || told.map({ $0.vector[id] <= ago(4) }) ?? true {
            try await database.setDocument(seenDocument(missed: missed), at: ClusterDocument.seen(id))
            documents = try horizonDocuments()
        }
        let members = cluster.members
        let all = documents.acknowledgements(cluster)
        for member in all.silent(seen, since: limit, lately: ago(2)).sorted() {
            guard let joinedAt = members[member]?.joinedAt, joinedAt < patience else { continue }
            logger.notice("a member was silent for too long; deletions do not wait for it any more", metadata: ["node": "\(member.short)"])
            try await database.setDocument(
                ClusterDocument.encode(ClusterDocument.Lapsed(since: clock.date)), at: ClusterDocument.lapsed(member))
        }
    }

    /// Looks after the horizon until the task is cancelled.
    func keepHorizon() async {
        while !Task.isCancelled {
            await tendHorizon()
            try? await database.threads.run { [self] in
                storeHorizonState()
                // The wall clock may have been set.
                if clock.isSettled { clock.store() }
            }
            try? await clock.wait(.microseconds(Int64(HorizonState.interval(retention))))
        }
    }
}
