import Causality
import Content
@testable import Simulation
import Testing

/// That the model can find fault: each of its words is provoked once.
@Suite("The model that simulations are held against")
struct ModelTests {
    private let nodes = [NodeID(publicKey: [1]), NodeID(publicKey: [2])]

    private func model() -> Model {
        var model = Model(nodeCount: 2)
        for (index, node) in nodes.enumerated() { model.name(index, node) }
        return model
    }

    private func dot(_ time: UInt64, by node: Int) -> Dot {
        Dot(timestamp: Timestamp(microseconds: time), actor: Actor(node: nodes[node]))
    }

    private func shown(_ dot: Dot, _ text: String, sees: Bool = false) -> Model.Shown {
        Model.Shown(dot: dot, content: .file(text), hasSeen: { _ in sees })
    }

    /// Node 0 writes, node 1 writes apart from it, and each hears of the other.
    private func conflicted(_ model: inout Model) -> (Dot, Dot) {
        let (first, second) = (dot(1, by: 0), dot(2, by: 1))
        #expect(model.observe([shown(first, "a")], winner: first, at: "/f", on: 0) == nil)
        #expect(model.observe([shown(second, "b")], winner: second, at: "/f", on: 1) == nil)
        for node in 0...1 {
            #expect(model.observe([shown(first, "a"), shown(second, "b")], winner: second, at: "/f", on: node) == nil)
        }
        return (first, second)
    }

    @Test func `What was written apart is a conflict, with the later one current`() {
        var model = model()
        let (first, _) = conflicted(&model)
        #expect(model.visible(on: 0)["/f"]?.content == .file("b"))
        #expect(model.visible(on: 0)["/f"]?.losers == [first])
        #expect(model.checkComplete(0) == nil)
    }

    @Test func `A lost loser is found`() {
        var model = model()
        let (_, second) = conflicted(&model)
        #expect(model.observe([shown(second, "b")], winner: second, at: "/f", on: 0)?.contains("is gone") == true)
    }

    @Test func `A wrong winner is found`() {
        var model = model()
        let (first, second) = conflicted(&model)
        #expect(model.observe([shown(first, "a"), shown(second, "b")], winner: first, at: "/f", on: 0)?.contains("is current") == true)
    }

    @Test func `What comes back is found`() {
        var model = model()
        let (first, second) = (dot(1, by: 0), dot(2, by: 0))
        #expect(model.observe([shown(first, "a")], winner: first, at: "/f", on: 0) == nil)
        #expect(model.observe([shown(second, "b")], winner: second, at: "/f", on: 0) == nil)
        #expect(model.observe([shown(first, "a"), shown(second, "b")], winner: second, at: "/f", on: 0)?.contains("is back") == true)
    }

    @Test func `A version in another's name is found, and one whose content changes`() {
        var model = model()
        #expect(model.observe([shown(dot(1, by: 1), "a")], winner: dot(1, by: 1), at: "/f", on: 0)?.contains("by nobody") == true)
        #expect(model.observe([shown(dot(1, by: 0), "a")], winner: dot(1, by: 0), at: "/f", on: 0) == nil)
        #expect(model.observe([shown(dot(1, by: 0), "b")], winner: dot(1, by: 0), at: "/f", on: 0)?.contains("not what was written") == true)
    }

    @Test func `A write that is not later than what it saw is found`() {
        var model = model()
        let (_, second) = conflicted(&model)
        let early = dot(1, by: 1)
        #expect(model.observe([shown(second, "b"), shown(early, "c", sees: true)], winner: second, at: "/f", on: 1) != nil)
    }

    @Test func `A node that never heard of a version is found, and an acknowledgement of nothing`() {
        var model = model()
        #expect(model.observe([shown(dot(1, by: 0), "a")], winner: dot(1, by: 0), at: "/f", on: 0) == nil)
        #expect(model.checkComplete(0) == nil)
        #expect(model.checkComplete(1) != nil)
        #expect(model.acknowledge(dot(1, by: 0).description, at: "/f", by: 0) == nil)
        #expect(model.acknowledge(dot(9, by: 0).description, at: "/f", by: 0) != nil)
    }

    @Test func `Resolving replaces all, a plain write only the winner`() {
        var model = model()
        let (first, second) = conflicted(&model)
        let third = dot(3, by: 0)
        #expect(model.observe([shown(first, "a"), shown(third, "c")], winner: third, at: "/f", on: 0) == nil)
        #expect(model.visible(on: 0)["/f"]?.losers == [first])
        model.begin(.resolve, at: "/f", on: 1)
        let fourth = dot(4, by: 1)
        #expect(model.observe([shown(fourth, "b")], winner: fourth, at: "/f", on: 1) == nil)
        #expect(model.visible(on: 1)["/f"]?.losers == [])
        _ = second
    }

    @Test func `Of a commit of many a file replaces one whose directory went by the same commit`() {
        var model = model()
        let (hidden, below) = (dot(1, by: 0), dot(2, by: 1))
        #expect(model.observe([shown(hidden, "a")], winner: hidden, at: "/f", on: 0) == nil)
        #expect(model.observe([shown(below, "b")], winner: below, at: "/f/x", on: 1) == nil)
        #expect(model.observe([shown(below, "b")], winner: below, at: "/f/x", on: 0) == nil)
        let new = dot(3, by: 0)
        var single = model
        #expect(single.observe([shown(new, "c")], winner: new, at: "/f", on: 0)?.contains("is gone") == true)
        #expect(model.observe([shown(new, "c")], winner: new, at: "/f", on: 0, isBatch: true) == nil)
    }

    // MARK: Absence

    private func deleted(dropping: Bool = true) -> (Model, Dot) {
        var model = Model(nodeCount: 2, dropsDeletions: dropping)
        for (index, node) in nodes.enumerated() { model.name(index, node) }
        let (file, deletion) = (dot(1, by: 0), dot(2, by: 0))
        for node in 0...1 { #expect(model.observe([shown(file, "a")], winner: file, at: "/f", on: node) == nil) }
        let gone = Model.Shown(dot: deletion, content: .nothing, hasSeen: { _ in true })
        #expect(model.observe([gone], winner: deletion, at: "/f", on: 0) == nil)
        return (model, deletion)
    }

    @Test func `A deletion that goes too early is found`() {
        var (model, _) = deleted()
        #expect(model.observe([], winner: nil, at: "/f", on: 0)?.contains("before all members had it") == true)
    }

    @Test func `A deletion goes when everybody has it, or those who do not were away for too long`() {
        var (model, deletion) = deleted()
        model.setLapsed([1])
        #expect(model.observe([], winner: nil, at: "/f", on: 0) == nil)
        (model, _) = deleted()
        let gone = Model.Shown(dot: deletion, content: .nothing, hasSeen: { _ in true })
        #expect(model.observe([gone], winner: deletion, at: "/f", on: 1) == nil)
        #expect(model.observe([], winner: nil, at: "/f", on: 0) == nil)
        // What it deleted must not come back all the same.
        let file = dot(1, by: 0)
        #expect(model.observe([shown(file, "a")], winner: file, at: "/f", on: 0)?.contains("is back") == true)
    }

    @Test func `A deletion waits for no member of a part, and for one that was away only if the horizon did`() {
        var model = Model(nodeCount: 2, dropsDeletions: true, partialMember: 1)
        for (index, node) in nodes.enumerated() { model.name(index, node) }
        let deletion = dot(1, by: 0)
        let gone = Model.Shown(dot: deletion, content: .nothing, hasSeen: { _ in false })
        #expect(model.observe([gone], winner: deletion, at: "/f", on: 0) == nil)
        #expect(model.observe([], winner: nil, at: "/f", on: 0) == nil)
        for (listed, isRight) in [(Set([0]), true), ([0, 1], false)] {
            var (model, _) = deleted()
            model.setLapsed([1])
            // It says that it is back before it has heard of the horizon.
            model.setLapsed([], listed: listed)
            #expect((model.observe([], winner: nil, at: "/f", on: 0) == nil) == isRight)
        }
    }

    @Test func `Who never had a file need not hear of its deletion once that is dropped, but of what comes after it`() {
        var model = Model(nodeCount: 2, dropsDeletions: true)
        for (index, node) in nodes.enumerated() { model.name(index, node) }
        let (file, deletion, later) = (dot(1, by: 0), dot(2, by: 0), dot(3, by: 0))
        let gone = Model.Shown(dot: deletion, content: .nothing, hasSeen: { _ in true })
        #expect(model.observe([shown(file, "a")], winner: file, at: "/f", on: 0) == nil)
        #expect(model.observe([gone], winner: deletion, at: "/f", on: 0) == nil)
        #expect(model.checkComplete(1) != nil)
        model.setLapsed([1])
        #expect(model.observe([], winner: nil, at: "/f", on: 0) == nil)
        #expect(model.checkComplete(1) == nil)
        #expect(model.observe([shown(later, "b")], winner: later, at: "/f", on: 0) == nil)
        #expect(model.checkComplete(1) != nil)
    }

    @Test func `A node that starts over hears later of what has just come to others, and loses nothing that its own writes had seen`() {
        var model = model()
        let (first, _) = conflicted(&model)
        let (third, new) = (dot(3, by: 1), Dot(timestamp: Timestamp(microseconds: 4), actor: Actor(node: nodes[1], incarnation: 7)))
        var fresh = model
        #expect(fresh.observe([], winner: nil, at: "/f", on: 1, by: .startingOver) == nil)
        #expect(fresh.checkComplete(1) != nil)
        #expect(model.observe([shown(first, "a"), shown(third, "c")], winner: third, at: "/f", on: 1) == nil)
        var losing = model
        #expect(losing.observe([shown(new, "c", sees: true)], winner: new, at: "/f", on: 1, by: .startingOver)?.contains("is gone") == true)
        #expect(model.observe([shown(first, "a"), shown(new, "c", sees: true)], winner: new, at: "/f", on: 1, by: .startingOver) == nil)
    }

    @Test func `A member of a part drops a deletion as others have, and its own beside what came later`() {
        var model = Model(nodeCount: 3, dropsDeletions: true, partialMember: 1)
        for (index, node) in nodes.enumerated() { model.name(index, node) }
        func gone(_ dot: Dot) -> Model.Shown { Model.Shown(dot: dot, content: .nothing, hasSeen: { _ in false }) }
        let (deletion, own, later) = (dot(1, by: 0), dot(2, by: 1), dot(3, by: 0))
        for node in 0...1 { #expect(model.observe([gone(deletion)], winner: deletion, at: "/f", on: node) == nil) }
        var early = model
        #expect(early.observe([], winner: nil, at: "/f", on: 1)?.contains("before all members had it") == true)
        model.setLapsed([2])
        #expect(model.observe([], winner: nil, at: "/f", on: 0) == nil)
        // It is not told who counts.
        model.setLapsed([])
        #expect(model.observe([], winner: nil, at: "/f", on: 1) == nil)
        #expect(model.observe([gone(own)], winner: own, at: "/g", on: 1) == nil)
        var alone = model
        #expect(alone.observe([], winner: nil, at: "/g", on: 1)?.contains("before all members had it") == true)
        for node in 0...1 { #expect(model.observe([shown(later, "a")], winner: later, at: "/g", on: node) == nil) }
    }

    @Test func `A member of a part follows what others have let go of, and keeps what it alone has`() {
        var model = Model(nodeCount: 2, dropsDeletions: true, partialMember: 1)
        for (index, node) in nodes.enumerated() { model.name(index, node) }
        let (first, second) = conflicted(&model)
        var unexplained = model
        #expect(unexplained.observe([shown(second, "b")], winner: second, at: "/f", on: 1)?.contains("is gone") == true)
        #expect(model.observe([shown(second, "b")], winner: second, at: "/f", on: 1, by: .following) == nil)
        let alone = dot(3, by: 1)
        #expect(model.observe([shown(alone, "c", sees: true)], winner: alone, at: "/f", on: 1) == nil)
        #expect(model.acknowledge(alone.description, at: "/f", by: 1) == nil)
        #expect(model.observe([shown(first, "a")], winner: first, at: "/f", on: 1, by: .following)?.contains("nobody else had, is gone") == true)
    }

    @Test func `What one deleted that was away may go and come back, and nothing that it deletes later`() {
        for isAway in [true, false] {
            var model = Model(nodeCount: 2, dropsDeletions: true)
            for (index, node) in nodes.enumerated() { model.name(index, node) }
            let (file, deletion) = (dot(1, by: 0), dot(2, by: 1))
            for node in 0...1 { #expect(model.observe([shown(file, "a")], winner: file, at: "/f", on: node) == nil) }
            if !isAway { model.setLapsed([1]) }
            let gone = Model.Shown(dot: deletion, content: .nothing, hasSeen: { _ in true })
            #expect(model.observe([gone], winner: deletion, at: "/f", on: 1) == nil)
            if isAway { model.setLapsed([1]) }
            model.setLapsed([])
            #expect((model.observe([], winner: nil, at: "/f", on: 0) == nil) == isAway)
            #expect(model.observe([shown(file, "a")], winner: file, at: "/f", on: 0) == nil)
        }
    }

    @Test func `A deletion that another makes anew replaces that one, and not what stands beside it`() {
        for occasion in [Model.Occasion.renaming, .ordinary] {
            var model = Model(nodeCount: 2, dropsDeletions: true)
            for (index, node) in nodes.enumerated() { model.name(index, node) }
            let (deletion, file, anew) = (dot(1, by: 1), dot(2, by: 0), dot(3, by: 0))
            func gone(_ dot: Dot) -> Model.Shown { Model.Shown(dot: dot, content: .nothing, hasSeen: { _ in false }) }
            #expect(model.observe([gone(deletion)], winner: deletion, at: "/f", on: 1) == nil)
            #expect(model.observe([shown(file, "a")], winner: file, at: "/f", on: 0) == nil)
            #expect(model.observe([gone(deletion), shown(file, "a")], winner: file, at: "/f", on: 0) == nil)
            let finding = model.observe([shown(file, "a"), gone(anew)], winner: file, at: "/f", on: 0, by: occasion)
            #expect((finding == nil) == (occasion == .renaming))
        }
    }

    @Test func `What came by the same commit as a start over may be named anew by it`() {
        for isBatch in [true, false] {
            var model = Model(nodeCount: 3, dropsDeletions: true)
            let third = NodeID(publicKey: [3])
            for (index, node) in (nodes + [third]).enumerated() { model.name(index, node) }
            let (first, site) = (dot(1, by: 1), Dot(timestamp: Timestamp(microseconds: 2), actor: Actor(node: third)))
            let anew = Dot(timestamp: Timestamp(microseconds: 3), actor: Actor(node: nodes[0], incarnation: 7))
            for node in [1, 0] { #expect(model.observe([shown(first, "a")], winner: first, at: "/f", on: node) == nil) }
            #expect(model.observe([shown(site, "b")], winner: site, at: "/f", on: 2) == nil)
            model.setLapsed([0, 2])
            let finding = model.observe(
                [shown(first, "a"), shown(anew, "b")], winner: anew, at: "/f", on: 0, by: .startingOver, isBatch: isBatch)
            #expect((finding == nil) == isBatch)
        }
    }

    @Test func `What a node wrote in an earlier name may come by the same commit as its write over the same content`() {
        for isBatch in [true, false] {
            var model = model()
            let copy = model.copy(of: 0)
            let (forgotten, other, later) = (dot(1, by: 0), dot(2, by: 1), dot(3, by: 1))
            #expect(model.observe([shown(forgotten, "a")], winner: forgotten, at: "/f", on: 0) == nil)
            #expect(model.observe([shown(other, "b")], winner: other, at: "/f", on: 1) == nil)
            #expect(model.observe([shown(forgotten, "a"), shown(other, "b")], winner: other, at: "/f", on: 1) == nil)
            #expect(model.observe([shown(forgotten, "a"), shown(later, "c")], winner: later, at: "/f", on: 1) == nil)
            model.restore(0, to: copy)
            let actor = Actor(node: nodes[0], incarnation: 7)
            let (own, deletion) = (Dot(timestamp: Timestamp(microseconds: 4), actor: actor), Dot(timestamp: Timestamp(microseconds: 5), actor: actor))
            #expect(model.observe([shown(own, "a")], winner: own, at: "/f", on: 0) == nil)
            let gone = Model.Shown(dot: deletion, content: .nothing, hasSeen: { $0 == forgotten })
            #expect(model.observe([gone], winner: deletion, at: "/f", on: 0, isBatch: isBatch) == nil)
            // What had seen the forgotten write tells whether that was deleted with the other of the same content.
            let finding = model.observe([gone, shown(later, "c")], winner: later, at: "/f", on: 0)
            #expect((finding == nil) == isBatch)
        }
    }

    @Test func `Where deletions stay, one that goes is found`() {
        var (model, _) = deleted(dropping: false)
        #expect(model.observe([], winner: nil, at: "/f", on: 0)?.contains("is gone") == true)
    }

    @Test func `A node that is put back to an old copy knows what it knew, and what it alone wrote since is not waited for`() {
        var model = model()
        let (first, second) = (dot(1, by: 0), dot(2, by: 0))
        for node in 0...1 { #expect(model.observe([shown(first, "a")], winner: first, at: "/f", on: node) == nil) }
        let copy = model.copy(of: 0)
        #expect(model.observe([shown(second, "b")], winner: second, at: "/f", on: 0) == nil)
        #expect(model.checkComplete(1) != nil)
        model.restore(0, to: copy)
        #expect(model.observe([shown(first, "a")], winner: first, at: "/f", on: 0) == nil)
        #expect(model.checkComplete(1) == nil)
    }

    @Test func `Who had a write before it was named anew may have both`() {
        var model = model()
        let (old, new) = (dot(1, by: 0), Dot(timestamp: Timestamp(microseconds: 2), actor: Actor(node: nodes[0], incarnation: 7)))
        #expect(model.observe([shown(old, "a")], winner: old, at: "/f", on: 0) == nil)
        #expect(model.observe([shown(old, "a")], winner: old, at: "/f", on: 1) == nil)
        #expect(model.observe([shown(new, "a")], winner: new, at: "/f", on: 0, by: .renaming) == nil)
        #expect(model.observe([shown(old, "a"), shown(new, "a")], winner: new, at: "/f", on: 1) == nil)
        #expect(model.visible(on: 1)["/f"]?.losers == [])
        #expect(model.observe([shown(old, "a")], winner: old, at: "/f", on: 1)?.contains("is gone") == true)
    }
}
