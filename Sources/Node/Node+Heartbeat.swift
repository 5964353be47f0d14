import Causality
import Content
import FileDatabase
import Logging
import Platform
import Replication
import Synchronization

/// A heartbeat and its answer: three fields and nothing else, so that there is nothing to disagree about.
public struct Heartbeat: Codable, Sendable {
    /// When the sender meant to send; in an answer, when the beat arrived. Microseconds since 1970, on the sender's clock.
    public var intentTime: UInt64
    /// When the message was built.
    public var constructTime: UInt64
    public var nodeID: String

    public init(intentTime: UInt64, constructTime: UInt64, nodeID: String) {
        self.intentTime = intentTime
        self.constructTime = constructTime
        self.nodeID = nodeID
    }
}

extension Node {
    /// A link on which an exchange takes longer has several under way at once, so that it settles as fast. In microseconds.
    private static let longDelay: Int64 = 50_000
    private static let beatsInFlight = 6
    /// Between the first beats, which follow each other at once, and the end of the honeymoon.
    private static let honeymoonPause = Duration.milliseconds(10)
    /// A difference so large is dealt with as soon as it is seen, and measured exactly afterwards. In microseconds.
    private static let coarse: Int64 = 1_000_000
    /// How long one honeymoon may last before the peer is left alone for a while, in microseconds.
    static let honeymoonLimit: UInt64 = 15_000_000
    private static let beatTimeout = 5
    /// Callers whose clocks are remembered, some hundred bytes each.
    private static let maximumCallers = 10_000

    // MARK: As the one who calls

    /// Makes sure that the peer answers, is a member, and has the same time.
    ///
    /// - Parameter isMember: whether the peer has to be a member; only a newcomer cannot know yet.
    func meet(_ link: PeerLink, mustBeMember: Bool = true) async throws {
        if mustBeMember { try await joinPending(link) }
        try await link.meeting.run {
            let now = clock.monotonicMicroseconds()
            let (phase, lastBeat) = link.state.withLock { ($0.phase, $0.lastBeat) }
            // The peer forgets who has not sent a heartbeat for a while.
            if phase == .active, let lastBeat, now < lastBeat + CallerClock.patience / 2 { return }
            try await identify(link)
            if mustBeMember { try requireMember(link) }
            enter(.honeymoon, link, reason: "heartbeats are being exchanged")
            try await settle(link)
            enter(.active, link, reason: nil)
        }
    }

    private func settle(_ link: PeerLink) async throws {
        let deadline = clock.monotonicMicroseconds() + Node.honeymoonLimit
        while true {
            let peerIsSettled = try await peerStatus(link).clockSettled
            link.state.withLock { $0.honeymoon = Honeymoon() }
            let estimate = try await gatherSamples(link, deadline)
            let offset = clock.offset(of: estimate)
            switch ClockMeeting.decide(offset: offset, error: estimate.error, isSettled: clock.isSettled, peerIsSettled: peerIsSettled) {
            case .agreed:
                clock.agree(with: agreedEstimates() + [estimate])
                try await database.threads.run { [clock] in clock.store() }
                return
            case .follow where offset < 0 && !clock.mayGoBack(to: link.nodeID):
                try await wait(for: link, "offset: its clock is \(-offset / 1000) ms behind that of another peer, which was followed just now", deadline)
            case .follow:
                logger.notice("following a peer's clock", metadata: ["peer": "\(link.name)", "offset_us": "\(offset)"])
                clock.follow(estimate, of: link.nodeID, peerIsSettled: peerIsSettled)
                if offset < 0 { await noteSetBack() }
                // What was known of other clocks was known by the old time.
                callers.withLock { $0 = [:] }
            case .wait(let reason): try await wait(for: link, reason, deadline)
            }
        }
    }

    private func wait(for link: PeerLink, _ reason: String, _ deadline: UInt64) async throws {
        enter(.honeymoon, link, reason: reason)
        guard clock.monotonicMicroseconds() < deadline else { throw NodeError(.unavailable, reason) }
        try await clock.wait(.milliseconds(250))
    }

    /// Sends heartbeats until the peer's clock is known.
    private func gatherSamples(_ link: PeerLink, _ deadline: UInt64) async throws -> ClockEstimate {
        // The first tells whether one at a time will do.
        try await beat(link)
        let delay = link.state.withLock { $0.honeymoon.filter.estimate(at: clock.monotonicMicroseconds()) }?.delay ?? 0
        return try await withThrowingTaskGroup(of: ClockEstimate.self) { group in
            for _ in 0..<(delay > Node.longDelay ? Node.beatsInFlight : 1) {
                group.addTask {
                    while true {
                        try await self.beat(link)
                        let now = self.clock.monotonicMicroseconds()
                        let (verdict, estimate, count) = link.state.withLock { state in
                            (state.honeymoon.verdict(at: now), state.honeymoon.filter.estimate(at: now), state.honeymoon.filter.count)
                        }
                        let isEnough = estimate.map { $0.count >= Honeymoon.minimumSamples } ?? false
                        if isEnough, let estimate, abs(self.clock.offset(of: estimate)) > Node.coarse { return estimate }
                        switch verdict {
                        case .settled(let estimate): return estimate
                        case .unusable(let reason): throw NodeError(.unavailable, "cannot settle: \(reason)")
                        case .goOn(let reason):
                            guard now < deadline else { throw NodeError(.unavailable, "cannot settle: \(reason)") }
                        }
                        // The first follow each other at once.
                        if count >= Honeymoon.minimumSamples { try await self.clock.wait(Node.honeymoonPause) }
                    }
                }
            }
            defer { group.cancelAll() }
            guard let first = try await group.next() else { throw CancellationError() }
            return first
        }
    }

    /// Exchanges one heartbeat.
    /// - Returns: false if the peer's clock was set since the last one.
    @discardableResult
    func beat(_ link: PeerLink) async throws -> Bool {
        let intent = clock.wallMicroseconds()
        let sent = clock.monotonicMicroseconds()
        let body = try JSON.encode(Heartbeat(intentTime: intent, constructTime: clock.wallMicroseconds(), nodeID: id.description))
        let response = try await send(
            .post, "/sync/heartbeat", to: link, body: body, contentType: "application/json", timeoutSeconds: Node.beatTimeout)
        let bytes = try await response.body.collect(limit: 4096)
        let arrived = clock.monotonicMicroseconds()
        guard let answer = try? JSON.decode(Heartbeat.self, bytes), answer.nodeID == link.nodeID?.description,
            let sample = ClockSample(sent: sent, received: answer.intentTime, answered: answer.constructTime, arrived: arrived)
        else {
            link.state.withLock { $0.honeymoon.addFailure() }
            throw NodeError(.unavailable, "the peer at \(link.address) answers heartbeats with times that cannot be true")
        }
        return link.state.withLock { state in
            state.lastBeat = arrived
            state.correction = sample.offset
            return state.honeymoon.add(sample)
        }
    }

    /// Does something that may take longer than the peer remembers a clock: heartbeats go on meanwhile, also where nothing keeps
    /// the two in touch.
    func keepingTime<Result>(with link: PeerLink, _ body: () async throws -> Result) async throws -> Result {
        let interval = CallerClock.patience / 4
        return try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { [self] in
                while true {
                    try await clock.wait(.microseconds(Int64(interval)))
                    let (phase, lastBeat) = link.state.withLock { ($0.phase, $0.lastBeat ?? 0) }
                    // One that fails says no more than what the peer answers to the rest.
                    if phase == .active, clock.monotonicMicroseconds() >= lastBeat + interval { _ = try? await beat(link) }
                }
            }
            defer { group.cancelAll() }
            return try await body()
        }
    }

    /// What is known of the clocks of those peers that agree with this node.
    func agreedEstimates() -> [ClockEstimate] {
        let now = clock.monotonicMicroseconds()
        return allLinks().compactMap { link in
            link.state.withLock { $0.phase == .active ? $0.honeymoon.filter.estimate(at: now) : nil }
        }
    }

    // MARK: As the one who answers

    /// Answers a heartbeat.
    /// - Parameter arrived: when it came, on this node's clock.
    public func answer(_ beat: Heartbeat, from caller: NodeID?, arrived: UInt64) throws -> Heartbeat {
        guard caller == nil || beat.nodeID == caller?.description else {
            throw NodeError(.invalid, "the heartbeat names another node than the token")
        }
        guard beat.intentTime <= beat.constructTime else {
            throw NodeError(.invalid, "the heartbeat was built before it was meant to be sent")
        }
        if let caller {
            let now = clock.monotonicMicroseconds()
            callers.withLock { callers in
                // Whoever holds a key can have any number of nodes. Those that are forgotten have their honeymoon anew.
                if callers.count >= Node.maximumCallers { callers = [:] }
                callers[caller, default: CallerClock()].add(built: beat.constructTime, arrived: arrived, now: now)
            }
        }
        return Heartbeat(intentTime: arrived, constructTime: clock.wallMicroseconds(), nodeID: id.description)
    }

    /// Refuses a caller whose clock is not settled: nothing of the trees is shown before.
    public func requireSettled(_ caller: NodeID) throws {
        let now = clock.monotonicMicroseconds()
        let fault = callers.withLock { $0[caller, default: CallerClock()].fault(at: now) }
        guard let fault else { return }
        throw NodeError(.conflict, "the honeymoon with node \(caller.short) is not over: \(fault); exchange heartbeats first")
    }
}
