import Access
import Causality
import Content
import FileDatabase
import Foundation
import Merkle
@testable import Node
import Objects
import Testing

@Suite("Damaged documents of the cluster")
struct DamagedDocumentTests {
    @Test("A document that is damaged on one node's disk breaks off no sync, and what it said holds until a restart")
    func syncSurvives() async throws {
        try await withLab { lab in
            let a = try await lab.node("a", founds: true)
            let b = try await lab.node("b", joining: "a")
            func makeKey(_ label: String) async throws -> String {
                let made = try await a.makeKey(label: label, rules: [("/**", [.read])], expiresIn: nil, maker: Lab.owner)
                return try #require(APIKey(made.key)).id
            }
            let first = try await makeKey("first")
            try await b.sync()
            #expect(try b.cluster().keys[first] != nil)
            try damage(ClusterDocument.key(first), of: b)
            // With the next change the tree is read anew.
            let second = try await makeKey("second")
            try await a.put("x", at: "/f")
            try await b.sync()
            #expect(try await b.text("/f") == "x")
            #expect(try b.cluster().keys[second] != nil)
            #expect(try b.cluster().keys[first] != nil)
            try await b.put("y", at: "/g")
            try await b.sync()
            #expect(try await a.text("/g") == "y")
            // Who did not know it before goes without it.
            #expect(try Cluster(b.database.view).keys.keys.sorted().contains(first) == false)
            #expect(try Cluster(b.database.view).members.count == 2)
        }
    }

    /// Flips a bit of a document on the node's disk.
    private func damage(_ path: TreePath, of node: Node) throws {
        let entry = try node.database.view.entry(at: path, in: .system)
        guard case .file(let file)? = entry?.current?.value else { throw Lab.Missing() }
        let location = try #require(try node.database.store.location(of: file.content.root))
        let folder = node.database.directory + "/segments/"
        let name = try #require(try FileManager.default.contentsOfDirectory(atPath: folder).filter { $0.hasSuffix(".segment") }.only)
        let handle = try #require(FileHandle(forUpdatingAtPath: folder + name))
        let place = UInt64(location.position.offset) + UInt64(location.storedLength / 2)
        try handle.seek(toOffset: place)
        let byte = try #require(try handle.read(upToCount: 1)?.first)
        try handle.seek(toOffset: place)
        try handle.write(contentsOf: [byte ^ 0x10])
        try handle.close()
    }
}

extension Array {
    fileprivate var only: Element? { count == 1 ? self[0] : nil }
}
