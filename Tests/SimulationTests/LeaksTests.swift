import Content
import Merkle
@testable import Simulation
import Testing

/// That leaks are seen.
@Suite("What those must not get who may see a part only")
struct LeaksTests {
    @Test func `Names and content of the rest are found, unless they were asked for`() {
        let leaks = Leaks()
        #expect(leaks.find(in: Array("/d/a.txt: content 3".utf8), asked: []) == nil)
        #expect(leaks.find(in: Array("/hot.txt".utf8), asked: []) != nil)
        #expect(leaks.find(in: Array("no file /hot.txt".utf8), asked: Array("/files/hot.txt".utf8)) == nil)
        #expect(leaks.find(in: [0, 1] + Array("hidden content 7".utf8), asked: []) != nil)
    }

    @Test func `The root of a whole tree is found wherever it stands`() throws {
        var leaks = Leaks()
        let root = ContentHash(sha256: [1])
        // Where nothing is hidden a root tells nothing.
        leaks.hide(root, on: 0)
        #expect(leaks.find(in: root.withBytes { Array($0) }, asked: []) == nil)
        leaks.hide(nil, at: "/a.txt", on: 0)
        leaks.hide(root, on: 0)
        #expect(leaks.find(in: [7, 7, 7] + root.withBytes { Array($0) } + [7], asked: []) != nil)
        #expect(leaks.find(in: ContentHash(sha256: [2]).withBytes { Array($0) }, asked: []) == nil)
    }
}
