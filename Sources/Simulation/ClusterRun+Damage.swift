import Foundation
import Node

/// Care and damage, once all nodes agree.
extension ClusterRun {
    /// Longer than what nobody had is not asked for again, in microseconds.
    private static let secondThought: UInt64 = 31_000_000

    /// Bits flip on the disk of a node with peers that have all of it: what is damaged is found by a scrub, or by whoever reads it, and comes
    /// back from them.
    func flipBits(_ machines: [Machine], _ world: World, _ random: inout SplitMix64) async {
        let able = machines.filter { $0.index != world.partialMember && isHelped($0) }
        guard world.failure == nil, !able.isEmpty else { return }
        // Where a member of a part is at hand, it must not be asked for the rest.
        let beside = able.filter { machine in
            machine.node?.peers().contains { $0.label == world.partialMember.map { "node-\($0)" } && $0.state == "active" } == true
        }
        let machine = random.pick(beside.isEmpty ? able : beside)
        world.note("bits of node \(machine.index) flip")
        machine.flipBits(1 + random.below(8), &random)
        if !beside.isEmpty || random.once(in: 4) { await readAlone(machine, machines, world) }
        if random.once(in: 2) { await care("scrub", at: machine, world) }
    }

    private func isHelped(_ machine: Machine) -> Bool {
        machine.node?.peers().contains { $0.state == "active" && $0.syncPaths == nil } == true
    }

    /// People read what they see at a node that only a member of a part can be reached from, if anybody.
    private func readAlone(_ machine: Machine, _ machines: [Machine], _ world: World) async {
        world.note("node \(machine.index) is read alone")
        let others = machines.map(\.index).filter { $0 != machine.index && $0 != world.partialMember }
        world.network.setCut(true, between: machine.index, and: others)
        for (path, state) in world.withModel({ $0.visible(on: machine.index) }).sorted(by: { $0.key < $1.key }) {
            guard case .file(let content) = state.content else { continue }
            guard await read(path, content, at: machine, world, isAlone: true) else { return }
        }
        world.network.setCut(false, between: machine.index, and: others)
        let deadline = world.scheduler.now + ClusterRun.patience
        try? await world.scheduler.wait(ClusterRun.secondThought)
        while !isHelped(machine), world.scheduler.now < deadline { try? await world.scheduler.wait(250_000) }
    }

    /// Has a node look after its log, and waits for the end of it.
    func care(_ kind: String, at machine: Machine, _ world: World) async {
        guard world.failure == nil else { return }
        do {
            let started = try await machine.request("POST", "/system/\(kind)")
            var task = try JSONSerialization.jsonObject(with: Data(started.body)) as? [String: Any]
            let deadline = world.scheduler.now + ClusterRun.patience
            while let id = task?["id"] as? String, task?["state"] as? String == "running" {
                guard world.scheduler.now < deadline else { return world.fail("\(kind) does not end at node \(machine.index)") }
                try await world.scheduler.wait(100_000)
                task = try JSONSerialization.jsonObject(with: Data(try await machine.request("GET", "/system/tasks/\(id)").body)) as? [String: Any]
            }
            world.note("\(kind) at node \(machine.index): \(task?["state"] ?? "-")")
        } catch {
            world.fail("node \(machine.index) cannot do \(kind): \(error)")
        }
    }
}
