import Causality
import TestSupport
import Testing

@Suite("Version vector")
struct VersionVectorTests {
    @Test("It is a map from actors to their highest timestamps", arguments: Seed.several(20))
    func agreesWithDictionary(seed: Seed) {
        var random = seed.generator
        func make() -> (VersionVector, [Actor: Timestamp]) {
            var vector = VersionVector()
            var model: [Actor: Timestamp] = [:]
            for _ in 0..<random.below(20) {
                let dot = Dot(timestamp: Timestamp(rawValue: UInt64(1 + random.below(9))), actor: .numbered(random.below(8)))
                vector.insert(dot)
                model[dot.actor] = max(model[dot.actor] ?? .zero, dot.timestamp)
            }
            return (vector, model)
        }
        for _ in 0..<30 {
            let ((left, leftModel), (right, rightModel)) = (make(), make())
            for (vector, model) in [(left, leftModel), (left.merged(with: right), leftModel.merging(rightModel) { max($0, $1) })] {
                #expect(vector.elements.map(\.actor) == model.keys.sorted())
                #expect(vector.elements.allSatisfy { model[$0.actor] == $0.timestamp })
                #expect(vector.isEmpty == model.isEmpty)
            }
            #expect(left.covers(right) == rightModel.allSatisfy { (leftModel[$0.key] ?? .zero) >= $0.value })
            #expect(left.merged(with: right) == right.merged(with: left))
            for actor in 0..<8 {
                for time in 1..<10 as Range<UInt64> {
                    let dot = Dot(timestamp: Timestamp(rawValue: time), actor: .numbered(actor))
                    #expect(left.covers(dot) == ((leftModel[dot.actor] ?? .zero) >= dot.timestamp))
                }
            }
        }
    }
}
