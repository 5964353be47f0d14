import Causality
import Content
@testable import Merkle
import Replication
import TestSupport
import Testing

/// Nodes that write, delete, exchange whole states, tell what they have, and drop deletions; beside each, the tree that it would
/// have if nothing was ever dropped.
private struct HorizonWorld {
    struct Member {
        var actor: Actor
        var clock = HybridClock()
        var tree = Subtree.empty
        /// The same without any purge.
        var whole = Subtree.empty
        var seen = SeenVector()
        /// What it knows of `/.system/`.
        var told: [NodeID: SeenVector] = [:]
        var lapsed: Set<NodeID> = []
        var horizon = Timestamp.zero
        /// Pulls that are under way: the peer's trees as they were, and the horizon when they were looked up.
        var pulls: [(tree: Subtree, whole: Subtree, seen: SeenVector, clock: Timestamp, horizon: Timestamp)] = []
        /// Its writes since it last exchanged anything.
        var unsynced: [TreePath: Value] = [:]
    }

    var nodes = MemoryNodes()
    var members: [Member]
    var now: UInt64 = 1_700_000_000_000_000
    let paths: [TreePath]

    init(_ count: Int, _ random: inout SplitMix64) {
        members = (0..<count).map { Member(actor: .numbered($0)) }
        paths = (0..<12).map { _ in TreePath.random(&random) }
    }

    /// What tests keep as the retention: short, so that deletions go while others are on their way.
    static let retention: UInt64 = 40

    mutating func write(_ value: Value, at path: TreePath, by index: Int) throws {
        var member = members[index]
        let dot = Dot(timestamp: member.clock.tick(microseconds: now), actor: member.actor)
        func written(_ tree: Subtree, _ nodes: inout MemoryNodes) throws -> Subtree {
            let register = try tree.entry(at: path, in: nodes)?.register?.writing(value, at: dot)
                ?? Register(Version(dot: dot, past: VersionVector(), value: value))
            return try tree.applying([TreeEdit(path, .set(register))], in: &nodes)
        }
        member.tree = try written(member.tree, &nodes)
        member.whole = try written(member.whole, &nodes)
        member.seen.note(member.actor.node, dot.timestamp)
        member.unsynced[path] = value
        members[index] = member
    }

    /// Takes what `/.system/` says, and the peer's roots.
    mutating func beginPull(_ index: Int, from peer: Int) throws {
        members[index].told.merge(members[peer].told) { left, right in
            var result = left
            result.merge(right)
            return result
        }
        members[index].lapsed.formUnion(members[peer].lapsed)
        try follow(max(members[index].horizon, members[peer].horizon), index)
        // A peer that knows of no later horizon has everything up to this one all the same: it has told so.
        let source = members[peer]
        members[index].pulls.append((source.tree, source.whole, source.seen, source.clock.last, members[index].horizon))
    }

    mutating func endPull(_ index: Int, _ random: inout SplitMix64) throws {
        guard !members[index].pulls.isEmpty else { return }
        let pull = members[index].pulls.remove(at: random.below(members[index].pulls.count))
        var member = members[index]
        guard pull.horizon == member.horizon else { return }
        member.tree = try member.tree.joined(with: pull.tree, purgedUpTo: member.horizon, in: &nodes)
        member.whole = try member.whole.joined(with: pull.whole, in: &nodes)
        member.seen.merge(pull.seen)
        member.clock.observe(pull.clock)
        members[index] = member
    }

    mutating func follow(_ horizon: Timestamp, _ index: Int) throws {
        guard horizon > members[index].horizon else { return }
        members[index].horizon = horizon
        members[index].tree = try members[index].tree.purged(upTo: horizon, in: &nodes)
    }

    /// Tells of what it has: of its own writes, up to now.
    mutating func tell(_ index: Int) {
        let promise = Timestamp(microseconds: now)
        members[index].clock.observe(promise)
        members[index].seen.note(members[index].actor.node, promise)
        members[index].told[members[index].actor.node, default: SeenVector()].merge(members[index].seen)
    }

    mutating func moveHorizon(_ index: Int) throws {
        let active = Set(members.map(\.actor.node)).subtracting(members[index].lapsed)
        let all = Acknowledgements(members: active, seen: members[index].told.filter { active.contains($0.key) })
        let limit = Timestamp(microseconds: now - HorizonWorld.retention)
        try follow(min(all.horizon, limit), index)
    }

    mutating func step(_ random: inout SplitMix64, among count: Int) throws {
        now += UInt64(random.below(4))
        let index = random.below(count)
        switch random.below(20) {
        case 0...3: try write(random.once(in: 2) ? .tombstone : .random(&random), at: random.pick(paths), by: index)
        case 4...7: try beginPull(index, from: random.below(count))
        case 8...11: try endPull(index, &random)
        case 12...15: tell(index)
        default: try moveHorizon(index)
        }
    }

    /// Everybody hears of everything.
    mutating func settle(_ random: inout SplitMix64, among count: Int) throws {
        for index in 0..<count { members[index].pulls = [] }
        now += HorizonWorld.retention * 2
        for round in 0..<8 {
            for index in 0..<count {
                if round < 5 {
                    tell(index)
                    try moveHorizon(index)
                }
                for peer in 0..<count where peer != index {
                    try beginPull(index, from: peer)
                    try endPull(index, &random)
                }
            }
        }
    }

    /// What users see at each path: what is current, and the losers that hold something.
    func visible(_ tree: Subtree) throws -> [TreePath: [Value]] {
        var result: [TreePath: [Value]] = [:]
        var walk = try tree.walk(in: nodes)
        while let (path, entry) = try walk.next() {
            let current = entry.current.map { [$0.value] } ?? (entry.isDirectory ? [.directory] : [])
            let losers = entry.losers.map(\.value).filter { !$0.isTombstone }
            if !current.isEmpty || !losers.isEmpty { result[path] = current + losers }
        }
        return result
    }
}

@Suite("The horizon of deletions")
struct HorizonTests {
    @Test("Dropping deletions changes nothing that anybody sees, and all nodes hold the same", arguments: Seed.several(15))
    func convergence(seed: Seed) throws {
        var random = seed.generator
        let count = 2 + random.below(4)
        var world = HorizonWorld(count, &random)
        for step in 0..<400 {
            try world.step(&random, among: count)
            guard step % 40 == 0 else { continue }
            for member in world.members { #expect(try world.visible(member.tree) == world.visible(member.whole)) }
        }
        try world.settle(&random, among: count)
        let first = world.members[0]
        #expect(world.members.allSatisfy { $0.tree.root == first.tree.root && $0.whole.root == first.whole.root })
        #expect(try world.visible(first.tree) == world.visible(first.whole))
        // Only those are left that somebody has to decide about.
        var walk = try first.tree.walk(in: world.nodes)
        while let (_, entry) = try walk.next() {
            guard let register = entry.register, register.versions.contains(where: \.value.isTombstone) else { continue }
            #expect(register.versions.count > 1, "\(register) \(first.horizon)")
        }
        #expect(first.tree.aggregates.tombstones < first.whole.aggregates.tombstones)
    }

    @Test("A node that was away keeps what only it has, and brings nothing back", arguments: Seed.several(12))
    func absence(seed: Seed) throws {
        var random = seed.generator
        let count = 3 + random.below(2)
        var world = HorizonWorld(count, &random)
        for _ in 0..<150 { try world.step(&random, among: count) }
        try world.settle(&random, among: count)
        let away = count - 1
        world.members[away].unsynced = [:]
        let before = world.members[away]
        // It goes on by itself, and so do the others without it.
        for index in 0..<away { world.members[index].lapsed.insert(world.members[away].actor.node) }
        for _ in 0..<200 {
            try world.step(&random, among: away)
            if random.once(in: 20) { try world.write(.random(&random), at: random.pick(world.paths), by: away) }
        }
        try world.settle(&random, among: away)
        let host = world.members[0]
        #expect(host.horizon > before.seen[host.actor.node])

        let absent = world.members[away]
        var clock = absent.clock
        clock.observe(host.clock.last)
        let actor = Actor(node: absent.actor.node, incarnation: 7)
        let now = world.now
        let limit = host.seen[absent.actor.node]
        let (tree, kept) = try host.tree.keeping(
            unsyncedOf: absent.tree, acknowledged: { host.seen.times[$0] }, isHad: { $1.dot.timestamp <= limit }, purgedUpTo: host.horizon,
            in: &world.nodes
        ) { Dot(timestamp: clock.tick(microseconds: now), actor: actor) }
        let there = try world.visible(host.tree)
        let result = try world.visible(tree)
        for (path, value) in absent.unsynced where !value.isTombstone {
            #expect(result[path]?.contains { $0.hasSameContent(as: value) } == true, "\(path)")
        }
        // Whatever is there was there, or is its own and new.
        for (path, values) in result {
            for value in values where value != .directory || absent.unsynced[path] == nil {
                let isKnown = there[path]?.contains { $0.hasSameContent(as: value) } == true || absent.unsynced[path]?.hasSameContent(as: value) == true
                    || value == .directory
                #expect(isKnown, "\(path)")
            }
        }
        #expect(kept <= absent.unsynced.count + world.paths.count)
        // And the others take it from there.
        let joined = try host.tree.joined(with: tree, purgedUpTo: host.horizon, in: &world.nodes)
        #expect(joined.root == tree.root)
    }

    @Test("Of a node that starts over, losers are kept as losers, and what was written over another stays over it", arguments: [false, true])
    func losers(isDeletion: Bool) throws {
        let (host, own) = (Actor.numbered(1), Actor.numbered(2))
        func dot(_ time: UInt64, _ actor: Actor) -> Dot { Dot(timestamp: Timestamp(microseconds: time), actor: actor) }
        func link(_ target: String) -> Value { .symlink(target: target) }
        // Both wrote; then the node wrote over the host's, which won, and its own first write stayed a loser.
        let first = Register(Version(dot: dot(10, own), past: VersionVector(), value: link("first")))
        let theirs = Register(Version(dot: dot(20, host), past: VersionVector(), value: link("theirs")))
        let mine = first.joined(with: theirs).writing(isDeletion ? .tombstone : link("second"), at: dot(30, own))
        #expect(mine.versions.count == 2)
        var nodes = MemoryNodes()
        let path = TreePath.root.appending("f")
        var time: UInt64 = 100
        let tree = try Subtree.empty.applying([TreeEdit(path, .set(theirs))], in: &nodes)
        let absent = try Subtree.empty.applying([TreeEdit(path, .set(mine))], in: &nodes)
        let (result, kept) = try tree.keeping(
            unsyncedOf: absent, acknowledged: { $0 == own.node ? .zero : Timestamp(microseconds: 25) }, isHad: { _, _ in false }, purgedUpTo: Timestamp(microseconds: 5), in: &nodes
        ) {
            time += 1
            return dot(time, Actor(node: own.node, incarnation: 7))
        }
        let register = try #require(try result.entry(at: path, in: nodes)?.register)
        #expect(kept == 2)
        #expect(register.winner.value == mine.winner.value)
        #expect(register.losers.map(\.value) == mine.losers.map(\.value))
    }

    @Test("A deletion that others have dropped is shed where a later write stands beside it, and kept where it stands alone or is one side of a conflict")
    func shedding() throws {
        func dot(_ time: UInt64, _ node: Int) -> Dot { Dot(timestamp: Timestamp(microseconds: time), actor: .numbered(node)) }
        func link(_ target: String) -> Value { .symlink(target: target) }
        let file = Register(Version(dot: dot(10, 1), past: VersionVector(), value: link("file")))
        let deleted = file.writing(.tombstone, at: dot(20, 1))
        let anew = Register(Version(dot: dot(50, 2), past: VersionVector(), value: link("anew")))
        let edited = file.writing(link("edited"), at: dot(50, 2))
        let horizon = Timestamp(microseconds: 30)
        #expect(deleted.joined(with: anew).versions.count == 2)
        #expect(deleted.joined(with: anew).shedding(upTo: horizon) == anew)
        #expect(deleted.joined(with: anew).shedding(upTo: .zero) == deleted.joined(with: anew))
        #expect(deleted.shedding(upTo: horizon) == deleted)
        #expect(deleted.joined(with: edited).shedding(upTo: horizon) == deleted.joined(with: edited))
        // Trees as well, the one that stands alone in them included.
        var nodes = MemoryNodes()
        let (one, other) = (TreePath.root.appending("one"), TreePath.root.appending("other"))
        let mine = try Subtree.empty.applying([TreeEdit(one, .set(deleted)), TreeEdit(other, .set(deleted))], in: &nodes)
        let theirs = try Subtree.empty.applying([TreeEdit(one, .set(anew))], in: &nodes)
        let joined = try mine.joined(with: theirs, shedding: horizon, in: &nodes)
        #expect(try joined.entry(at: one, in: nodes)?.register == anew)
        #expect(try joined.entry(at: other, in: nodes)?.register == deleted)
    }

    @Test("What another had and let go of long ago goes here, too, and nothing that it never had, or that is later")
    func following() {
        func dot(_ time: UInt64, _ node: Int) -> Dot { Dot(timestamp: Timestamp(microseconds: time), actor: .numbered(node)) }
        func register(_ time: UInt64, _ node: Int) -> Register {
            Register(Version(dot: dot(time, node), past: VersionVector(), value: .symlink(target: "\(time)")))
        }
        let (old, unsent, late, told) = (register(10, 1), register(15, 2), register(40, 4), register(50, 3))
        let had = old.joined(with: late).context
        let horizon = Timestamp(microseconds: 30)
        #expect(old.joined(with: told).following(told, had: had, upTo: horizon) == told)
        let all = old.joined(with: unsent).joined(with: late).joined(with: told)
        let left = all.following(told, had: had, upTo: horizon)
        #expect(left?.versions.map(\.dot) == [dot(15, 2), dot(40, 4), dot(50, 3)])
        #expect(left?.context == all.context)
        #expect(left?.following(told, had: had, upTo: horizon) == nil)
        // One that shows nothing of what it tells takes nothing away.
        #expect(old.following(told, had: had, upTo: horizon) == nil)
    }

    @Test("What is named anew on an old copy stands as it stood: a deletion over a loser is still over it")
    func renaming() {
        let (own, other) = (Actor.numbered(1), Actor.numbered(2))
        func dot(_ time: UInt64, _ actor: Actor) -> Dot { Dot(timestamp: Timestamp(microseconds: time), actor: actor) }
        let first = Register(Version(dot: dot(10, own), past: VersionVector(), value: .symlink(target: "first")))
        let theirs = Register(Version(dot: dot(20, other), past: VersionVector(), value: .symlink(target: "theirs")))
        let mine = first.joined(with: theirs).writing(.tombstone, at: dot(30, own))
        #expect(mine.winner.value.isTombstone)
        var time: UInt64 = 100
        let renamed = mine.renamed(own, since: Timestamp(microseconds: 5), over: VersionVector()) {
            time += 1
            return dot(time, Actor(node: own.node, incarnation: 7))
        }
        #expect(renamed.winner.value == mine.winner.value)
        #expect(renamed.losers.map(\.value) == mine.losers.map(\.value))
        #expect(!renamed.context.covers(dot(30, own)))
    }

    @Test("A loser that all have stays one where somebody starts over, or gives back what was lost, with a write over the winner")
    func losersOfOthers() throws {
        let (host, third, own) = (Actor.numbered(1), Actor.numbered(3), Actor.numbered(2))
        func dot(_ time: UInt64, _ actor: Actor) -> Dot { Dot(timestamp: Timestamp(microseconds: time), actor: actor) }
        func link(_ target: String) -> Value { .symlink(target: target) }
        let loser = Register(Version(dot: dot(10, host), past: VersionVector(), value: link("loser")))
        let winner = Register(Version(dot: dot(20, third), past: VersionVector(), value: link("winner")))
        let theirs = loser.joined(with: winner)
        let mine = theirs.writing(link("written while away"), at: dot(30, own))
        #expect(mine.losers.map(\.value) == [link("loser")])
        var time: UInt64 = 100
        func next() -> Dot {
            time += 1
            return dot(time, Actor(node: own.node, incarnation: 7))
        }

        var nodes = MemoryNodes()
        let path = TreePath.root.appending("f")
        let tree = try Subtree.empty.applying([TreeEdit(path, .set(theirs))], in: &nodes)
        let absent = try Subtree.empty.applying([TreeEdit(path, .set(mine))], in: &nodes)
        let (result, kept) = try tree.keeping(
            unsyncedOf: absent, acknowledged: { _ in Timestamp(microseconds: 25) }, isHad: { _, _ in false }, purgedUpTo: Timestamp(microseconds: 5), in: &nodes,
            nextDot: next)
        let register = try #require(try result.entry(at: path, in: nodes)?.register)
        #expect(kept == 1)
        #expect(register.winner.value == mine.winner.value)
        #expect(register.losers.map(\.value) == mine.losers.map(\.value))

        // The server forgets the winner of before; what was written over it comes back, and the loser is still there.
        let regained = try #require(mine.regained(
            over: loser, had: theirs.context, own: own.node, after: .zero, where: { _ in true }, nextDot: next)?.register)
        #expect(regained.winner.value == mine.winner.value)
        #expect(regained.losers.map(\.value) == mine.losers.map(\.value))
    }

    @Test("What another node has stays where a node starts over that had lost it to a write which it does not bring along")
    func whatIsNotReplaced() throws {
        let (host, third, fourth, own) = (Actor.numbered(1), Actor.numbered(3), Actor.numbered(4), Actor.numbered(2))
        func dot(_ time: UInt64, _ actor: Actor) -> Dot { Dot(timestamp: Timestamp(microseconds: time), actor: actor) }
        func link(_ target: String) -> Value { .symlink(target: target) }
        let loser = Register(Version(dot: dot(10, host), past: VersionVector(), value: link("loser")))
        let winner = Register(Version(dot: dot(15, third), past: VersionVector(), value: link("winner")))
        let theirs = loser.joined(with: winner).writing(link("over the winner"), at: dot(20, third))
        #expect(theirs.versions.count == 2)
        // Another wrote over the loser, and the node beside all that.
        let mine = loser.writing(link("over the loser"), at: dot(25, fourth)).joined(with: theirs)
            .joined(with: Register(Version(dot: dot(30, own), past: VersionVector(), value: link("own"))))
        #expect(mine.versions.count == 3)
        var nodes = MemoryNodes()
        let path = TreePath.root.appending("f")
        let tree = try Subtree.empty.applying([TreeEdit(path, .set(theirs))], in: &nodes)
        let absent = try Subtree.empty.applying([TreeEdit(path, .set(mine))], in: &nodes)
        let (result, kept) = try tree.keeping(
            unsyncedOf: absent, acknowledged: { _ in Timestamp(microseconds: 28) }, isHad: { _, _ in false }, purgedUpTo: Timestamp(microseconds: 5), in: &nodes
        ) { dot(101, Actor(node: own.node, incarnation: 7)) }
        let register = try #require(try result.entry(at: path, in: nodes)?.register)
        #expect(kept == 1)
        #expect(Set(register.versions.map(\.value)) == [link("loser"), link("over the winner"), link("own")])
    }

    @Test("A deletion over what all have is still over it where a node starts over, though nobody has told that they have it")
    func deletionsOverWhatIsThere() throws {
        let (other, own) = (Actor.numbered(1), Actor.numbered(2))
        func dot(_ time: UInt64, _ actor: Actor) -> Dot { Dot(timestamp: Timestamp(microseconds: time), actor: actor) }
        let theirs = Register(Version(dot: dot(20, other), past: VersionVector(), value: .symlink(target: "a")))
        let mine = theirs.writing(.tombstone, at: dot(30, own))
        // Of the other node's writes they are known to have those up to 10; this one came by a part of its state.
        let register = try #require(try started(over: theirs, from: mine, acknowledged: [other.node: 10, own.node: 0], own))
        #expect(register.winner.value.isTombstone)
        #expect(register.versions.count == 1)
    }

    @Test("What stands beside a write that a node brings along comes with it, where nobody has heard of its author")
    func losersOfStrangers() throws {
        let (desk, own) = (Actor.numbered(1), Actor.numbered(2))
        func dot(_ time: UInt64, _ actor: Actor) -> Dot { Dot(timestamp: Timestamp(microseconds: time), actor: actor) }
        // Made before the node was cut off, and given to it after that.
        let loser = Register(Version(dot: dot(10, desk), past: VersionVector(), value: .symlink(target: "a desk's")))
        let mine = loser.joined(with: Register(Version(dot: dot(12, own), past: VersionVector(), value: .symlink(target: "own"))))
            .writing(.symlink(target: "over it"), at: dot(30, own))
        let register = try #require(try started(over: nil, from: mine, acknowledged: [own.node: 15], own))
        #expect(Set(register.versions.map(\.value)) == [.symlink(target: "a desk's"), .symlink(target: "over it")])
        #expect(register.winner.value == .symlink(target: "over it"))
    }

    /// What is at a path after a node has started over.
    private func started(over theirs: Register?, from mine: Register, acknowledged: [NodeID: UInt64], _ own: Actor) throws -> Register? {
        var nodes = MemoryNodes()
        let path = TreePath.root.appending("f")
        var time: UInt64 = 100
        let tree = try Subtree.empty.applying(theirs.map { [TreeEdit(path, .set($0))] } ?? [], in: &nodes)
        let absent = try Subtree.empty.applying([TreeEdit(path, .set(mine))], in: &nodes)
        let (result, _) = try tree.keeping(
            unsyncedOf: absent, acknowledged: { node in acknowledged[node].map { Timestamp(microseconds: $0) } },
            isHad: { $1.dot.timestamp.microseconds <= acknowledged[own.node] ?? 0 ? nil : false }, purgedUpTo: Timestamp(microseconds: 5), in: &nodes
        ) {
            time += 1
            return Dot(timestamp: Timestamp(microseconds: time), actor: Actor(node: own.node, incarnation: 7))
        }
        return try result.entry(at: path, in: nodes)?.register
    }

    @Test("Nodes that pass over a horizon end where those do that did not", arguments: Seed.several(20))
    func steps(seed: Seed) throws {
        var random = seed.generator
        var time: UInt64 = 10
        // Each has what it has seen of one path, if anything.
        var nodes = [Register?](repeating: nil, count: 3)
        for _ in 0..<60 {
            let index = random.below(3)
            if random.once(in: 2) {
                // Two may write at the same time.
                time += UInt64(random.below(3))
                let dot = Dot(timestamp: Timestamp(microseconds: time), actor: .numbered(index))
                guard nodes[index]?.context.covers(dot) != true else { continue }
                let value = random.once(in: 2) ? Value.tombstone : .random(&random)
                nodes[index] = nodes[index]?.writing(value, at: dot) ?? Register(Version(dot: dot, past: VersionVector(), value: value))
            } else if let other = nodes[random.below(3)] {
                nodes[index] = nodes[index]?.joined(with: other) ?? other
            }
            // One that dropped all it had starts from nothing.
            if random.once(in: 6) { nodes[index] = nodes[index]?.purged(upTo: Timestamp(microseconds: time - UInt64(random.below(4)))) }
            guard let register = nodes[index] else { continue }
            for first in stride(from: time - 9, through: time, by: 1) {
                for second in first...time {
                    let one = register.purged(upTo: Timestamp(microseconds: second))
                    let several = register.purged(upTo: Timestamp(microseconds: first))?.purged(upTo: Timestamp(microseconds: second))
                    #expect(one == several, "\(register) by \(first) to \(second)")
                }
            }
        }
    }

    @Test("A file that was made where a deletion is dropped already stands alone, whoever hears of it before dropping the deletion")
    func filesAtDroppedPaths() {
        let (one, other) = (Actor.numbered(1), Actor.numbered(2))
        func dot(_ time: UInt64, _ actor: Actor) -> Dot { Dot(timestamp: Timestamp(microseconds: time), actor: actor) }
        let deleted = Register(Version(dot: dot(10, one), past: VersionVector(), value: .symlink(target: "old"))).writing(.tombstone, at: dot(20, one))
        #expect(deleted.purged(upTo: Timestamp(microseconds: 30)) == nil)
        let new = Register(Version(dot: dot(40, other), past: VersionVector(), value: .symlink(target: "new")))
        // The horizon has passed the new file, too, when this one looks at it.
        #expect(deleted.joined(with: new).purged(upTo: Timestamp(microseconds: 50)) == new)
    }

    @Test("Nobody is declared silent by a minority, nor because one in the middle hears of both sides")
    func minority() {
        let nodes = (0..<5).map { Actor.numbered($0).node }
        func time(_ value: UInt64) -> Timestamp { Timestamp(microseconds: value) }
        func vector(_ heard: [UInt64]) -> SeenVector { SeenVector(Dictionary(uniqueKeysWithValues: zip(nodes, heard.map(time)))) }
        let mine = vector([300, 300, 300, 50, 150])
        /// - Parameter told: by the nodes in order: when, what they had heard of the last two, and whom they miss.
        func silent(_ told: (at: UInt64, heard: [UInt64], missed: [Int])...) -> [Int] {
            var (seen, missed): ([NodeID: SeenVector], [NodeID: Set<NodeID>]) = ([:], [:])
            for (index, told) in told.enumerated() {
                var heard: [UInt64] = [50, 50, 50] + told.heard
                heard[index] = told.at
                seen[nodes[index]] = vector(heard)
                missed[nodes[index]] = Set(told.missed.map { nodes[$0] })
            }
            let found = Acknowledgements(members: Set(nodes), seen: seen, missed: missed).silent(mine, since: time(100), lately: time(200))
            return nodes.indices.filter { found.contains(nodes[$0]) }
        }
        #expect(silent((300, [50, 50], [3]), (300, [50, 50], [3, 4]), (300, [50, 50], [3, 4])) == [3])
        // Two of five are no majority. One that hears of both sides misses neither, and one that hears of none misses all.
        #expect(silent((300, [50, 50], [3]), (300, [50, 50], [3])).isEmpty)
        #expect(silent((300, [50, 50], [3]), (300, [50, 50], [3]), (300, [50, 50], [])).isEmpty)
        #expect(silent((300, [50, 50], [3]), (300, [50, 50], [3]), (300, [50, 50], [0, 1, 3])).isEmpty)
        // One has heard of it, and so nobody can say that it is silent.
        #expect(silent((300, [50, 50], [3]), (300, [50, 50], [3]), (300, [50, 50], [3]), (300, [150, 50], [])).isEmpty)
        // What one told is too old.
        #expect(silent((300, [50, 50], [3]), (300, [50, 50], [3]), (150, [50, 50], [3])).isEmpty)
    }

    @Test("A node that counts for nothing any more holds the horizon back only until all have the same of it")
    func formerMembers() {
        let (a, b, gone) = (Actor.numbered(1).node, Actor.numbered(2).node, Actor.numbered(3).node)
        func time(_ value: UInt64) -> Timestamp { Timestamp(microseconds: value) }
        func horizon(_ ofA: UInt64, _ ofB: UInt64) -> Timestamp {
            Acknowledgements(members: [a, b], seen: [
                a: SeenVector([a: time(900), b: time(800), gone: time(ofA)]),
                b: SeenVector([a: time(850), b: time(950), gone: time(ofB)]),
            ]).horizon
        }
        #expect(horizon(70, 70) == time(800))
        #expect(horizon(70, 60) == time(60))
        #expect(horizon(0, 60) == time(0))
        #expect(Acknowledgements(members: [a, b], seen: [a: SeenVector([a: time(1), b: time(1)])]).horizon == .zero)
        #expect(Acknowledgements(members: [], seen: [:]).horizon == .zero)
    }
}
