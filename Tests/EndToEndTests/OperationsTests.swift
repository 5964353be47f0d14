import Foundation
import Testing

@Suite("Operations")
struct OperationsTests {
    /// Runs `serve` with a configuration file that it must refuse.
    private func refusal(_ text: String, in directory: TemporaryDirectory) throws -> String {
        try directory.write(text, to: "pando.yaml")
        let process = try ChildProcess(["serve", "--config", "pando.yaml", "--port", "0"], in: directory.path)
        #expect(try process.wait() == .exited(2), "\(text)")
        return process.errors
    }

    @Test("A configuration file is checked before anything starts, with the line and what was meant")
    func badConfiguration() throws {
        let directory = try TemporaryDirectory()
        for (text, words) in [
            ("host: 127.0.0.1\nprot: 1\n", ["pando.yaml:2", "'prot'", "did you mean 'port'?"]), ("log-level: debug\n", ["'log-level'", "'log_level'"]),
            ("port: many\n", ["pando.yaml:1", "whole number"]), ("tls: perhaps\n", ["true or false"]), ("peers: x\n", ["a list"]),
            ("port: 1\nport: 2\n", ["twice"]), ("- a\n", ["name: value"]), ("a: [\n", ["line"]), ("log_level: loud\n", ["'loud'"]),
            ("colour: red\n", ["there is no setting 'colour'"]), ("insecure: true\ntls: true\n", ["--insecure"]), ("log_format: xml\n", ["'xml'"]),
        ] {
            let said = try refusal(text, in: directory)
            for word in words { #expect(said.contains(word), "\(text): \(said)") }
        }
        try directory.write("join: http://127.0.0.1:1\njoin_token: secret\n", to: "pando.yaml")
        try FileManager.default.setAttributes([.posixPermissions: 0o644], ofItemAtPath: directory.appending("pando.yaml"))
        let process = try ChildProcess(["serve", "--config", "pando.yaml"], in: directory.path)
        #expect(try process.wait() == .exited(2))
        #expect(process.errors.contains("chmod 600") && !process.errors.contains("secret"), "\(process.errors)")
    }

    @Test("Flags stand over variables, and those over the file")
    func precedence() throws {
        let settings = try TemporaryDirectory()
        try settings.write("label: from-file\nlog_format: json\nlog_level: debug\n", to: "pando.yaml")
        let config = ["PANDO_CONFIG": settings.appending("pando.yaml")]
        func label(_ node: RunningNode) throws -> String? { try node.status()["label"].text }
        let file = try RunningNode(environment: config)
        #expect(try label(file) == "from-file")
        let variable = config.merging(["PANDO_LABEL": "from-variable"]) { $1 }
        #expect(try label(RunningNode(environment: variable)) == "from-variable")
        #expect(try label(RunningNode(["--label", "from-flag"], environment: variable)) == "from-flag")

        // The log of the first: one document a line, with requests and their ids, and no secrets.
        #expect(try file.get("/files/nothing").status == 404)
        let refused = try file.send("GET", "/files/x", as: .token("no"))
        let id = try #require(refused["x-request-id"])
        try eventually("the log has the request") { file.process.errors.contains(id) }
        let lines = file.process.errors.split(separator: "\n").map { Document(json: String($0)) }
        #expect(!lines.isEmpty && lines.allSatisfy { $0["time"].text != nil && $0["level"].text != nil && $0["message"].text != nil })
        #expect(lines.contains { $0["message"].text == "GET /files/nothing 404" })
        #expect(!file.process.errors.contains(file.token))
    }

    @Test("Figures for Prometheus, for those who may list everything")
    func metrics() throws {
        let a = try RunningNode()
        let b = try RunningNode(joining: a)
        try b.put("/files/f", "x")
        try b.sync()
        let page = try b.get("/metrics")
        #expect(page.status == 200 && page["content-type"]?.hasPrefix("text/plain; version=0.0.4") == true)
        var values: [String: Double] = [:]
        for line in page.text.split(separator: "\n") where !line.hasPrefix("#") {
            let words = line.split(separator: " ")
            #expect(words.count == 2, "\(line)")
            values[String(words[0])] = Double(words[1])
        }
        #expect(values["pando_files"] == 1 && values["pando_bytes"] == 1 && values["pando_conflicts"] == 0)
        #expect(values["pando_commits_total"] ?? 0 >= 2)
        let peer = try "{peer=\"\(a.id())\",address=\"\(a.url)\"}"
        #expect(values["pando_peer_active" + peer] == 1 && values["pando_peer_lag_seconds" + peer] == 0)
        #expect(values["pando_peer_clock_error_seconds" + peer].map { $0 > 0 } == true)
        #expect(values[#"pando_http_requests_total{method="PUT",route="/files/{path...}",status="201"}"#] == 1)
        for name in ["pando_stored_bytes", "pando_disk_free_bytes", "process_resident_memory_bytes", "pando_objects"] { #expect(values[name] ?? 0 > 0, "\(name)") }
        #expect(values["pando_write_queue"] != nil)

        let watcher = try b.command("keys", "create", "prometheus", "--rule", "/**=list").output.trimmingCharacters(in: .whitespacesAndNewlines)
        #expect(try b.send("GET", "/metrics", as: .token(watcher)).status == 200)
        let scoped = try b.command("keys", "create", "scoped", "--rule", "/a/**=all").output.trimmingCharacters(in: .whitespacesAndNewlines)
        #expect(try b.send("GET", "/metrics", as: .token(scoped)).status == 403)
        #expect(try b.send("GET", "/metrics", as: .nobody).status == 401)
        #expect(try b.send("GET", "/metrics", as: .token("pando_0123456789abcdef_" + String(repeating: "0", count: 64))).status == 401)
        #expect(try b.send("GET", "/files/f", as: .token(watcher)).status == 401, "a key is no token elsewhere")
    }

    @Test("The doctor finds what is wrong and says what to do")
    func doctor() throws {
        let a = try RunningNode()
        let healthy = try a.command("doctor", "--json")
        #expect(healthy.code == 0, "\(healthy.output)")
        let names = healthy.json["checks"].items.compactMap { $0["name"].text }
        for name in ["configuration", "data directory", "disk", "open files", "node", "clock"] { #expect(names.contains(name), "\(names)") }

        try a.post("/sync/peers", #"{"address": "https://127.0.0.1:1"}"#)
        let ill = try a.command("doctor")
        #expect(ill.code == 1)
        #expect(ill.output.contains("FAIL") && ill.output.contains("127.0.0.1:1"), "\(ill.output)")
        try a.stop()
        let stopped = try a.command(["doctor"], environment: ["PANDO_PORT": "0"])
        #expect(stopped.code == 0 && stopped.output.contains("not running"), "\(stopped.output)")
        let b = try RunningNode()
        let taken = try a.command(["doctor"], environment: ["PANDO_PORT": String(b.port)])
        #expect(taken.code == 1 && taken.output.contains("cannot listen"), "\(taken.output)")
        let wrong = try a.command(["doctor"], environment: ["PANDO_PORT": "many"])
        #expect(wrong.code == 1 && wrong.output.contains("PANDO_PORT"), "\(wrong.output)")
    }
}
