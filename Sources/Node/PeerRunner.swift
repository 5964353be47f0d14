import Causality
import Content
import Foundation
import Logging
import Platform
import Replication
import Synchronization

/// Keeps in touch with one peer: meets it, learns of its changes as they happen and pulls them, and after each failure tries
/// again, ever more rarely.
struct PeerRunner {
    /// Beats come this often at first, and ever more rarely while nothing happens.
    private static let beatInterval = (first: Duration.seconds(1), last: Duration.seconds(4))
    /// A peer whose stream brings nothing for this long is gone, in microseconds: its heartbeats come every second or two.
    private static let silence: UInt64 = 8_000_000
    /// How often the states are compared even though the peer tells of nothing.
    private static let comparison = Duration.seconds(30)

    let node: Node
    let link: PeerLink

    func run() async {
        var backoff = Backoff()
        while !Task.isCancelled {
            let lastSync = link.state.withLock { $0.lastSyncAt }
            do {
                try await node.meet(link)
                try await keepUp()
            } catch {
                if Task.isCancelled { return }
                // What is damaged here may be whole at a peer; the next try will tell.
                let damage = Node.damage(in: error)
                if !damage.isEmpty { await node.mend(damage) }
                let reason = Node.words(error)
                node.enter(.disconnected, link, reason: reason)
                node.logger.debug("peer lost", metadata: ["peer": "\(link.name)", "reason": "\(reason)"])
            }
            if link.state.withLock({ $0.lastSyncAt }) != lastSync { backoff.reset() } else { node.tryOtherAddress(of: link) }
            await link.wake.wait(upTo: .seconds(backoff.next(chance: node.randomness.fraction())), by: node.clock)
        }
    }

    /// Runs until the peer is lost.
    private func keepUp() async throws {
        link.state.withLock { state in
            state.lastHeard = node.clock.monotonicMicroseconds()
            state.asking = Backoff()
            (state.nextAsked, state.lastTold) = (0, nil)
        }
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await listen() }
            group.addTask { try await beat() }
            group.addTask { try await pullNews() }
            group.addTask { try await pushNews() }
            group.addTask {
                while true {
                    try await node.clock.wait(PeerRunner.comparison)
                    link.announce(nil)
                    link.outgoing.ring()
                }
            }
            defer { group.cancelAll() }
            try await group.next()
        }
    }

    /// Listens to the peer's events.
    private func listen() async throws {
        let response = try await node.send(.get, "/events?events=commit,heartbeat&paths=false", to: link, timeoutSeconds: 10)
        var reader = NoticeReader()
        while let piece = try await response.body.next() {
            link.state.withLock { state in
                state.lastHeard = node.clock.monotonicMicroseconds()
                state.bytesReceived += UInt64(piece.count)
            }
            for notice in try reader.read(piece) { link.announce(notice) }
        }
        throw NodeError(.unavailable, "the peer at \(link.address) closed the connection")
    }

    private func beat() async throws {
        var interval = PeerRunner.beatInterval.first
        while true {
            try await node.clock.wait(interval)
            guard try await node.beat(link) else {
                throw NodeError(.unavailable, "the clock of the peer at \(link.address) was set")
            }
            node.clock.agree(with: node.agreedEstimates())
            let lastHeard = link.state.withLock { $0.lastHeard }
            guard node.clock.monotonicMicroseconds() < lastHeard + PeerRunner.silence else {
                throw NodeError(.unavailable, "nothing comes from the peer at \(link.address) any more")
            }
            interval = min(interval * 5 / 4, PeerRunner.beatInterval.last)
        }
    }

    private func pullNews() async throws {
        while true {
            var report = SyncReport(nodeID: nil, address: link.address, ok: false)
            _ = try await link.pulls.run { try await node.pullAll(from: link, &report) }
            if report.entries > 0 {
                report.ok = true
                report.nodeID = link.nodeID?.description
                node.events.publish([.progress(report)])
            }
            // What was written while the two were apart.
            link.outgoing.ring()
            await link.news.wait()
            try Task.checkCancellation()
        }
    }
}

extension PeerRunner {
    /// Sends on what is new here, where the peer does not take it by itself.
    private func pushNews() async throws {
        while true {
            await link.outgoing.wait()
            try Task.checkCancellation()
            // Not before it is known what the peer has.
            guard link.state.withLock({ $0.lastSyncAt != nil && $0.phase == .active }) else { continue }
            if try node.isPartial(link) { continue }
            if try !node.isVetted(at: link) {
                if try await node.peerPulls(link) || node.hasNothingToTell(link) { continue }
            }
            var report = SyncReport(nodeID: link.nodeID?.description, address: link.address, ok: true)
            _ = try await link.pulls.run { try await node.push(to: link, &report) }
            if report.pushed > 0 { node.events.publish([.progress(report)]) }
        }
    }
}

extension Node {
    /// Whether a peer is a member of only a part of the files.
    func isPartial(_ link: PeerLink) throws -> Bool {
        guard let peer = link.nodeID else { return false }
        return try cluster().members[peer]?.syncPaths != nil
    }

    /// Starts to keep in touch with the peers. Only once the node can be reached, so that they can do the same.
    public func goLive() {
        isLive.withLock { $0 = true }
        for link in allLinks() { keepInTouch(with: link) }
        tender.withLock { $0 = $0 ?? Task { [weak self] in await self?.keepHorizon() } }
    }

    /// Ends it.
    public func stopLive() {
        isLive.withLock { $0 = false }
        tender.withLock { tender in
            tender?.cancel()
            tender = nil
        }
        runners.withLock { runners in
            for runner in runners { runner.task.cancel() }
            runners = []
        }
    }

    func keepInTouch(with link: PeerLink) {
        guard isLive.withLock({ $0 }) else { return }
        runners.withLock { runners in
            guard !runners.contains(where: { $0.link === link }) else { return }
            let task = Task { [weak self] in
                guard let self else { return }
                await PeerRunner(node: self, link: link).run()
            }
            runners.append((link, task))
        }
    }

    func stopKeepingInTouch(with link: PeerLink) {
        runners.withLock { runners in
            guard let index = runners.firstIndex(where: { $0.link === link }) else { return }
            runners.remove(at: index).task.cancel()
        }
    }

    /// A peer that is not found may have moved. Tries in turn the address that was given here and the one that the peer gave
    /// the cluster.
    func tryOtherAddress(of link: PeerLink) {
        guard let id = link.nodeID else { return }
        let own = local.value.peers.first { $0.nodeID == id.description }?.address
        let told = (try? cluster().members[id]?.address).flatMap { try? Node.checkedAddress($0) }
        link.state.withLock { state in
            if let told, told != state.address { state.address = told } else if let own { state.address = own }
        }
    }

    static func words(_ error: any Error) -> String {
        switch error {
        case let error as NodeError: error.reason
        default: "\(error)"
        }
    }
}
