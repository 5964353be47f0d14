import Access
import Content
import FileDatabase
import Logging
import Merkle
import Platform
import Replication
import Synchronization

extension Node {
    /// Whether this node is a full member that holds all that it was ever given: others may then let go of theirs.
    public var isWhole: Bool {
        (try? isPartialMember) == false && local.value.droppedTo == nil
    }

    /// Drops the files here that lie outside of what this node exchanges with its peers. Nobody else notices: no deletion is
    /// written, and wider paths bring the files back.
    ///
    /// What no peer that holds everything is known to have stays, and is named.
    ///
    /// - Throws: `NodeError(.conflict)` where this node takes part in everything, or nobody that holds everything answers.
    public func dropOutside(isDryRun: Bool) async throws -> DropResult {
        let links = allLinks().filter { $0.apiKey == nil }
        let scopes = try await exchanged(with: links)
        if scopes.contains(where: \.isUnrestricted) {
            throw NodeError(.conflict, "this node takes part in all files; limit the paths of its peers, or its own as a member, first")
        }
        let before = local.value.droppedTo
        // Before anybody is asked: of two nodes that would rely on each other at least one hears that the other is not whole any more.
        if !isDryRun { try await setDroppedTo((before ?? []) + links.compactMap { $0.nodeID?.description }) }
        let holders = try await whole(among: links)
        guard !holders.isEmpty else {
            if !isDryRun { try await setDroppedTo(before) }
            throw NodeError(.conflict, "no peer answers that holds all files; nothing is dropped that could be the last copy")
        }
        // Nothing is pulled or pushed meanwhile: what the peers have is written down anew.
        return try await withTurns(of: links[...]) { [self] in
            let known = try await database.threads.run { [self] in
                try links.map { link in (link, try database.subtree(scopedState(of: link, .files).known) ?? .empty) }
            }
            let held = known.filter { pair in holders.contains { $0 === pair.0 } }.map(\.1.root)
            if !isDryRun {
                try await database.threads.run { [self] in
                    for (link, tree) in known {
                        // Asks for everything that is exchanged from now on, and finds what was dropped missing.
                        setScopedState(ScopedState(cursor: [], known: try database.part(of: tree, within: scopes).root), of: link, .files)
                    }
                    storeScopedStates()
                }
                try await setDroppedTo((before ?? []) + holders.compactMap { $0.nodeID?.description })
                fetches.forget()
            }
            let result = try await database.drop(outside: scopes, heldBy: held, isDryRun: isDryRun)
            if !isDryRun, result.files > 0 {
                logger.notice("dropped what is outside the paths", metadata: ["files": "\(result.files)", "kept": "\(result.keptCount)"])
            }
            return result
        }
    }

    private func setDroppedTo(_ nodes: [String]?) async throws {
        try await database.threads.run { [local] in try local.change { $0.droppedTo = nodes.map { Set($0).sorted() } } }
    }

    /// Those that hold all files, and say so now.
    private func whole(among links: [PeerLink]) async throws -> [PeerLink] {
        var whole: [PeerLink] = []
        for link in links {
            guard let peer = link.nodeID, let member = try cluster().members[peer], member.syncPaths == nil,
                (try? await peerStatus(link))?.isWhole == true
            else { continue }
            whole.append(link)
        }
        return whole
    }

    private func exchanged(with links: [PeerLink]) async throws -> [RuleSet] {
        var scopes: [RuleSet] = []
        for link in links { scopes.append(try await exchanged(with: link)) }
        return scopes
    }

    /// What this node exchanges with a peer: what the peer says where it answers, and no less than this node knows of it otherwise.
    private func exchanged(with link: PeerLink) async throws -> RuleSet {
        var told = link.state.withLock { $0.told?.ruleSet }
        do {
            try await meet(link)
            link.state.withLock { $0.told = nil }
            told = try await scope(at: link).ruleSet
        } catch {
            logger.debug("a peer does not say what it exchanges", metadata: ["peer": "\(link.name)", "reason": "\(Node.words(error))"])
        }
        let cluster = try cluster()
        var rules = told ?? .everything
        for paths in [cluster.members[id]?.syncPaths, link.nodeID.flatMap { cluster.members[$0]?.syncPaths }, link.state.withLock { $0.syncPaths }] {
            if let paths { rules = rules.limited(to: try paths.map { try Glob($0) }) }
        }
        return rules
    }

    private func withTurns<Result: Sendable>(
        of links: ArraySlice<PeerLink>, _ body: @escaping @Sendable () async throws -> Result
    ) async throws -> Result {
        guard let first = links.first else { return try await body() }
        return try await first.pulls.run { [self] in try await withTurns(of: links.dropFirst(), body) }
    }
}
