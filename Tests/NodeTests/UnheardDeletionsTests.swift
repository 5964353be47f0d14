import Causality
import Content
@testable import Node
import Replication
import Testing

@Suite("Deletions that those may lack who moved the horizon")
struct UnheardDeletionsTests {
    private let nodes = (1...5).map { NodeID(publicKey: [UInt8($0)]) }

    private func time(_ value: UInt64) -> Timestamp { Timestamp(microseconds: value) }

    private func deletion(by node: Int, at time: UInt64) -> Version {
        Version(dot: Dot(timestamp: self.time(time), actor: Actor(node: nodes[node])), past: VersionVector(), value: .tombstone)
    }

    /// The horizon, 20, has waited for nodes 0 to 2, not for node 3, which was cut off. Node 4 is a member of a part.
    private func unheard(seen: [UInt64], told: [[UInt64]], isAnybodyAway: Bool = true) -> UnheardDeletions? {
        func vector(_ times: [UInt64]) -> SeenVector {
            SeenVector(Dictionary(uniqueKeysWithValues: times.enumerated().map { (nodes[$0.offset], time($0.element)) }))
        }
        var documents = HorizonDocuments(root: ContentHash(of: .tree, [0]), horizon: time(20))
        for index in 0...2 {
            documents.listed[nodes[index]] = 1
            documents.seen[nodes[index]] = ClusterDocument.Seen(incarnation: 1, vector(told[index]), missed: [])
        }
        return UnheardDeletions(of: nodes[0], fullMembers: Set(nodes[0...3]), unawaited: isAnybodyAway ? [nodes[3]] : [],
                                    seen: vector(seen), documents)
    }

    @Test("One by a member that was cut off, where any of the others lacks it, though another has told that it has it")
    func byOneThatWasAway() throws {
        let lacking = try #require(unheard(seen: [30, 25, 25, 15], told: [[26, 25, 25, 15], [25, 26, 25, 15], [24, 25, 26, 9]]))
        #expect(lacking.since == time(24))
        #expect(lacking.mayContain(deletion(by: 3, at: 10)))
        #expect(!lacking.mayContain(deletion(by: 3, at: 9)))
        #expect(!lacking.mayContain(deletion(by: 1, at: 20)))
        let known = try #require(unheard(seen: [30, 25, 25, 15], told: [[26, 25, 25, 15], [25, 26, 25, 15], [24, 25, 26, 15]]))
        #expect(!known.mayContain(deletion(by: 3, at: 10)))
    }

    @Test("One by a member of a part only where anything has come by one that was cut off")
    func byAMemberOfAPart() throws {
        let told: [[UInt64]] = [[26, 25, 25, 9], [25, 26, 25, 9], [24, 25, 26, 9]]
        #expect(try #require(unheard(seen: [30, 25, 25, 15], told: told)).mayContain(deletion(by: 4, at: 10)))
        #expect(try !#require(unheard(seen: [30, 25, 25, 9], told: told)).mayContain(deletion(by: 4, at: 10)))
    }

    @Test("None where the horizon has waited for all")
    func nobodyAway() {
        #expect(unheard(seen: [30, 25, 25, 15], told: [[26, 25, 25, 9], [25, 26, 25, 9], [24, 25, 26, 9]], isAnybodyAway: false) == nil)
    }
}
