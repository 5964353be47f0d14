@testable import Simulation
import Testing

@Suite("Sets of writes")
struct WriteSetTests {
    @Test(arguments: Seed.several(20))
    func `They are what sets of numbers are`(seed: Seed) {
        var random = seed.generator
        var (one, other): (Set<Int>, Set<Int>) = ([], [])
        for _ in 0..<random.below(200) { one.insert(random.below(300)) }
        for _ in 0..<random.below(200) { other.insert(random.below(500)) }
        let (left, right) = (WriteSet(one), WriteSet(other))
        #expect(Array(left) == one.sorted())
        #expect(Array(left.union(right)) == one.union(other).sorted())
        #expect(Array(left.subtracting(right)) == one.subtracting(other).sorted())
        #expect(Array(left.intersection(right)) == one.intersection(other).sorted())
        #expect(Array(left.filter { $0 % 3 == 0 }) == one.filter { $0 % 3 == 0 }.sorted())
        #expect((0..<600).allSatisfy { left.contains($0) == one.contains($0) })
        #expect(left.isEmpty == one.isEmpty)
        #expect(left.subtracting(left).isEmpty)
    }
}
