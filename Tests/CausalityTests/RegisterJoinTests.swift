import Causality
import Content
import TestSupport
import Testing

@Suite("The join of registers")
struct RegisterJoinTests {
    @Test("It is associative, commutative and idempotent", arguments: Seed.several(30))
    func laws(seed: Seed) {
        var random = seed.generator
        let states = ReplicaGroup.states(steps: 60, &random)
        for _ in 0..<150 {
            let (a, b, c) = (random.pick(states).register, random.pick(states).register, random.pick(states).register)
            #expect(a.joined(with: a) == a)
            #expect(a.joined(with: b) == b.joined(with: a))
            #expect(a.joined(with: b).joined(with: c) == a.joined(with: b.joined(with: c)))
            // What has been taken in once changes nothing when it comes again.
            #expect(a.joined(with: b).joined(with: b) == a.joined(with: b))
        }
    }

    @Test("No version is lost and none comes back", arguments: Seed.several(40))
    func agreesWithModel(seed: Seed) throws {
        var random = seed.generator
        var group = ReplicaGroup(2 + random.below(4), &random)
        for _ in 0..<80 {
            group.step(&random)
            guard let state = group.history.last else { continue }
            let register = state.register
            #expect(register.versions.map(\.dot) == group.survivors(of: state.seen).sorted())
            #expect(register.versions.allSatisfy { $0.value == group.value(of: $0.dot) })
            #expect(register.versions.allSatisfy { $0.past == group.past(of: $0.dot).map { VersionVector($0) } })
            #expect(register.context == VersionVector(state.seen))
            #expect(register.winner.dot == group.winner(of: state.seen))
            #expect(register.losers.map(\.dot) == group.losers(of: state.seen).sorted())
            #expect(register.isConflicted == !group.losers(of: state.seen).isEmpty)
            #expect(register.latest == state.seen.map(\.timestamp).max())
        }
        // Something must have happened, or nothing was tested.
        #expect(group.history.contains { $0.register.versions.count > 1 })
    }

    @Test("Replicas that have heard of everything hold the same register", arguments: Seed.several(20))
    func convergence(seed: Seed) {
        var random = seed.generator
        let states = ReplicaGroup.states(steps: 50, &random)
        let registers = states.map(\.register)
        let expected = registers.dropFirst().reduce(registers[0]) { $0.joined(with: $1) }
        for _ in 0..<5 {
            let shuffled = registers.shuffled(using: &random)
            let result = shuffled.dropFirst().reduce(shuffled[0]) { $0.joined(with: $1) }
            #expect(result == expected)
            #expect(result.encoded == expected.encoded)
            #expect(result.winner == expected.winner)
        }
    }

    @Test("An edit that saw the earlier version never conflicts with it", arguments: Seed.several(40))
    func noFalseConflict(seed: Seed) throws {
        var random = seed.generator
        var group = ReplicaGroup(6, &random)
        var writer = 0
        for round in 0..<20 {
            group.write(random.once(in: 4) ? .tombstone : .file("edit \(round)"), at: writer)
            // The edit travels to the next writer over nodes in between, which know less, or some other part.
            var state = try #require(group.replicas[writer].state)
            for _ in 0..<random.below(4) {
                let between = random.below(6)
                group.deliver(state, to: between)
                state = try #require(group.replicas[between].state)
            }
            writer = random.below(6)
            group.deliver(state, to: writer)
        }
        // And all that ever was known arrives everywhere, late and in any order.
        let last = try #require(group.replicas[writer].state)
        for index in 0..<6 {
            for state in group.history.shuffled(using: &random) { group.deliver(state, to: index) }
            let register = try #require(group.replicas[index].state).register
            #expect(register.versions.count == 1)
            #expect(!register.isConflicted)
            #expect(register == last.register)
        }
        #expect(!group.history.contains { $0.register.isConflicted })
    }

    @Test("A write is later than every write it saw", arguments: Seed.several(10))
    func writesAreLater(seed: Seed) {
        var random = seed.generator
        for state in ReplicaGroup.states(steps: 60, &random) {
            for version in state.register.versions {
                #expect(version.past.elements.allSatisfy { $0.timestamp < version.dot.timestamp })
            }
        }
    }
}
