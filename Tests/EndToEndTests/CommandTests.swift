import Foundation
import Testing

#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

@Suite("Commands that look after a node")
struct CommandTests {
    @Test("Keys are made, shown without their secrets, and revoked")
    func keys() throws {
        let node = try RunningNode()
        try node.put("/files/assets/a", "A")
        try node.put("/files/assets/secret/s", "S")
        let made = try node.command("keys", "create", "web", "--rule", "/assets/secret/**=none", "--rule", "/assets/**=read,list", "--expires", "2h")
        #expect(made.code == 0, "\(made.errors)")
        let key = made.output.trimmingCharacters(in: .whitespacesAndNewlines)
        let scoped = ["PANDO_KEY": key, "PANDO_NODE": node.url]
        #expect(try node.command(["cat", "/assets/a"], environment: scoped, isGlobal: false).output == "A")
        #expect(try node.command(["cat", "/assets/secret/s"], environment: scoped, isGlobal: false).code == 1)
        #expect(try node.command(["rm", "/assets/a"], environment: scoped, isGlobal: false).code == 1)
        let second = try node.command("keys", "create", "all", "--rule", "/**=all", "--json").json
        #expect(second["api_key"].text?.hasPrefix("pando_") == true)

        let listed = try node.command("keys", "list", "--json")
        #expect(listed.json["items"].items.compactMap { $0["label"].text }.sorted() == ["all", "root", "web"])
        #expect(!listed.output.contains(key))
        let table = try node.command("keys").output
        #expect(table.contains("/assets/**=read,list") && table.contains("/assets/secret/**=none") && table.contains("/**=all"), "\(table)")

        #expect(try node.command("keys", "revoke", "nobody", "web").code == 1)
        #expect(try node.command(["cat", "/assets/a"], environment: scoped, isGlobal: false).code == 0, "nothing was revoked")
        #expect(try node.command("keys", "revoke", "web", String(second["id"].text?.prefix(8) ?? "")).code == 0)
        #expect(try node.command(["cat", "/assets/a"], environment: scoped, isGlobal: false).code == 1)
        #expect(try node.command("keys", "list", "--json").json["items"].items.count == 1)
        for wrong in [["x"], ["x", "--rule", "/a"], ["x", "--rule", "/a=fly"], ["x", "--rule", "=read"], ["x", "--rule", "/a="]] {
            #expect(try node.command(["keys", "create"] + wrong).code == 2, "\(wrong)")
        }
    }

    @Test("A watched status prints line after line until it is stopped, and ends well")
    func watch() throws {
        let a = try RunningNode(isLive: true)
        let b = try RunningNode(joining: a, isLive: true)
        for arguments in [[], ["--json"]] {
            let watch = try ChildProcess(["--data", b.data, "status", "--watch", "--interval", "0.1"] + arguments, in: b.directory.path)
            try eventually("some looks") { watch.output.split(separator: "\n").count { $0.contains("active") } > 3 }
            watch.signal(SIGINT)
            #expect(try watch.wait() == .exited(0))
            #expect(!watch.output.contains("\u{1b}"), "no commands for a terminal where there is none")
            if !arguments.isEmpty {
                let look = Document(json: String(watch.output.split(separator: "\n").last ?? ""))
                #expect(look["status"]["node_id"].text == (try b.nodeID()))
                #expect(look["peers"][0]["lag_seconds"].number != nil)
            }
        }
        #expect(try b.command("status", "--watch", "--interval", "0").code == 2)
        #expect(try b.command("members").output.contains("20"), "since when")
    }

    @Test("What is not told to keys with rules is no zero")
    func keysWithRules() throws {
        let node = try RunningNode()
        try node.put("/files/open/d/a", "12345")
        try node.put("/files/open/b", "123")
        try node.put("/files/closed", "1234567")
        let key = try node.command("keys", "create", "part", "--rule", "/open/**=all").output.trimmingCharacters(in: .whitespacesAndNewlines)
        func command(_ arguments: String...) throws -> RunningNode.CommandResult {
            try node.command(arguments, environment: ["PANDO_KEY": key, "PANDO_NODE": node.url], isGlobal: false)
        }
        for arguments in [["log", "/open/b"], ["log", "-l", "/open/b"], ["log"]] {
            let log = try node.command(arguments, environment: ["PANDO_KEY": key, "PANDO_NODE": node.url], isGlobal: false)
            #expect(log.code == 0 && log.output.contains("/open/b") && !log.output.contains("closed"), "\(log)")
        }
        let status = try command("status")
        for name in ["files", "size", "conflicts", "deletions"] {
            #expect(status.output.contains(try Regex("(?m)^\(name) +-$")), "\(status)")
        }
        #expect(try command("status", "--json").json["files"].isNull)
        let usage = try command("du", "/open", "--json").json["items"].items
        #expect(usage.map { "\($0["path"]) \($0["size"]) \($0["files"])" } == ["\"/open/d\" 5 1", "\"/open\" 8 2"])
        #expect(try command("du", "-s", "--json").json["items"][0]["size"].number == 8)
    }

    @Test("One refused path does not keep the others out, and the words say which it is")
    func refusedPuts() throws {
        let node = try RunningNode()
        let local = try TemporaryDirectory()
        try local.write("1", to: "dir/.conflicts/x")
        try local.write("22", to: "dir/a")
        try local.write("333", to: "dir/d/b")
        let sent = try node.command("put", "-r", local.path + "/dir/.", "/")
        #expect(sent.code == 1 && sent.errors.contains("/.conflicts/x: not written to /.conflicts/x: "), "\(sent)")
        #expect(sent.output.hasPrefix("sent 2 files, 5 B"), "\(sent)")
        #expect(try node.content("/a") == "22" && node.content("/d/b") == "333")

        let key = try node.command("keys", "create", "part", "--rule", "/open/**=all").output.trimmingCharacters(in: .whitespacesAndNewlines)
        let refused = try node.command(
            ["put", local.path + "/dir/a", "/closed/a"], environment: ["PANDO_KEY": key, "PANDO_NODE": node.url], isGlobal: false)
        #expect(refused.code == 1 && refused.errors.contains("not written to /closed/a: ") && !refused.errors.contains("a: nothing is there\n"), "\(refused)")
        #expect(refused.output.hasPrefix("sent 0 files, 0 B"), "\(refused)")

        let path: [CChar] = Array((local.path + "/dir/").utf8CString.dropLast()) + [0x66, -1, 0]
        close(open(path, O_CREAT | O_WRONLY, 0o600))
        let named = try node.command("put", "-r", local.path + "/dir", "/more")
        #expect(named.errors.contains("/dir/f\\xff: its name is not UTF-8"), "\(named)")
    }

    @Test("'get' writes to standard output as 'put' reads standard input")
    func getToStandardOutput() throws {
        let node = try RunningNode()
        try node.put("/files/x", "text\n")
        let got = try node.command("get", "/x", "-")
        #expect(got.code == 0 && got.output == "text\n" && got.errors.isEmpty, "\(got)")
        #expect(!FileManager.default.fileExists(atPath: node.directory.appending("-")))
        #expect(try node.command("get", "-r", "/", "-").code == 2)
        #expect(try node.command("get", "--json", "/x", "-").code == 2)
        #expect(try node.command("get", "/none", "-").code == 1)
        #expect(try node.command("get", "/x", "./-").code == 0)
        #expect(FileManager.default.fileExists(atPath: node.directory.appending("-")))
    }

    @Test("A peer that never answered is removed by its address")
    func peersWithoutAnId() throws {
        let node = try RunningNode()
        #expect(try node.command("peers", "add", "http://127.0.0.1:1").code == 0)
        #expect(try node.command("peers", "add", "http://127.0.0.1:2", "--label", "later").code == 0)
        #expect(try node.command("peers", "remove", "http://127.0.0.1:3").code == 1)
        for name in ["127.0.0.1:1", "later"] {
            let removed = try node.command("peers", "remove", name)
            #expect(removed.code == 0, "\(removed)")
        }
        #expect(try node.get("/sync/peers").json["items"].items.isEmpty)
    }

    @Test("Wrong use and what is in the way are named")
    func words() throws {
        let node = try RunningNode()
        #expect(try node.command(["help", "bogus"], isGlobal: false).code == 2)
        #expect(try node.command(["help", "sync", "bogus"], isGlobal: false).code == 2)
        #expect(try node.command(["help", "sync", "pause"], isGlobal: false).code == 0)
        let taken = try node.command(["serve", "--data", node.directory.appending("other"), "--port", "\(node.port)"], isGlobal: false)
        #expect(taken.code == 1)
        #expect(taken.errors.contains("port \(node.port) of 127.0.0.1 is in use") && !taken.errors.contains("errno"), "\(taken.errors)")
    }
}
