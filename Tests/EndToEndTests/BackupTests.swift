import Foundation
import Testing

@Suite("Backups")
struct BackupTests {
    /// Some files of all kinds, one of many chunks.
    private func fill(_ node: RunningNode) throws {
        try node.put("/files/a.txt", "hello")
        try node.put("/files/empty", "")
        try node.put("/files/d/e/f.txt", String(repeating: "text that compresses well. ", count: 20_000))
        var random = SystemRandomNumberGenerator()
        let large = (0..<3_000_000).map { _ in UInt8.random(in: 0...255, using: &random) }
        #expect(try node.send("PUT", "/files/d/large", body: large).status == 201)
        try node.put("/files/gone", "x")
        #expect(try node.send("DELETE", "/files/gone").status == 204)
        #expect(try node.send("PUT", "/files/folder/").status == 201)
    }

    private func bytes(_ path: String) throws -> [UInt8] { [UInt8](try Data(contentsOf: URL(filePath: path))) }

    private func write(_ bytes: some Sequence<UInt8>, to path: String) throws { try Data(bytes).write(to: URL(filePath: path)) }

    @Test func aRunningNodeIntoANewOne() throws {
        let a = try RunningNode()
        try fill(a)
        let root = try a.root()
        let file = a.directory.path + "/whole.pando"
        let export = try a.command("export", file)
        #expect(export.code == 0, "\(export.errors)")
        #expect(try FileManager.default.attributesOfItem(atPath: file)[.posixPermissions] as? Int == 0o600)
        #expect(!FileManager.default.fileExists(atPath: file + ".part"))
        // It holds no secret of the node.
        let key = try bytes(a.data + "/node.key")
        #expect(try Data(contentsOf: URL(filePath: file)).range(of: Data(key)) == nil)

        try a.put("/files/a.txt", "changed")
        try a.put("/files/new", "new")
        let rest = a.directory.path + "/rest.pando"
        #expect(try a.command("export", "--since", file, rest).code == 0)
        #expect(try bytes(rest).count < bytes(file).count / 10)

        // The same by the route, and to standard output.
        let body = try a.get("/system/export")
        #expect(body.status == 200)
        let check = try a.command(["import", "--check", "--json", file, rest], isGlobal: false)
        #expect(check.code == 0, "\(check.errors)")
        #expect(check.output.contains(root))

        let target = a.directory.path + "/imported"
        let first = try a.command(["import", file, "--data", target + "1", "--json"], isGlobal: false)
        #expect(first.code == 0, "\(first.errors)")
        #expect(first.json["root"].text == root)
        let both = try a.command(["import", file, rest, "--data", target + "2"], isGlobal: false)
        #expect(both.code == 0, "\(both.errors)")
        #expect(both.output.contains("--join"))
        let b = try RunningNode(data: target + "2")
        #expect(try b.root() == a.root())
        #expect(try b.id() != a.id())
        #expect(try b.get("/files/d/large").body == a.get("/files/d/large").body)
        #expect(try b.content("/new") == "new")
        // And it can become a member, without a conflict.
        try b.put("/files/by-b", "b")
        let invitation = try a.command("invite").output.trimmingCharacters(in: .whitespacesAndNewlines)
        #expect(try b.command("join", a.url, "--token", invitation).code == 0)
        try b.sync()
        #expect(try a.content("/by-b") == "b")
        #expect(try a.root() == b.root())
        #expect(try a.conflicts().isEmpty)
        #expect(try a.command(["verify", "--data", target + "1"], isGlobal: false).code == 0)
    }

    /// The node's disk is lost; its backup brings it back, and its cluster what it wrote since.
    @Test func aNodeComesBack() throws {
        let a = try RunningNode(["--label", "A"])
        let b = try RunningNode(joining: a, label: "B")
        try fill(a)
        try b.sync()
        let file = a.directory.path + "/a.pando"
        let early = try a.command("export", "--with-identity", file)
        #expect(early.code == 1 && early.errors.contains("stop the node"), "\(early.errors)")
        try a.stop()
        let export = try a.command("export", "--with-identity", file)
        #expect(export.code == 0, "\(export.errors)")
        try a.start()
        try a.put("/files/a.txt", "written after the backup")
        try b.sync()
        try a.stop()
        try FileManager.default.removeItem(atPath: a.data)
        let summary = try a.command(["import", file, "--data", a.data, "--json"], isGlobal: false)
        #expect(summary.code == 0, "\(summary.errors)")
        let id = try b.get("/sync/members").json["items"].items.first { $0["label"].text == "A" }?["node_id"].text
        #expect(summary.json["node_id"].text == id)
        #expect(try FileManager.default.attributesOfItem(atPath: a.data + "/node.key")[.posixPermissions] as? Int == 0o600)
        try a.start()
        #expect(a.process.errors.contains("fresh incarnation"), "\(a.process.errors)")
        #expect(try a.content("/a.txt") == "hello")
        try a.put("/files/after", "after the restore")
        try b.sync()
        try a.sync()
        for node in [a, b] {
            #expect(try node.content("/a.txt") == "written after the backup")
            #expect(try node.content("/after") == "after the restore")
            #expect(try node.conflicts().isEmpty)
        }
        #expect(try a.root() == b.root())
    }

    @Test func damageIsNamedAndNothingImported() throws {
        let a = try RunningNode()
        try fill(a)
        let file = a.directory.path + "/whole.pando"
        #expect(try a.command("export", file).code == 0)
        let whole = try bytes(file)
        let bad = a.directory.path + "/bad.pando"
        let target = a.directory.path + "/target"
        func refused(_ bytes: [UInt8], _ word: String, _ location: SourceLocation = #_sourceLocation) throws {
            try write(bytes, to: bad)
            let result = try a.command(["import", bad, "--data", target], isGlobal: false)
            #expect(result.code == 1 && result.errors.contains(word), "\(result.errors)", sourceLocation: location)
            #expect(!FileManager.default.fileExists(atPath: target), sourceLocation: location)
            #expect(!FileManager.default.fileExists(atPath: target + ".importing"), sourceLocation: location)
        }
        for place in [18, 30, 70, 140, 200, whole.count / 3, whole.count / 2, whole.count - 40, whole.count - 1] {
            var bytes = whole
            bytes[place] ^= 0x10
            try refused(bytes, "at byte")
        }
        try refused(Array(whole[..<(whole.count / 2)]), "cut off")
        try refused(Array(whole.dropLast()), "cut off")
        try refused(whole + [0], "behind its end")
        try refused(Array("something else entirely".utf8), "no backup")
        try refused([], "ends within")
        // What goes on from another does not stand alone, and not in the wrong order.
        let rest = a.directory.path + "/rest.pando"
        try a.put("/files/more", "more")
        #expect(try a.command("export", "--since", file, rest).code == 0)
        try refused(bytes(rest), "whole one first")
        let order = try a.command(["import", file, file, "--data", target], isGlobal: false)
        #expect(order.code == 1 && order.errors.contains("does not go on"), "\(order.errors)")
        #expect(try a.command(["import", file, "--data", a.data], isGlobal: false).errors.contains("not empty"))
        #expect(try a.command(["import", file], isGlobal: false).code == 2)
        #expect(try a.command("export", file).errors.contains("there already"))
        #expect(try a.command("export", "--snapshot", "none", bad + "2").code == 1)
        for query in ["?commit=x", "?offset=-1", "?state=nonsense", "?since=\(String(repeating: "0", count: 64))", "?what=1"] {
            #expect((400..<500).contains(try a.get("/system/export\(query)").status), "\(query)")
        }
    }

    @Test func anExportThatBrokeOffGoesOn() throws {
        let a = try RunningNode()
        try fill(a)
        let file = a.directory.path + "/whole.pando"
        #expect(try a.command("export", file).code == 0)
        let whole = try bytes(file)
        for length in [0, 50, 300, whole.count / 2, whole.count - 20, whole.count] {
            let again = a.directory.path + "/again-\(length).pando"
            try write(whole[..<length], to: again + ".part")
            // Of the state that it was begun with, though the node goes on.
            if length > 300 { try a.put("/files/later", "\(length)") }
            let result = try a.command("export", again)
            #expect(result.code == 0, "\(result.errors)")
            if length > 250 { #expect(try bytes(again) == whole, "\(length)") }
            #expect(try a.command(["import", "--check", again], isGlobal: false).code == 0)
        }
    }

    @Test func onlyForTheOwner() throws {
        let a = try RunningNode()
        try a.put("/files/f", "x")
        let made = try a.post("/auth/keys", #"{"label": "some", "rules": [{"path": "/f", "allow": ["read", "list"]}]}"#)
        let key = try #require(made.json["api_key"].text)
        let token = try #require(try a.send("POST", "/auth/token", body: Array("{\"api_key\": \"\(key)\"}".utf8), as: .nobody).json["token"].text)
        #expect(try a.send("GET", "/system/export", as: .token(token)).status == 403)
        #expect(try a.send("GET", "/system/export", as: .nobody).status == 401)
    }
}
