import Content
import FileDatabase
import Foundation
import Merkle
import Node
import Platform
import Synchronization

/// One simulated run of a whole cluster, from its seed.
public struct ClusterRun: Sendable {
    public struct Outcome: Sendable {
        /// What a checker said; nil if nothing was wrong.
        public var failure: String?
        /// Equal for runs that went the same way.
        public var digest: String
        public var trace: [String]
        public var commits: Int
        public var acknowledged: Int
        public var messages: UInt64
        public var bytes: UInt64
        /// Seconds of the world's time.
        public var seconds: Double
    }

    public var seed: UInt64
    public var features: Features
    public var keepsTrace: Bool

    public init(seed: UInt64, features: Features, keepsTrace: Bool = false) {
        self.seed = seed
        self.features = features
        self.keepsTrace = keepsTrace
    }

    /// How long a healed cluster may take to agree, in microseconds: a push whose answer was lost is given up after five minutes.
    static let patience: UInt64 = 400_000_000
    /// No run is longer, in microseconds.
    private static let longest: UInt64 = 3_600_000_000

    /// Runs it. Takes over the process' global executor: nothing else may run in the process meanwhile or afterwards.
    ///
    /// - Parameter directory: an empty directory for the nodes' small files.
    public func run(directory: String) -> Outcome {
        let scheduler = Scheduler(seed: seed, switchesAtCalls: features.switchesAtCalls)
        scheduler.install()
        let world = World(seed: seed, features: features, scheduler: scheduler, keepsTrace: keepsTrace)
        world.note("\(features)")
        let machines = makeMachines(world, directory)
        let end = scheduler.run(until: ClusterRun.longest) { await self.play(world, machines) }
        switch end {
        case .done: break
        case .stuck: world.fail("nothing can happen any more: somebody waits for what nobody will do")
        case .late: world.fail("the run did not end within an hour of the world's time")
        case .endless: world.fail("millions of steps, and no end")
        }
        let (messages, bytes) = world.network.traffic
        return Outcome(
            failure: world.failure, digest: world.digest, trace: world.trace, commits: world.commitCount,
            acknowledged: world.withModel { $0.acknowledgedCount }, messages: messages, bytes: bytes, seconds: Double(scheduler.now) / 1e6)
    }

    private func makeMachines(_ world: World, _ directory: String) -> [Machine] {
        var random = SplitMix64(seed: seed &+ 2)
        var firstHours: Int64 = 0
        return (0..<features.nodes).map { index in
            var hours = features.hasWrongClocks ? Int64(random.below(72)) - 36 : 0
            if index == 0 { firstHours = hours }
            // It has a cluster of its own before it joins: what was written there with a clock far ahead would stay so.
            if index == world.partialMember { hours = firstHours }
            let time = SimulatedTime(
                scheduler: world.scheduler, drift: Int64(random.below(200)) - 100, start: UInt64(random.below(1_000_000_000)),
                error: hours * 3_600_000_000)
            // Who is in the middle has to be found by both neighbours.
            let canHide = index > 0 && (features.topology == .mesh || features.topology == .star || index == features.nodes - 1)
            let isHidden = features.hasHiddenNodes && canHide && random.once(in: 2)
            return Machine(index: index, world: world, time: time, isHidden: isHidden, directory: "\(directory)/\(index)")
        }
    }

    private func play(_ world: World, _ machines: [Machine]) async {
        do {
            try await found(world, machines)
        } catch {
            return world.fail("the cluster cannot be set up: \(error)")
        }
        if let partial = world.partialMember {
            world.network.watch(partial) { [weak world] bytes, path in world?.inspect(bytes, to: "node \(partial) by \(path)") }
        }
        var random = SplitMix64(seed: seed &+ 3)
        let faults = Task {
            var faults = Faults(world: world, machines: machines, random: SplitMix64(seed: seed &+ 4))
            await faults.run()
        }
        let outage = features.hasOutage ? Task {
            var outage = Outage(world: world, machines: machines, random: SplitMix64(seed: seed &+ 8))
            await outage.run()
        } : nil
        await withTaskGroup(of: Void.self) { group in
            let count = machines.count + random.below(machines.count)
            for number in 0..<count {
                let user = User(
                    world: world, machine: machines[number % machines.count], random: SplitMix64(seed: random.next()),
                    operationsLeft: features.operations / count)
                group.addTask {
                    var user = user
                    await user.work()
                }
            }
            if features.hasProber {
                let prober = Prober(world: world, machines: machines, random: SplitMix64(seed: seed &+ 5))
                group.addTask {
                    var prober = prober
                    await prober.work()
                }
            }
        }
        faults.cancel()
        await faults.value
        if let outage {
            world.network.heal()
            if world.failure != nil { outage.cancel() }
            await outage.value
        }
        if world.failure == nil { await agree(world, machines) }
        for machine in machines { machine.stop() }
    }

    /// Sets up the cluster: the first founds it, the others join through a neighbour.
    private func found(_ world: World, _ machines: [Machine]) async throws {
        for machine in machines { try machine.start() }
        guard let first = machines[0].node, let rootKey = try await first.foundCluster() else { return world.fail("no cluster was founded") }
        world.rootKey = rootKey
        first.goLive()
        for machine in machines.dropFirst() {
            let neighbour = features.topology == .chain || features.topology == .ring ? machine.index - 1 : 0
            guard let node = machine.node, let host = machines[neighbour].node else { continue }
            var token = rootKey
            if machine.index == world.partialMember {
                // It is not told of the cluster's keys.
                let own = try await node.foundCluster()
                machine.ownKey.withLock { $0 = own }
                token = try host.invite(label: nil, expiresIn: nil, syncPaths: [Leaks.visible + "/**"]).invitation
            }
            try await node.join(address: Network.address(of: neighbour), token: token)
            node.goLive()
        }
        if features.collects {
            let rules = #"{"rules":[{"path":"/**","all_days":0,"daily_days":0,"weekly_days":0}]}"#
            let status = try await machines[0].request("PUT", "/versions/retention", Array(rules.utf8), contentType: "application/json").status
            if status != 200 { return world.fail("what is kept cannot be set: status \(status)") }
        }
        var extra: [(Int, Int)] = []
        switch features.topology {
        case .mesh:
            for from in machines.indices { for to in machines.indices where from < to { extra += [(from, to), (to, from)] } }
        case .ring where machines.count > 2: extra = [(machines.count - 1, 0), (0, machines.count - 1)]
        case .ring, .chain, .star: break
        }
        for (from, to) in extra where !machines[to].isHidden {
            _ = try await machines[from].node?.addPeer(address: Network.address(of: to), label: nil, syncPaths: nil, token: nil)
        }
    }

    /// Heals everything, and waits until all nodes hold the same.
    private func agree(_ world: World, _ machines: [Machine]) async {
        world.note("everything is healed")
        var random = SplitMix64(seed: seed &+ 6)
        world.network.heal()
        for machine in machines {
            machine.disk.setCapacity(nil)
            // A disk that failed, or a power cut that is still to come, is over with a new start. The others go on as they are.
            if machine.isBroken || random.once(in: 4) && !machine.isRestored {
                if machine.isRunning { machine.stop() }
                machine.repair()
            }
            machine.switchOn()
        }
        guard await isSoonEqual(machines, world) else { return }
        if features.dropsDeletions, world.partialMember != nil {
            // No root tells whether a member of a part has given away what it has: not all of it will be taken.
            try? await world.scheduler.wait(60_000_000)
            guard await isSoonEqual(machines, world) else { return }
        }
        world.note("all nodes agree")
        if features.dropsDeletions, random.once(in: 3) { await checkQuiet(machines, world) }
        if features.hasProber { await checkRevoked(machines, world) }
        if features.collects { for machine in machines where random.once(in: 2) { await care("gc", at: machine, world) } }
        for machine in machines {
            if let reason = machine.lacks() { return world.fail(reason) }
        }
        if features.flipsBits { await flipBits(machines, world, &random) }
        for machine in machines { await check(machine, world) }
        if !features.dropsDeletions, random.once(in: 4) { await checkMessages(machines, world) }
    }

    private func isSoonEqual(_ machines: [Machine], _ world: World) async -> Bool {
        let deadline = world.scheduler.now + ClusterRun.patience
        while !isEqual(machines, world) {
            guard world.failure == nil else { return false }
            guard world.scheduler.now < deadline else {
                let states = machines.map { machine in
                    let peers = machine.node?.peers().map { "\($0.label ?? $0.address) \($0.state): \($0.reason ?? "-")" } ?? []
                    return "\(lacks(machine.index, world)?.reason ?? "") node \(machine.index) at \(machine.node?.database.head.commit.files.root.description.prefix(12) ?? "-") (\(peers.joined(separator: "; ")))"
                }
                world.explainDifferences()
                if let path = partDifference(machines, world) {
                    world.explain(path)
                    world.fail("the member of a part shows something else at \(path) than the others do, and does not say that it is refused")
                    return false
                }
                world.fail("the nodes do not agree \(ClusterRun.patience / 1_000_000) s after everything was healed: \(states.joined(separator: ", "))")
                return false
            }
            try? await world.scheduler.wait(250_000)
        }
        return true
    }

    private func isEqual(_ machines: [Machine], _ world: World) -> Bool {
        let heads = machines.filter { $0.index != world.partialMember }.map { $0.node?.database.head.commit }
        guard let first = heads.first, let first else { return false }
        guard heads.allSatisfy({ $0?.files.root == first.files.root && $0?.system.root == first.system.root }) else { return false }
        // Of a partial member no root tells what it has, and what others have of it.
        return world.partialMember == nil || machines.allSatisfy { lacks($0.index, world) == nil } && partDifference(machines, world) == nil
    }

    /// While nothing happens, nobody is taken for lost, and what has become old goes without any more ado.
    private func checkQuiet(_ machines: [Machine], _ world: World) async {
        // A member that comes back late still takes up the others' state.
        try? await world.scheduler.wait(UInt64(Features.retention) * 3_000_000)
        let before = world.commitCount
        try? await world.scheduler.wait(UInt64(Features.retention) * 1_000_000)
        let commits = world.commitCount - before
        if commits > 8 * machines.count { return world.fail("nodes that hold the same, and change nothing, made \(commits) commits within \(Features.retention) s") }
        if !isEqual(machines, world) { world.fail("nodes that held the same, and changed nothing, differ") }
    }

    /// Nodes that hold the same say little, and a change costs so many messages and no more.
    private func checkMessages(_ machines: [Machine], _ world: World) async {
        guard world.failure == nil else { return }
        let links = UInt64(machines.count * (machines.count - 1))
        // What was asked while the network was cut times out, and what snapshots hold is fetched once the two have met again.
        try? await world.scheduler.wait(40_000_000)
        var before = world.network.requests
        try? await world.scheduler.wait(40_000_000)
        let idle = world.network.requests - before
        // Each compares its state with each of its peers every half minute.
        if idle > 8 * links { return world.fail("nodes that hold the same exchanged \(idle) requests besides heartbeats within 40 s") }
        before = world.network.requests
        guard let answer = try? await machines[0].request("PUT", "/files/last.txt", [1, 2, 3]), answer.status == 201 else {
            return world.fail("a file cannot be put at node 0")
        }
        let deadline = world.scheduler.now + ClusterRun.patience
        while !isEqual(machines, world), world.scheduler.now < deadline { try? await world.scheduler.wait(100_000) }
        try? await world.scheduler.wait(2_000_000)
        let spent = world.network.requests - before
        if spent > 8 * links { world.fail("one change cost \(spent) requests besides heartbeats between \(machines.count) nodes") }
    }

    /// A key that was revoked opens nothing any more, anywhere.
    private func checkRevoked(_ machines: [Machine], _ world: World) async {
        guard let token = world.revokedToken else { return }
        for machine in machines {
            guard let answer = try? await machine.request("GET", "/sync/status", token: token), answer.status == 401 else {
                return world.fail("a token of a revoked key still opens something at node \(machine.index)")
            }
        }
    }
}
