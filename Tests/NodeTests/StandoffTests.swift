@testable import Causality
import Content
import FileDatabase
@testable import Node
import Synchronization
import TestSupport
import Testing

@Suite("Nodes that do not come together")
struct StandoffTests {
    @Test("Two roots that differ for a minute are compared once, unless that fails or one of them changes")
    func walks() {
        let link = PeerLink(LocalState.Peer(address: "http://peer:6830"))
        let (own, peer, other) = (ContentHash(of: .tree, [1]), ContentHash(of: .tree, [2]), ContentHash(of: .tree, [3]))
        func isDue(_ own: ContentHash, _ seconds: UInt64) -> Bool {
            link.state.withLock { $0.isWalkDue(.files, own: own, root: peer, now: seconds * 1_000_000) }
        }
        #expect(!isDue(own, 10))
        #expect(!isDue(own, 69))
        #expect(isDue(own, 70))
        // It broke off.
        #expect(isDue(own, 100))
        link.state.withLock { $0.noteWalked(.files) }
        #expect(!isDue(own, 1000))
        #expect(!isDue(other, 1001))
        #expect(!isDue(other, 1060))
        #expect(isDue(other, 1061))
    }

    @Test("A newcomer between two times goes ahead at once, and back only when the one that it followed had its time to agree")
    func clocks() throws {
        let directory = try TemporaryDirectory()
        let time = ManualTime()
        let clock = NodeClock(system: time, directory: directory.path)
        let (one, two) = (Actor.numbered(1).node, Actor.numbered(2).node)
        let estimate = ClockEstimate(offset: 1_000_000, delay: 10, error: 5, spread: 5, count: 8)
        #expect(clock.mayGoBack(to: one))
        clock.follow(estimate, of: one, peerIsSettled: false)
        #expect(clock.mayGoBack(to: two))
        clock.follow(estimate, of: one, peerIsSettled: true)
        #expect(clock.mayGoBack(to: one))
        #expect(!clock.mayGoBack(to: two))
        time.advance(by: 14_000_000)
        // Following it further does not put the other off any longer.
        clock.follow(estimate, of: one, peerIsSettled: true)
        #expect(!clock.mayGoBack(to: two))
        time.advance(by: 1_000_000)
        #expect(clock.mayGoBack(to: two))
        clock.follow(estimate, of: two, peerIsSettled: true)
        #expect(!clock.mayGoBack(to: one))
    }
}
