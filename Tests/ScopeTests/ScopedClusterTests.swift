import Access
import Causality
import Content
import FileDatabase
import Foundation
import Merkle
@testable import Node
import Objects
import Replication
import Synchronization
import TestSupport
import Testing

/// Nodes that hold, or may see, a part of the files.
@Suite("Parts of a tree")
struct ScopedClusterTests {
    @Test("A partial member holds its part, and both sides' writes arrive")
    func partialMember() async throws {
        try await withLab { lab in
            let a = try await lab.node("a", founds: true)
            try await a.put("one", at: "/assets/one")
            try await a.put("hidden", at: "/other/hidden")
            let b = try await lab.node("b", joining: "a", syncPaths: ["/assets/**"])
            try await b.sync()
            #expect(try b.paths() == ["/assets/one"])
            #expect(try await b.text("/assets/one") == "one")
            try await b.put("two", at: "/assets/two")
            try await b.put("mine", at: "/private/mine")
            try await b.sync()
            #expect(try a.paths() == ["/assets/one", "/assets/two", "/other/hidden"])
            // An edit that has seen the other is no conflict, and a deletion goes through.
            try await b.put("one again", at: "/assets/one")
            try await a.database.delete(TreePath("/assets/two"))
            try await b.sync()
            #expect(try await a.text("/assets/one") == "one again")
            #expect(try b.paths() == ["/assets/one", "/private/mine"])
            #expect(a.database.head.commit.files.aggregates.conflicts == 0)
            // Told by the other side, it does the same.
            try await b.put("three", at: "/assets/three")
            try await a.sync()
            #expect(try await a.text("/assets/three") == "three")
            #expect(try a.register("/private/mine") == nil)
        }
    }

    @Test("A partial member that was away until deletions were dropped follows them, and loses nothing of its own", arguments: [false, true])
    func awayForTooLong(isCursorLost: Bool) async throws {
        try await withLab(retention: .milliseconds(100)) { lab in
            let a = try await lab.node("a", founds: true)
            for path in ["/assets/kept", "/assets/gone", "/assets/d/gone", "/assets/edited", "/wide/gone"] { try await a.put("as it was", at: path) }
            let b = try await lab.node("b", joining: "a", syncPaths: ["/assets/**", "/wide/**"])
            try await b.sync()
            _ = try await a.limitMember(b.id, to: ["/assets/**"])
            try await b.sync()
            for path in ["/assets/gone", "/assets/d/gone", "/assets/edited", "/wide/gone"] { _ = try await a.database.delete(TreePath(path)) }
            try await b.put("never pushed", at: "/assets/mine")
            for _ in 0..<500 where a.database.head.commit.files.aggregates.tombstones > 0 {
                await a.tendHorizon()
                try await Task.sleep(for: .milliseconds(10))
            }
            #expect(a.database.head.commit.files.aggregates.tombstones == 0)
            try await b.put("edited meanwhile", at: "/assets/edited")
            if isCursorLost { b.allLinks()[0].state.withLock { $0.scoped[.files]?.cursor = [1, 2, 3] } }
            try await b.sync()
            // What is outside of its paths is kept, and nobody says anything of it.
            #expect(try b.paths() == ["/assets/edited", "/assets/kept", "/assets/mine", "/wide/gone"])
            #expect(try await a.text("/assets/edited") == "edited meanwhile")
            #expect(try a.paths().contains("/assets/gone") == false)
            // What comes anew under an old name is no conflict.
            try await a.put("anew", at: "/assets/gone")
            try await b.sync()
            #expect(try await b.text("/assets/gone") == "anew")
            #expect(b.database.head.commit.files.aggregates.conflicts == 0)
        }
    }

    @Test("A client that was away until deletions were dropped follows them, and writes anew what it made meanwhile", arguments: [false, true])
    func clientAwayForTooLong(isCursorLost: Bool) async throws {
        try await withLab(retention: .milliseconds(100)) { lab in
            let a = try await lab.node("a", founds: true)
            for path in ["/f/kept", "/f/gone", "/f/edited", "/f/settled"] { try await a.put("as it was", at: path) }
            let (c, _) = try await lab.client("c", of: "a", rules: [(path: "/f/**", allow: Permission.allCases)])
            try await c.sync()
            try await c.put("pushed", at: "/f/pushed")
            try await c.sync()
            // What was written right after what was pushed may have been pushed as well.
            try c.local.change { $0.shown = c.database.head.commit.time.rawValue }
            try await c.put("never pushed", at: "/f/mine")
            try await c.put("edited too", at: "/f/edited")
            _ = try await c.database.delete(TreePath("/f/kept"))
            for path in ["/f/gone", "/f/edited", "/f/settled", "/f/pushed"] { _ = try await a.database.delete(TreePath(path)) }
            for _ in 0..<500 where a.database.horizon < c.database.head.commit.time || a.database.head.commit.files.aggregates.tombstones > 0 {
                await a.tendHorizon()
                try await Task.sleep(for: .milliseconds(10))
            }
            #expect(a.database.horizon >= c.database.head.commit.time)
            if isCursorLost { c.allLinks()[0].state.withLock { $0.scoped[.files]?.cursor = [1, 2, 3] } }
            try await c.sync()
            #expect(c.refusals(by: a.id) == [])
            #expect(try c.paths() == ["/f/edited", "/f/mine"])
            #expect(try a.paths() == ["/f/edited", "/f/mine"])
            #expect(try await a.text("/f/mine") == "never pushed")
            #expect(try await a.text("/f/edited") == "edited too")
            #expect(a.database.head.commit.files.aggregates.conflicts == 0)
            #expect(try c.register("/f/gone") == nil)
            let again = try await c.sync()[0]
            #expect(again.pushed == 0 && again.entries == 0)
        }
    }

    @Test("What a client may have pushed before it was away is not written anew: it may be what was deleted")
    func nothingThatMayBeDeletedComesBack() async throws {
        try await withLab(retention: .milliseconds(100)) { lab in
            let a = try await lab.node("a", founds: true)
            let (c, _) = try await lab.client("c", of: "a", rules: [(path: "/f/**", allow: Permission.allCases)])
            try await c.put("pushed", at: "/f/pushed")
            try await c.sync()
            _ = try await a.database.delete(TreePath("/f/pushed"))
            for _ in 0..<500 where a.database.horizon < c.database.head.commit.time || a.database.head.commit.files.aggregates.tombstones > 0 {
                await a.tendHorizon()
                try await Task.sleep(for: .milliseconds(10))
            }
            #expect(try a.register("/f/pushed") == nil)
            // Where it stood was not written down in time.
            c.allLinks()[0].state.withLock { $0.scoped[.files] = ScopedState() }
            try await c.sync()
            #expect(try a.paths() == [])
            #expect(c.refusals(by: a.id).map(\.code) == [.stale])
        }
    }

    @Test("What a node has lost comes back from those who see a part of it, as far as they may write", arguments: [true, false])
    func lostByThePeer(isMember: Bool) async throws {
        try await withLab { lab in
            let a = try await lab.node("a", founds: true)
            try await a.put("base", at: "/f/over")
            let b = isMember
                ? try await lab.node("b", joining: "a", syncPaths: ["/f/**"])
                : try await lab.client("b", of: "a", rules: [(path: "/f/**", allow: Permission.allCases)]).node
            let (reader, _) = try await lab.client("r", of: "a", rules: [(path: "/f/**", allow: [.read, .list])])
            try await b.sync()
            let before = a.database.view.files
            for path in ["/f/lost", "/f/over", "/f/base", "/g/hidden"] { try await a.put("by a", at: path) }
            _ = try await a.database.delete(TreePath("/f/over"))
            try await b.sync()
            try await b.put("by b", at: "/f/base")
            for node in [b, reader] { try await node.sync() }
            // The node is put back to how it was before.
            try await a.database.forget(["/f/lost", "/f/over", "/f/base", "/g/hidden"].map { try TreePath($0) }, of: a.database.view.files, upTo: .latestAllowed)
            _ = try await a.database.join(before.root, into: .files, latest: .zero, cause: "restore")
            for node in [b, reader] { node.allLinks()[0].state.withLock { $0.scoped[.files]?.cursor = [1, 2, 3] } }
            try await b.sync()
            #expect(b.refusals(by: a.id) == [])
            #expect(try a.paths() == ["/f/base", "/f/lost"])
            #expect(try await a.text("/f/base") == "by b")
            try await reader.sync()
            #expect(reader.refusals(by: a.id) == [])
            for path in ["/f/lost", "/f/base"] { try await b.put("again", at: path) }
            try await b.sync()
            try await reader.sync()
            for node in [a, b, reader] {
                #expect(try await node.text("/f/lost") == "again")
                #expect(try await node.text("/f/base") == "again")
                #expect(try node.register("/f/over")?.winner.value.isTombstone == true)
                #expect(node.database.head.commit.files.aggregates.conflicts == 0)
            }
            #expect(b.refusals(by: a.id) == [])
        }
    }

    @Test("What a node has lost is not written anew while it may get it back, nor forgotten when a pull fails")
    func lostByThePeerForNow() async throws {
        try await withLab { lab in
            let a = try await lab.node("a", founds: true)
            let m = try await lab.node("m", joining: "a")
            // By another, for A is to name anew what it wrote after it has forgotten something.
            try await m.put("base", at: "/f/over")
            try await m.sync()
            let (b, _) = try await lab.client("b", of: "a", rules: [(path: "/f/**", allow: Permission.allCases)])
            try await b.sync()
            let before = a.database.view.files
            for path in ["/f/lost", "/f/over"] { try await a.put("by a", at: path) }
            try await b.sync()
            try await b.put("by b", at: "/f/over")
            try await b.sync()
            try await m.sync()
            let lost = try ["/f/lost", "/f/over"].map { try TreePath($0) }
            try await a.database.forget(lost, of: a.database.view.files, upTo: .latestAllowed)
            _ = try await a.database.join(before.root, into: .files, latest: .zero, cause: "restore")
            b.allLinks()[0].state.withLock { $0.scoped[.files]?.cursor = [1, 2, 3] }
            // A is in touch with M, and has not synced with it yet, as after a start.
            let link = try #require(a.allLinks().first { $0.nodeID == m.id })
            a.enter(.active, link, reason: nil)
            link.state.withLock { state in
                state.lastSyncAt = nil
                state.joined = [:]
            }
            try await b.put("offline", at: "/f/over")
            try await b.sync()
            #expect(try a.paths() == ["/f/over"])
            #expect(try await a.text("/f/over") == "base")
            // A pull that breaks off forgets nothing of what was there.
            lab.onRequest.withLock { hook in
                hook = { _, path in
                    if path == "/sync/scoped/changes" { for link in b.allLinks() { link.state.withLock { $0.token = ("broken", .max) } } }
                }
            }
            #expect(try await b.trigger().map(\.ok) == [false])
            lab.onRequest.withLock { $0 = nil }
            try await a.sync()
            try await b.sync()
            for node in [a, b] {
                #expect(try await node.text("/f/lost") == "by a")
                #expect(try await node.text("/f/over") == "offline")
                #expect(node.database.head.commit.files.aggregates.conflicts == 0)
                #expect(try node.register("/f/lost") == m.register("/f/lost"))
            }
            #expect(b.refusals(by: a.id) == [])
        }
    }

    @Test("A conflict of a partial member is one on both sides, and is settled on either")
    func conflicts() async throws {
        try await withLab { lab in
            let a = try await lab.node("a", founds: true)
            try await a.put("base", at: "/assets/f")
            let b = try await lab.node("b", joining: "a", syncPaths: ["/assets/**"])
            try await b.sync()
            try await a.put("A's", at: "/assets/f")
            try await b.put("B's", at: "/assets/f")
            try await b.sync()
            #expect(try a.register("/assets/f") == (try b.register("/assets/f")))
            #expect(try a.register("/assets/f")?.losers.count == 1)
            _ = try await b.database.resolve(TreePath("/assets/f"), pick: .loser)
            try await b.sync()
            #expect(try a.register("/assets/f") == (try b.register("/assets/f")))
            #expect(a.database.head.commit.files.aggregates.conflicts == 0)
        }
    }

    @Test("Widening fetches what is older, narrowing stops and keeps what is there")
    func changedPaths() async throws {
        try await withLab { lab in
            let a = try await lab.node("a", founds: true)
            for directory in ["one", "two", "three"] { try await a.put(directory, at: "/\(directory)/f") }
            let b = try await lab.node("b", joining: "a", syncPaths: ["/one/**"])
            try await b.sync()
            #expect(try b.paths() == ["/one/f"])
            _ = try await a.updatePeer(b.id, label: nil, syncPaths: ["/one/**", "/two/**"])
            try await b.sync()
            #expect(try b.paths() == ["/one/f", "/two/f"])
            #expect(try b.isPartialMember)
            _ = try await a.updatePeer(b.id, label: nil, syncPaths: ["/two/**"])
            try await a.put("new", at: "/one/g")
            try await a.database.delete(TreePath("/one/f"))
            try await b.put("unseen", at: "/one/h")
            try await b.sync()
            #expect(try b.paths() == ["/one/f", "/one/h", "/two/f"])
            #expect(try a.register("/one/h") == nil)
            // As a full member it has everything, and gives everything.
            try await a.limitMember(b.id, to: nil)
            try await b.sync()
            try await a.sync()
            #expect(try !b.isPartialMember)
            #expect(a.database.head.commit.files.root == b.database.head.commit.files.root)
            #expect(a.database.head.commit.system.root == b.database.head.commit.system.root)
            #expect(try a.paths() == ["/one/g", "/one/h", "/three/f", "/two/f"])
        }
    }

    @Test("A full member that wants a part takes and gives that part, whichever side has set it")
    func ownPaths() async throws {
        try await withLab { lab in
            let a = try await lab.node("a", founds: true)
            try await a.put("one", at: "/one/f")
            try await a.put("two", at: "/two/f")
            let b = try await lab.node("b", joining: "a")
            _ = try await b.updatePeer(a.id, label: nil, syncPaths: ["/one/**"])
            try await b.put("b1", at: "/one/b")
            try await b.put("b2", at: "/two/b")
            try await b.sync()
            #expect(try b.paths() == ["/one/b", "/one/f", "/two/b"])
            #expect(try a.paths() == ["/one/b", "/one/f", "/two/f"])
            // The cluster's own tree is exchanged all the same.
            let key = try await a.makeKey(label: "k", rules: [(path: "/**", allow: [.read])], expiresIn: nil, maker: Lab.owner).info
            try await b.sync()
            #expect(try b.keys().contains { $0.id == key.id })
            _ = try await b.updatePeer(a.id, label: nil, syncPaths: .some(nil))
            try await b.sync()
            try await a.sync()
            #expect(a.database.head.commit.files.root == b.database.head.commit.files.root)
            // Now the other side.
            _ = try await a.updatePeer(b.id, label: nil, syncPaths: ["/two/**"])
            try await a.put("a1", at: "/one/a")
            try await a.put("a2", at: "/two/a")
            try await b.sync()
            #expect(try b.register("/one/a") == nil)
            #expect(try await b.text("/two/a") == "a2")
        }
    }

    @Test("Paths that are changed while a pull runs")
    func changedWhilePulling() async throws {
        try await withLab { lab in
            let a = try await lab.node("a", founds: true)
            for index in 0..<30 { for directory in ["one", "two"] { try await a.put("\(directory) \(index)", at: "/\(directory)/\(index)") } }
            let b = try await lab.node("b", joining: "a")
            _ = try await b.updatePeer(a.id, label: nil, syncPaths: ["/one/**"])
            let isDone = Shared(false)
            lab.onRequest.withLock { hook in
                hook = { _, path in
                    guard path == "/sync/scoped/objects", !isDone.value else { return }
                    isDone.change { $0 = true }
                    _ = try? await b.updatePeer(a.id, label: nil, syncPaths: ["/one/**", "/two/**"])
                }
            }
            try await b.sync()
            #expect(isDone.value)
            try await b.sync()
            #expect(try b.paths() == a.paths())
        }
    }

    @Test("A client with a key pulls what it may read and pushes what it may write")
    func client() async throws {
        try await withLab { lab in
            let a = try await lab.node("a", founds: true)
            try await a.put("one", at: "/assets/one")
            try await a.put("hidden", at: "/other/hidden")
            let (c, _) = try await lab.client("c", of: "a", rules: [(path: "/assets/**", allow: Permission.allCases)])
            try await c.sync()
            #expect(try c.paths() == ["/assets/one"])
            let large = ScopeContent.noise(3_000_001, seed: 9)
            try await c.put(large, at: "/assets/large")
            try await c.put("elsewhere", at: "/other/mine")
            let report = try await c.sync()[0]
            #expect(report.pushed == 1)
            #expect(report.bytesPushed > 2_900_000)
            #expect(try a.register("/assets/large") == (try c.register("/assets/large")))
            #expect(try a.register("/other/mine") == nil)
            // Nothing more to do.
            let again = try await c.sync()[0]
            #expect(again.pushed == 0 && again.entries == 0 && again.bytes == 0)

            // Moving and editing send no content that is there.
            let before = lab.bytes(to: "a", "/sync/push/objects")
            _ = try await c.database.move(TreePath("/assets/large"), to: TreePath("/assets/moved"))
            try await c.sync()
            #expect(try await a.text("/assets/moved")?.utf8.count == (try await c.text("/assets/moved")?.utf8.count))
            #expect(try a.paths() == ["/assets/moved", "/assets/one", "/other/hidden"])
            #expect(lab.bytes(to: "a", "/sync/push/objects") - before < 4096)
            var edited = large
            edited.replaceSubrange(1_500_000..<1_500_010, with: [UInt8](repeating: 7, count: 10))
            try await c.put(edited, at: "/assets/moved")
            try await c.sync()
            #expect(try a.register("/assets/moved") == (try c.register("/assets/moved")))
            #expect(lab.bytes(to: "a", "/sync/push/objects") - before < 2_000_000)
            // And the other way.
            try await a.put("two", at: "/assets/two")
            try await a.database.delete(TreePath("/assets/one"))
            try await c.sync()
            #expect(try c.paths() == ["/assets/moved", "/assets/two", "/other/mine"])
            #expect(a.database.head.commit.files.aggregates.conflicts == 0)
        }
    }

    @Test("A key that may only read: nothing outside is received, edits are kept, told and not sent")
    func readingClient() async throws {
        try await withLab { lab in
            let a = try await lab.node("a", founds: true)
            try await a.put("one", at: "/assets/one")
            try await a.put("hidden", at: "/other/hidden")
            let (c, _) = try await lab.client("c", of: "a", rules: [(path: "/assets/**", allow: [.read, .list])])
            try await c.sync()
            try await c.put("edited", at: "/assets/one")
            try await c.put("new", at: "/assets/new")
            try await c.sync()
            #expect(c.refusals(by: a.id).map(\.path) == ["/assets/new", "/assets/one"])
            #expect(try await a.text("/assets/one") == "one")
            #expect(try await c.text("/assets/one") == "edited")
            #expect(lab.bytes(to: "a", "/sync/push/objects") == 0)
            try await a.put("two", at: "/assets/two")
            try await c.sync()
            #expect(try c.paths() == ["/assets/new", "/assets/one", "/assets/two"])
        }
    }

    @Test("A client that may do everything still writes in its own name alone, and proves nothing")
    func unrestrictedClient() async throws {
        try await withLab { lab in
            let a = try await lab.node("a", founds: true)
            try await a.put("one", at: "/one")
            let (c, _) = try await lab.client("c", of: "a", rules: [(path: "/**", allow: Permission.allCases)])
            try await c.sync()
            try await c.put(ScopeContent.noise(1_500_000, seed: 3), at: "/two")
            try await c.sync()
            #expect(a.database.head.commit.files.root == c.database.head.commit.files.root)
            #expect(try a.paths() == ["/one", "/two"])
            #expect(c.database.head.commit.system.root == Subtree.empty.root)
        }
    }

    @Test("A push whose answers are lost in the middle is made again, and comes to the same")
    func brokenPush() async throws {
        try await withLab { lab in
            let a = try await lab.node("a", founds: true)
            let (c, _) = try await lab.client("c", of: "a", rules: [(path: "/assets/**", allow: Permission.allCases)])
            for index in 0..<12 { try await c.put(ScopeContent.noise(1_000_000, seed: UInt64(index)), at: "/assets/\(index)") }
            // The key is revoked under way; the node has nothing, and then everything.
            let count = Shared(0)
            lab.onRequest.withLock { hook in
                hook = { _, path in
                    guard path == "/sync/push" || path == "/sync/push/objects" else { return }
                    count.change { $0 += 1 }
                    if count.value == 2 { for link in c.allLinks() { link.state.withLock { $0.token = ("broken", .max) } } }
                }
            }
            let reports = try await c.trigger()
            #expect(reports.map(\.ok) == [false])
            #expect(try a.paths().isEmpty)
            lab.onRequest.withLock { $0 = nil }
            try await c.sync()
            #expect(try a.paths() == c.paths())
            #expect(a.database.head.commit.files.root == c.database.head.commit.files.root)
        }
    }

    @Test("Content that has moved is sent after all where its old place is gone when the record comes")
    func movedFromNowhere() async throws {
        try await withLab { lab in
            let a = try await lab.node("a", founds: true)
            try await a.put(ScopeContent.noise(3_000_001, seed: 9), at: "/assets/large")
            let (c, _) = try await lab.client("c", of: "a", rules: [(path: "/assets/**", allow: Permission.allCases)])
            try await c.sync()
            _ = try await c.database.move(TreePath("/assets/large"), to: TreePath("/assets/moved"))
            #expect(lab.bytes(to: "a", "/sync/push/missing") == 0)
            let pushes = Shared(0)
            lab.onRequest.withLock { hook in
                hook = { _, path in
                    guard path == "/sync/push" else { return }
                    pushes.change { $0 += 1 }
                    if pushes.value == 1 { try? await a.database.delete(TreePath("/assets/large")) }
                }
            }
            try await c.sync()
            lab.onRequest.withLock { $0 = nil }
            // Once refused, and then with what was missing.
            #expect(pushes.value == 2)
            #expect(lab.bytes(to: "a", "/sync/push/objects") > 2_900_000)
            #expect(try await a.text("/assets/moved")?.utf8.count == (try await c.text("/assets/moved")?.utf8.count))
            try await c.sync()
            #expect(try a.paths() == ["/assets/moved"])
            #expect(a.database.head.commit.files.root == c.database.head.commit.files.root)
        }
    }

    @Test("New attributes of a file go before its record, and nothing of its content does")
    func attributesAlone() async throws {
        try await withLab { lab in
            let a = try await lab.node("a", founds: true)
            try await a.put(ScopeContent.noise(3_000_001, seed: 9), at: "/assets/large")
            let (c, _) = try await lab.client("c", of: "a", rules: [(path: "/assets/**", allow: Permission.allCases)])
            try await c.sync()
            let path = try TreePath("/assets/large")
            var file = try #require(try c.database.view.info(at: path)?.file)
            let attributes = PreparedObject(.attributes, Array("a tag".utf8))
            file.attributes = attributes.hash
            _ = try await c.database.put(.file(file), at: path, objects: [attributes])
            let pushes = Shared(0)
            lab.onRequest.withLock { $0 = { _, path in if path == "/sync/push" { pushes.change { $0 += 1 } } } }
            try await c.sync()
            lab.onRequest.withLock { $0 = nil }
            #expect(pushes.value == 1)
            #expect((1..<4096).contains(lab.bytes(to: "a", "/sync/push/objects")))
            #expect(try a.register("/assets/large") == (try c.register("/assets/large")))
        }
    }

    @Test("A member that nobody can connect to pushes everything, also what others wrote")
    func unreachableMember() async throws {
        try await withLab { lab in
            let a = try await lab.node("a", founds: true)
            let b = try await lab.node("b", joining: "a")
            _ = try await b.updatePeer(a.id, label: "a", syncPaths: nil)
            try a.removePeer(b.id)
            try await b.put("b", at: "/b")
            let report = try await b.sync()[0]
            #expect(report.pushed == 1)
            #expect(try await a.text("/b") == "b")
            #expect(a.database.head.commit.files.root == b.database.head.commit.files.root)
            // What a third one wrote as well.
            let c = try await lab.node("c", joining: "b")
            try await c.put("c", at: "/c")
            try await c.sync()
            try await b.sync()
            #expect(try await a.text("/c") == "c")
        }
    }

    @Test("Live: changes go both ways without being asked for")
    func live() async throws {
        try await withLab { lab in
            let a = try await lab.node("a", founds: true)
            let b = try await lab.node("b", joining: "a", syncPaths: ["/assets/**"])
            let (c, _) = try await lab.client("c", of: "a", rules: [(path: "/assets/**", allow: Permission.allCases)])
            for node in [a, b, c] { node.goLive() }
            try await b.put("b", at: "/assets/b")
            try await c.put("c", at: "/assets/c")
            try await a.put("a", at: "/assets/a")
            for node in [a, b, c] {
                try await eventually("all on \(node.label ?? "")") { try node.paths() == ["/assets/a", "/assets/b", "/assets/c"] }
            }
            try await a.limitMember(b.id, to: ["/assets/**", "/more/**"])
            try await a.put("more", at: "/more/f")
            try await eventually("the wider part") { try await b.text("/more/f") == "more" }
            #expect(try c.register("/more/f") == nil)
        }
    }
}
