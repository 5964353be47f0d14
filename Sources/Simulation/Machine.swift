import Access
import Causality
import Content
import FileDatabase
import Foundation
import HTTPServer
import Merkle
import NIOEmbedded
import Node
import Objects
import Platform
import Synchronization

/// One simulated machine: a disk, clocks, and the node that runs on them while the power is on.
final class Machine: Sendable {
    private struct Running {
        var node: Node
        var server: InProcessServer
        var token: String?
        var observer: Int
    }

    private struct State {
        var disk: FaultyDisk
        var running: Running?
        /// What is on other files of the disk, and can be made again from the log.
        var index = MemoryIndex()
        var history = MemoryTable()
        /// How many lives it has had.
        var starts = 0
        var isBroken = false
        /// Since it was put back to an old copy, and has not met anybody.
        var isRestored = false
    }

    /// Whether nobody can connect to it.
    let isHidden: Bool

    let index: Int
    let time: SimulatedTime
    let world: World
    let directory: String
    private let state: Mutex<State>
    /// A key with all rights of this machine alone; nil where the cluster's is good here.
    let ownKey = Mutex<String?>(nil)

    /// - Parameter directory: where the node keeps its small private files; what goes into the log is on the simulated disk.
    init(index: Int, world: World, time: SimulatedTime, isHidden: Bool, directory: String) {
        self.index = index
        self.isHidden = isHidden
        self.world = world
        self.time = time
        self.directory = directory
        state = Mutex(State(disk: FaultyDisk()))
    }

    var isRunning: Bool { state.withLock { $0.running != nil } }
    /// Of its files, as they are now.
    var root: ContentHash? { node?.database.head.commit.files.root }
    var node: Node? { state.withLock { $0.running?.node } }
    var disk: FaultyDisk { state.withLock { $0.disk } }

    /// Starts the node on what the disk holds.
    func start() throws {
        let (disk, index, history, life) = state.withLock { state in
            state.starts += 1
            return (state.disk, state.index, state.history, state.starts)
        }
        var options = Node.Options(
            directory: directory, label: "node-\(self.index)", transport: NetworkTransport(network: world.network, index: self.index),
            logger: TraceLog.logger(world: world, node: self.index), time: time)
        options.randomness = SimulatedRandomness(seed: world.seed &* 1_000_003 &+ UInt64(self.index * 1000 + life))
        options.openDatabase = { [directory, world] actor, clock in
            let inline = BlockingThreads(count: 0, name: "simulation") { await world.pauseOfThread() }
            let store = try ObjectStore(disk: disk, index: index, flusher: inline)
            return try FileDatabase(directory: directory, store: store, actor: actor, time: clock, threads: inline, history: history)
        }
        if world.features.dropsDeletions { options.retention = .seconds(Features.retention) }
        let node = try Node(options)
        if !isHidden { node.setAddress(Network.address(of: self.index)) }
        let observer = node.database.addObserver { [weak self, world, index = self.index] head in
            if head.commit.cause.hasPrefix("sync with") { self?.state.withLock { $0.isRestored = false } }
            world.committed(head, at: index)
        }
        let server = InProcessServer(node: node, channel: EmbeddedChannel())
        state.withLock { $0.running = Running(node: node, server: server, token: nil, observer: observer) }
        world.started(self, node)
        if !isHidden { world.network.connect(self.index, server) }
    }

    /// The power fails. What was not synced may be lost, kept or torn.
    func crash(_ random: inout SplitMix64) {
        world.network.disconnect(index)
        let running = state.withLock { state in
            let running = state.running
            state.running = nil
            return running
        }
        guard let running else { return }
        // What still runs of it writes to a disk that is gone, and nobody looks.
        running.node.database.removeObserver(running.observer)
        let old = disk
        let next = old.crashed(&random)
        old.cutPower(atEvent: 0)
        running.node.close()
        state.withLock { state in
            state.disk = next
            state.isBroken = false
            // They have syncs of their own, and are lost now and then.
            if random.once(in: 3) { state.index = MemoryIndex() }
            if random.once(in: 3) { state.history = MemoryTable() }
        }
    }

    /// An orderly end.
    func stop() {
        world.network.disconnect(index)
        let running = state.withLock { state in
            defer { state.running = nil }
            return state.running
        }
        guard let running else { return }
        running.node.close()
        running.node.database.removeObserver(running.observer)
    }

    /// Starts it and lets it meet its peers, if it is off.
    func switchOn() {
        guard !isRunning else { return }
        // It was stopped before the power cut that was to come.
        if isBroken { repair() }
        do {
            try start()
            node?.goLive()
        } catch {
            world.fail("node \(index) does not start: \(error)")
        }
    }

    /// Puts what is on the disk onto a new one.
    func repair() {
        state.withLock { state in
            state.disk = state.disk.copy()
            state.isBroken = false
        }
    }

    func replaceDisk(with disk: FaultyDisk, isRestored: Bool) {
        state.withLock { state in
            state.disk = disk
            state.index = MemoryIndex()
            state.history = MemoryTable()
            state.isBroken = false
            state.isRestored = isRestored
        }
    }

    /// Whether it runs on an old copy, and has not met anybody since. Switched off now, it would not find out.
    var isRestored: Bool { state.withLock { $0.isRestored } }

    /// Whether its disk may fail, so that errors are what is to be expected.
    var isBroken: Bool { state.withLock { $0.isBroken } }
    func breakDisk(atEvent event: Int) {
        state.withLock { $0.isBroken = true }
        disk.cutPower(atEvent: event)
    }

    // MARK: Users

    /// A request of somebody who may do everything here, or whose token is given.
    func request(
        _ method: String, _ target: String, _ body: [UInt8] = [], contentType: String? = nil, token given: String? = nil
    ) async throws -> (status: Int, body: [UInt8]) {
        guard let running = state.withLock({ $0.running }) else { throw Unreachable() }
        func answer(_ token: String) async throws -> (status: Int, body: [UInt8]) {
            let response = await running.server.respond(to: InProcessServer.Request(
                method, target, token: token, contentType: contentType, body: body))
            return (response.status, try await response.body.collect(limit: 64 << 20))
        }
        if let given { return try await answer(given) }
        if let token = running.token {
            let first = try await answer(token)
            // Where the clock was set meanwhile, the token may be over.
            if first.status != 401 { return first }
        }
        return try await answer(try await newToken(running.node))
    }

    private func newToken(_ node: Node) async throws -> String {
        let grant = try await node.grant(apiKey: ownKey.withLock { $0 } ?? world.rootKey, client: "simulation")
        state.withLock { $0.running?.token = grant.token }
        return grant.token
    }

    struct Unreachable: Error {}
}
