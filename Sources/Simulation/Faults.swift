import Platform

/// What goes wrong while people work.
struct Faults {
    let world: World
    let machines: [Machine]
    var random: SplitMix64
    private var copies: [(machine: Machine, copy: MachineCopy)] = []
    /// Machines that are off for long, and are switched on by these.
    private var returns: [Task<Void, Never>] = []

    init(world: World, machines: [Machine], random: SplitMix64) {
        self.world = world
        self.machines = machines
        self.random = random
    }

    /// Lets things go wrong until the task is cancelled.
    mutating func run() async {
        var kinds: [Kind] = []
        if world.features.hasPartitions { kinds += [.cut, .cut, .heal] }
        if world.features.hasCrashes { kinds += [.crash, .crash, .crashAtEvent, .restart] }
        if world.features.hasBadWeather { kinds += [.weather] }
        if world.features.hasWrongClocks { kinds += [.clock] }
        if world.features.hasFullDisks { kinds += [.fullDisk] }
        if world.features.hasOldCopies { kinds += [.copy, .restore] }
        if world.features.dropsDeletions { kinds += [.absence] }
        guard !kinds.isEmpty else { return }
        defer { for task in returns { task.cancel() } }
        while !Task.isCancelled, world.failure == nil {
            let pause = world.features.pause * 1000
            guard (try? await world.scheduler.wait(UInt64(pause / 2 + random.below(6 * pause)))) != nil else { return }
            await happen(random.pick(kinds))
        }
    }

    private enum Kind {
        case cut, heal, crash, crashAtEvent, restart, weather, clock, fullDisk, copy, restore, absence
    }

    private mutating func happen(_ kind: Kind) async {
        let machine = random.pick(machines)
        if machine.isRestored, [.crash, .crashAtEvent, .restart, .absence].contains(kind) { return }
        switch kind {
        case .cut:
            let other = random.pick(machines)
            guard other.index != machine.index else { return }
            world.note("cut between \(machine.index) and \(other.index)")
            world.network.block(Network.Direction(from: machine.index, to: other.index))
            if !random.once(in: 3) { world.network.block(Network.Direction(from: other.index, to: machine.index)) }
        case .heal:
            world.note("the network is whole again")
            world.network.heal()
        case .crash:
            world.note("node \(machine.index) loses power")
            machine.crash(&random)
            await restartLater(machine)
        case .crashAtEvent:
            // In the middle of whatever the disk does next.
            world.note("node \(machine.index) will lose power while it writes")
            guard machine.isRunning else { return }
            machine.breakDisk(atEvent: random.below(12))
            guard (try? await world.scheduler.wait(UInt64(random.below(1_500_000)))) != nil else { return }
            world.note("node \(machine.index) loses power")
            machine.crash(&random)
            await restartLater(machine)
        case .restart:
            world.note("node \(machine.index) is stopped and started")
            machine.stop()
            await restartLater(machine)
        case .weather:
            var weather = Network.Weather(delay: 100...UInt64(1_000 + random.below(300_000)))
            if random.once(in: 2) { weather.losesOneIn = 5 + random.below(40) }
            if random.once(in: 2) { weather.doublesOneIn = 3 + random.below(20) }
            if random.once(in: 2) { weather.cutsOneIn = 3 + random.below(20) }
            world.note("weather: \(weather.delay), loses \(weather.losesOneIn), doubles \(weather.doublesOneIn), cuts \(weather.cutsOneIn)")
            world.network.set(weather)
        case .clock:
            // One that is set while the node is off cannot be told from time that has passed.
            guard machine.isRunning else { return }
            if random.once(in: 4) {
                world.note("the wall clock of node \(machine.index) stands still")
                machine.time.freezeWallClock()
            } else {
                let error = Int64(random.below(20_000_000)) * 1000 - 10_000_000_000
                world.note("the wall clock of node \(machine.index) is set to be off by \(error)")
                machine.time.setWallClock(error: error)
            }
        case .fullDisk:
            world.note("the disk of node \(machine.index) is full")
            machine.disk.setCapacity(machine.disk.size + random.below(100_000))
            guard (try? await world.scheduler.wait(UInt64(random.below(3_000_000)))) != nil else { return }
            machine.disk.setCapacity(nil)
        case .copy:
            guard let copy = machine.makeCopy() else { return }
            world.note("node \(machine.index) is copied")
            copies.append((machine, copy))
        case .restore:
            guard !copies.isEmpty else { return }
            let (machine, copy) = copies.remove(at: random.below(copies.count))
            guard machine.isRunning else { return }
            await restore(machine, copy)
        case .absence:
            // Half of the members are there, or nobody could say who is away.
            guard machine.isRunning, machines.count(where: \.isRunning) * 2 > machines.count + 2 else { return }
            world.note("node \(machine.index) is switched off for long")
            machine.stop()
            let span = UInt64(Features.retention * 1_000_000 + random.below(Features.retention * 1_500_000))
            returns.append(Task { [world] in
                guard (try? await world.scheduler.wait(span)) != nil else { return }
                world.note("node \(machine.index) comes back")
                machine.switchOn()
            })
        }
    }

    /// The machine goes on from an old copy of itself.
    private mutating func restore(_ machine: Machine, _ copy: MachineCopy) async {
        let isImage = random.once(in: 3)
        world.note("node \(machine.index) is put back to an old \(isImage ? "image" : "copy")")
        machine.stop()
        do {
            try machine.restore(copy, isImage: isImage)
        } catch {
            return world.fail("node \(machine.index) cannot be put back: \(error)")
        }
        await restartLater(machine)
    }

    /// Sooner or later somebody switches it on again.
    private mutating func restartLater(_ machine: Machine) async {
        let pause = random.once(in: 3) ? 0 : UInt64(random.below(10_000 * world.features.pause))
        _ = try? await world.scheduler.wait(pause)
        machine.switchOn()
    }
}
