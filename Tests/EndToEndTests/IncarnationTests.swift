import Foundation
import Testing

@Suite("Nodes that go on from an old copy of their data")
struct IncarnationTests {
    private static let notice = "took up a fresh incarnation"

    /// Two nodes, of which the first is put back to before its last writes by `restore`, and then writes on.
    ///
    /// - Parameter isRestartedAlone: whether it is restarted after its first new write, before it has met anybody.
    /// - Returns: what the first said from its restart on.
    private func restoreInTheMiddle(isRestartedAlone: Bool = false, _ restore: (_ saved: String, _ data: String) throws -> Void) throws -> String {
        let a = try RunningNode(["--label", "A"])
        let b = try RunningNode(joining: a, label: "B")
        try a.put("/files/both", "first")
        try a.put("/files/same", "same")
        try b.sync()
        try a.stop()
        let saved = a.directory.path + "/saved"
        try FileManager.default.copyItem(atPath: a.data, toPath: saved)
        try a.start()
        try a.put("/files/both", "forgotten by A")
        try a.put("/files/lost", "written and forgotten")
        try b.sync()
        #expect(try b.content("/both") == "forgotten by A")
        try a.stop()
        try restore(saved, a.data)
        try a.start()
        #expect(try a.content("/both") == "first")
        #expect(try a.content("/lost") == nil)
        // Before it hears of what it has forgotten.
        if isRestartedAlone {
            try a.put("/files/both", "the first write after the restore")
            try a.restart()
        }
        try a.put("/files/both", "written after the restore")
        try a.put("/files/new", "new")
        try a.sync()
        try b.sync()
        try a.sync()

        #expect(try a.root() == b.root())
        for node in [a, b] {
            #expect(try node.content("/lost") == "written and forgotten")
            #expect(try node.content("/new") == "new")
            #expect(try node.content("/same") == "same")
            // A did not see what it had forgotten, so both stand; and nothing else is a conflict.
            let conflicts = try node.conflicts()
            #expect(conflicts.map { $0["path"].text } == ["/both"])
            let loser = try #require(conflicts.first?["losers"].items.first?["path"].text)
            #expect(try Set([node.content("/both"), node.content(loser)]) == ["forgotten by A", "written after the restore"])
        }
        return a.process.errors
    }

    @Test func aCopyOfTheDirectory() throws {
        let log = try restoreInTheMiddle { saved, data in
            try FileManager.default.removeItem(atPath: data)
            try FileManager.default.copyItem(atPath: saved, toPath: data)
        }
        #expect(log.contains(Self.notice) && log.contains("is a copy or was restored"), "\(log)")
    }

    @Test func theLogAlone() throws {
        let log = try restoreInTheMiddle { saved, data in
            for name in ["segments", "index"] {
                // While the old files are there, so that the new ones cannot get their inodes.
                try FileManager.default.copyItem(atPath: saved + "/" + name, toPath: data + "/" + name + ".old")
                try FileManager.default.removeItem(atPath: data + "/" + name)
                try FileManager.default.moveItem(atPath: data + "/" + name + ".old", toPath: data + "/" + name)
            }
        }
        #expect(log.contains(Self.notice) && log.contains("the log was replaced"), "\(log)")
    }

    /// As a disk image is put back: no inode tells of it. The first peer does.
    @Test(arguments: [false, true]) func theSameFilesWithOldContent(isRestartedAlone: Bool) throws {
        let log = try restoreInTheMiddle(isRestartedAlone: isRestartedAlone) { saved, data in
            let name = "/segments/00000001.segment"
            let old = try #require(FileManager.default.contents(atPath: saved + name))
            let file = try #require(FileHandle(forWritingAtPath: data + name))
            try file.truncate(atOffset: 0)
            try file.write(contentsOf: old)
            try file.close()
            try FileManager.default.removeItem(atPath: data + "/index")
        }
        #expect(log.contains(Self.notice) && log.contains("writes in this node's name"), "\(log)")
    }

    @Test func anOrdinaryRestartIsNone() throws {
        let a = try RunningNode()
        try a.put("/files/f", "1")
        try a.restart()
        try a.put("/files/f", "2")
        try a.kill()
        try a.start()
        #expect(!a.process.errors.contains(Self.notice), "\(a.process.errors)")
        let incarnation = try String(contentsOfFile: a.data + "/incarnation.json", encoding: .utf8)
        #expect(incarnation.contains(#""number":0"#), "\(incarnation)")
    }
}
