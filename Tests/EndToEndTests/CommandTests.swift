import Foundation
import Testing

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
}
