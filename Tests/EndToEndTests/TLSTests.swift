import Foundation
import Testing

@Suite("TLS")
struct TLSTests {
    /// Fetches with curl, which knows the node's certificate and nothing else of it.
    private func curl(_ node: RunningNode, _ arguments: [String]) throws -> (code: ProcessEnd, output: String) {
        let process = try ChildProcess(
            ["-sS", "--max-time", "30", "--cacert", node.data + "/tls-certificate.pem", "-H", "Authorization: Bearer \(node.token)"] + arguments,
            program: "/usr/bin/curl", in: node.directory.path)
        return (try process.wait(), process.output)
    }

    @Test("Commands and curl work over it; plain HTTP is told that it is at the wrong door")
    func speaksTLS() throws {
        let node = try RunningNode(["--tls"])
        #expect(node.url.hasPrefix("https://"))
        let content = noise(3_000_000, seed: 1)
        try node.directory.write(content, to: "f.bin")
        #expect(try node.command("put", node.directory.appending("f.bin"), "/f.bin").code == 0)
        #expect(try node.command("get", "/f.bin", node.directory.appending("g.bin")).code == 0)
        #expect(try node.directory.read("g.bin") == content)
        let fetched = try curl(node, [node.url + "/files/f.bin", "-o", node.directory.appending("h.bin"), "-w", "%{http_code}"])
        #expect(fetched.code == .exited(0) && fetched.output == "200")
        #expect(try node.directory.read("h.bin") == content)
        // TLS before 1.2 is refused.
        #expect(try curl(node, ["--tls-max", "1.1", node.url + "/health/live"]).code != .exited(0))

        let plain = try node.send("GET", "/health/live")
        #expect(plain.status == 400)
        #expect(plain["content-type"] == "application/problem+json")
        #expect(plain.json["detail"].text?.contains("https://") == true)
        // Without its certificate no authority vouches for it, and nobody has met it yet.
        let owner = try node.command(["--node", node.url, "status"], environment: ["PANDO_KEY": node.rootKey, "PANDO_DATA": node.data], isGlobal: false)
        #expect(owner.code == 0, "the data directory is this machine's: \(owner.errors)")
        let elsewhere = try node.command(
            ["--node", node.url, "status"], environment: ["PANDO_KEY": node.rootKey, "PANDO_DATA": "/nowhere"], isGlobal: false)
        #expect(elsewhere.code == 1 && elsewhere.errors.contains("no authority"), "\(elsewhere.errors)")
        let known = try node.command(
            ["--node", node.url, "status"], environment: ["PANDO_KEY": node.rootKey, "PANDO_DATA": "/nowhere", "PANDO_NODE_ID": node.nodeID()],
            isGlobal: false)
        #expect(known.code == 0, "\(known.errors)")
    }

    @Test("Nodes keep in touch over it, and events stream")
    func live() throws {
        let a = try RunningNode(["--tls"], isLive: true)
        let b = try RunningNode(joiningOverTLS: a, isLive: true)
        try a.directory.write("A's", to: "f")
        #expect(try a.command("put", a.directory.appending("f"), "/f").code == 0)
        try eventually("B has A's file") { try b.command("cat", "/f").output == "A's" }
        let peers = try b.command("peers", "--json").json["items"].items
        #expect(peers.count == 1)
        #expect(peers.first?["state"].text == "active")
        #expect(peers.first?["address"].text == a.url)
        let stream = try ChildProcess(
            ["-sSN", "--max-time", "60", "--cacert", b.data + "/tls-certificate.pem", "-H", "Authorization: Bearer \(b.token)",
                b.url + "/events?events=commit"],
            program: "/usr/bin/curl", in: b.directory.path)
        try eventually("the stream begins") { stream.output.contains("event: ready") }
        #expect(try a.command("put", a.directory.appending("f"), "/g").code == 0)
        try eventually("B tells of the commit") { stream.output.contains("event: commit") }
        stream.signal(SIGKILL)
        try stream.wait()
        #expect(try b.stop() == .exited(0))
        #expect(try a.stop() == .exited(0))
    }

    @Test("A node that answers in the place of a peer gets nothing, and the reason names both")
    func impostor() throws {
        let a = try RunningNode(["--tls"])
        let proxy = try CuttingProxy(to: a.port)
        let b = try RunningNode(joiningOverTLS: a, at: proxy.url.replacing("http://", with: "https://"))
        #expect(try b.command("sync", "trigger").code == 0)
        let impostor = try RunningNode(["--tls"])
        proxy.point(to: impostor.port)
        let trigger = try b.command("sync", "trigger", "--json")
        let error = trigger.json["peers"][0]["error"].text ?? ""
        for word in ["is expected", String(try a.nodeID().prefix(12)), String(try impostor.nodeID().prefix(12))] {
            #expect(error.contains(word), "\(error)")
        }
        #expect(try b.command("peers", "--json").json["items"][0]["reason"].text == error)
        // An invitation is not shown to whom it does not come from.
        let invitation = try a.command("invite").output.trimmingCharacters(in: .whitespacesAndNewlines)
        let join = try impostor.command("join", b.url, "--token", invitation)
        #expect(join.code == 1 && join.errors.contains("is expected"), "\(join.errors)")
        proxy.point(to: a.port)
        #expect(try b.command("sync", "trigger").code == 0)
    }

    @Test("A login remembers the node; another one in its place is refused until it is believed by name")
    func login() throws {
        let a = try RunningNode(["--tls"])
        let proxy = try CuttingProxy(to: a.port)
        let url = proxy.url.replacing("http://", with: "https://")
        let first = try a.command(["login", url, "--key", a.rootKey], isGlobal: false)
        let id = try a.nodeID()
        #expect(first.code == 0 && first.output.contains(id) && first.errors.contains("remembered"), "\(first.errors)")
        let environment = ["PANDO_DATA": "/nowhere"]
        #expect(try a.command(["status"], environment: environment, isGlobal: false).code == 0)

        let other = try RunningNode(["--tls"])
        proxy.point(to: other.port)
        let refused = try a.command(["status"], environment: environment, isGlobal: false)
        #expect(refused.code == 1 && refused.errors.contains("is expected"), "\(refused.errors)")
        let again = try a.command(["login", url, "--key", other.rootKey], isGlobal: false)
        #expect(again.code == 1 && again.errors.contains("--replace"), "\(again.errors)")
        #expect(try a.command(["login", url, "--key", other.rootKey, "--replace"], isGlobal: false).code == 0)
        #expect(try a.command(["status"], environment: environment, isGlobal: false).output.contains(other.nodeID()))
        // The wrong scheme, both ways.
        let plain = try RunningNode()
        let both = [
            (url.replacing("https://", with: "http://"), "https://"), (plain.url.replacing("http://", with: "https://"), "does not speak TLS"),
        ]
        for (url, word) in both {
            let login = try a.command(["login", url, "--key", a.rootKey], isGlobal: false)
            #expect(login.code == 1 && login.errors.contains(word), "\(login.errors)")
        }
    }

    @Test("Off loopback it is on, unless it is switched off by name")
    func byDefault() throws {
        let everywhere = try RunningNode(["--host", "0.0.0.0"])
        #expect(everywhere.url == "https://127.0.0.1:\(everywhere.port)")
        #expect(everywhere.log.contains("https://0.0.0.0:"))
        #expect(try everywhere.command("status").code == 0)
        let insecure = try RunningNode(["--host", "0.0.0.0", "--insecure"])
        #expect(insecure.url.hasPrefix("http://"))
        #expect(try insecure.get("/health/live").status == 200)
        for wrong in [["--tls", "--insecure"], ["--tls-cert", "x"], ["--tls-key", "x"], ["--insecure", "--tls-cert", "x", "--tls-key", "y"]] {
            let process = try ChildProcess(["serve", "--data", "d", "--port", "0"] + wrong, in: everywhere.directory.path)
            #expect(try process.wait() == .exited(2), "\(wrong)")
        }
    }

    @Test("A certificate of one's own is shown, and the node's word is good for it too")
    func ownCertificate() throws {
        let maker = try RunningNode(["--tls"])
        let (certificate, key) = (maker.data + "/tls-certificate.pem", maker.data + "/tls-key.pem")
        let a = try RunningNode(["--tls-cert", certificate, "--tls-key", key])
        let b = try RunningNode(joiningOverTLS: a)
        #expect(try b.command("sync", "trigger").code == 0)
        #expect(try a.command("status").code == 0)
        #expect(!FileManager.default.fileExists(atPath: a.data + "/tls-key.pem"))
        let process = try ChildProcess(["serve", "--data", "d", "--port", "0", "--tls-cert", certificate, "--tls-key", b.data + "/tls-key.pem"], in: a.directory.path)
        #expect(try process.wait() == .exited(1))
        #expect(process.errors.contains("is not the one of"), "\(process.errors)")
    }
}
