import Platform

/// What goes wrong while people work.
struct Faults {
    let world: World
    let machines: [Machine]
    var random: SplitMix64
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
        if world.features.hasCrashes { kinds += [.crash, .crashAtEvent, .crashAtEvent, .restart] }
        if world.features.hasBadWeather { kinds += [.weather] }
        if world.features.hasWrongClocks { kinds += [.clock] }
        if world.features.hasFullDisks { kinds += [.fullDisk] }
        if world.features.dropsDeletions { kinds += [.absence] }
        defer { for task in returns { task.cancel() } }
        await withTaskGroup(of: Void.self) { group in
            if world.features.hasOldCopies {
                // Where nothing shows that an image is one, a third node that has forgotten, too, what it lacks could not tell either.
                let isImage = random.once(in: 2)
                for _ in 0...(isImage ? 0 : random.below(3)) {
                    let machine = random.pick(machines)
                    let seed = random.next()
                    group.addTask { [world, machines] in
                        var backup = Backup(
                            world: world, machine: machine, others: machines, isImage: isImage, random: SplitMix64(seed: seed))
                        await backup.run()
                    }
                }
            }
            while !Task.isCancelled, world.failure == nil, !kinds.isEmpty {
                let pause = world.features.pause * 1000
                guard (try? await world.scheduler.wait(UInt64(pause / 2 + random.below(4 * pause)))) != nil else { return }
                await happen(random.pick(kinds))
            }
        }
    }

    private enum Kind {
        case cut, heal, crash, crashAtEvent, restart, weather, clock, fullDisk, absence
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
            await machine.restartLater(&random)
        case .crashAtEvent:
            // In the middle of whatever the disk does next.
            world.note("node \(machine.index) will lose power while it writes")
            guard machine.isRunning else { return }
            machine.breakDisk(atEvent: random.below(12))
            guard (try? await world.scheduler.wait(UInt64(random.below(4_000 * world.features.pause)))) != nil else { return }
            world.note("node \(machine.index) loses power")
            machine.crash(&random)
            await machine.restartLater(&random)
        case .restart:
            world.note("node \(machine.index) is stopped and started")
            machine.stop()
            await machine.restartLater(&random)
        case .weather:
            if random.once(in: 3) {
                world.note("the weather clears up")
                return world.network.clearUp()
            }
            var weather = Network.Weather(delay: 100...UInt64(1_000 + random.below(1_000 << random.below(9))))
            if random.once(in: 3) { weather.lag = UInt64(1_000 << random.below(7)) }
            if random.once(in: 2) { weather.losesOneIn = 5 + random.below(40) }
            if random.once(in: 2) { weather.doublesOneIn = 3 + random.below(20) }
            if random.once(in: 2) { weather.cutsOneIn = 3 + random.below(20) }
            world.note("weather: \(weather.delay) and \(weather.lag), loses \(weather.losesOneIn), doubles \(weather.doublesOneIn), cuts \(weather.cutsOneIn)")
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
}

/// A site whose line is down for longer than deletions are kept. People in it go on together.
struct Outage {
    let world: World
    let machines: [Machine]
    var random: SplitMix64

    mutating func run() async {
        guard (try? await world.scheduler.wait(UInt64(random.below(8_000 * world.features.pause)))) != nil else { return }
        // Two neighbours, without which the others still reach each other.
        let first = random.once(in: 2) ? 0 : machines.count - 2
        let site = [first, first + 1]
        world.note("nodes \(first) and \(first + 1) are cut off for long")
        world.network.cutForLong(site, from: machines.indices.filter { !site.contains($0) })
        _ = try? await world.scheduler.wait(UInt64(Features.retention * 1_000_000 + random.below(Features.retention * 2_000_000)))
        world.note("nodes \(first) and \(first + 1) are back")
        world.network.endLongCut()
    }
}

/// Somebody who copies a machine, and later puts it back.
private struct Backup {
    let world: World
    let machine: Machine
    let others: [Machine]
    let isImage: Bool
    var random: SplitMix64

    mutating func run() async {
        let pause = world.features.pause * 1000
        guard await wait(4 * pause), let copy = machine.makeCopy() else { return }
        world.note("node \(machine.index) is copied")
        // Until then it writes what it will have forgotten.
        guard await wait(10 * pause), machine.isRunning else { return }
        machine.stop()
        if isImage {
            for _ in 0..<40 where !world.withModel({ $0.isKnownToAll(machine.index) }) { guard await wait(pause) else { return } }
            guard world.withModel({ $0.isKnownToAll(machine.index) }), !machine.isRunning else { return await machine.restartLater(&random) }
        }
        // What the node had not written down yet of a clock that was set, a copy does not have either, and alone it cannot find out.
        let isClockSet = machine.time.isSet
        while isClockSet, world.network.isCutForLong(machine.index) { guard await wait(20 * pause) else { return } }
        world.note("node \(machine.index) is put back to an old \(isImage ? "image" : "copy")")
        do {
            try machine.restore(copy, isImage: isImage)
        } catch {
            return world.fail("node \(machine.index) cannot be put back: \(error)")
        }
        // Where members can be away for too long, too few would be left to say who is.
        guard !world.features.dropsDeletions, random.once(in: 2), !isClockSet else { return await machine.restartLater(&random) }
        // People go on where they were before anybody can tell the node what it has forgotten.
        let others = others.map(\.index).filter { $0 != machine.index }
        world.note("node \(machine.index) is alone")
        world.network.setCut(true, between: machine.index, and: others)
        await machine.restartLater(&random)
        var user = User(world: world, machine: machine, random: SplitMix64(seed: random.next()), operationsLeft: 0)
        await user.writeEverywhere()
        _ = await wait(2 * pause)
        world.network.setCut(false, between: machine.index, and: others)
    }

    /// - Parameter span: microseconds, at most.
    /// - Returns: false if it is over.
    private mutating func wait(_ span: Int) async -> Bool {
        (try? await world.scheduler.wait(UInt64(random.below(span)))) != nil
    }
}

extension Machine {
    /// Sooner or later somebody switches it on again.
    fileprivate func restartLater(_ random: inout SplitMix64) async {
        let pause = random.once(in: 3) ? 0 : UInt64(random.below(10_000 * world.features.pause))
        _ = try? await world.scheduler.wait(pause)
        switchOn()
    }
}
