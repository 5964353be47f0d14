import Foundation
import Testing

/// Collection, scrub and healing of real nodes. The times of the tests are those of the nodes' work; none is asserted.
@Suite("Care")
struct CareTests {
    // MARK: Help

    /// Starts a task and waits for its end.
    private func run(_ kind: String, _ node: RunningNode, _ options: String = "{}") throws -> Document {
        let answer = try node.post("/system/" + kind, options)
        #expect(answer.status == 202, "\(answer.text)")
        return try ended(answer.json["id"].text ?? "", node)
    }

    private func ended(_ id: String, _ node: RunningNode) throws -> Document {
        var task = Document(nil)
        try eventually("the end of a task") {
            task = try node.get("/system/tasks/" + id).json
            return task["state"].text != "running"
        }
        return task
    }

    private func segments(_ node: RunningNode) throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: node.data + "/segments").filter { $0.hasSuffix(".segment") }.sorted()
            .map { node.data + "/segments/" + $0 }
    }

    /// Turns one bit of some content over, in a stopped node's log.
    private func flip(_ content: [UInt8], in node: RunningNode) throws {
        for path in try segments(node) {
            var bytes = try Data(contentsOf: URL(filePath: path))
            guard let range = bytes.range(of: Data(content.prefix(64))) else { continue }
            bytes[range.lowerBound + 20] ^= 4
            try overwrite(path, with: bytes)
            return
        }
        Issue.record("the content is not in the log")
    }

    /// In place: a file with another inode would be a copy that was put back.
    private func overwrite(_ path: String, with bytes: Data, from offset: UInt64 = 0) throws {
        let file = try FileHandle(forWritingTo: URL(filePath: path))
        try file.seek(toOffset: offset)
        try file.write(contentsOf: bytes)
        try file.close()
    }

    /// Overwrites all of a stopped node's log but the headers of its segments.
    private func ruin(_ node: RunningNode, seed: UInt64) throws {
        for (index, path) in try segments(node).enumerated() {
            let size = try Data(contentsOf: URL(filePath: path)).count
            try overwrite(path, with: Data(noise(size - 16, seed: seed &+ UInt64(index))), from: 16)
        }
    }

    private func fill(_ node: RunningNode, _ count: Int = 12) throws -> [String: [UInt8]] {
        var files: [String: [UInt8]] = [:]
        for number in 0..<count {
            let body = noise(number == 0 ? 2_500_000 : 3_000 + number, seed: UInt64(number) + 77)
            files["/d\(number % 3)/\(number)"] = body
            #expect(try node.send("PUT", "/files/d\(number % 3)/\(number)", body: body).status == 201)
        }
        return files
    }

    private func check(_ files: [String: [UInt8]], on node: RunningNode, _ location: SourceLocation = #_sourceLocation) throws {
        for (path, body) in files { #expect(try node.get("/files" + path).body == body, "\(path)", sourceLocation: location) }
    }

    // MARK: Tasks

    @Test func aTaskIsStartedFollowedAndRemembered() throws {
        let a = try RunningNode()
        _ = try fill(a)
        let task = try run("gc", a, #"{"dry_run": true}"#)
        #expect(task["state"].text == "done" && task["dry_run"].flag == true, "\(task)")
        #expect(task["result"]["live"]["objects"].number ?? 0 > 10)
        #expect(task["result"]["kept"].items.contains { $0["reason"].text == "newest" })
        #expect(try run("verify", a)["result"]["lost"].number == 0)
        let listed = try a.get("/system/tasks").json["items"].items
        #expect(listed.map { $0["kind"].text } == ["verify", "gc"])
        // Slow enough to be met.
        let slow = try a.post("/system/scrub", #"{"rate": 1000}"#)
        #expect(slow.status == 202)
        let second = try a.post("/system/scrub")
        #expect(second.status == 409 && second.text.contains(slow.json["id"].text ?? "-"), "\(second.text)")
        #expect(try a.send("DELETE", "/system/tasks/\(slow.json["id"].text ?? "")").status == 202)
        #expect(try ended(slow.json["id"].text ?? "", a)["state"].text == "cancelled")
        #expect(try a.send("DELETE", "/system/tasks/\(slow.json["id"].text ?? "")").status == 409)
        #expect(try a.get("/system/tasks/none").status == 404)
        for bad in [#"{"rate": 0}"#, #"{"rate": "x"}"#, #"{"dry_run": 1}"#, #"{"other": 1}"#, "[]"] {
            #expect(try a.post("/system/gc", bad).status == 400, "\(bad)")
        }
        // A node that is told to end does, also in the middle.
        #expect(try a.post("/system/scrub", #"{"rate": 1000}"#).status == 202)
        #expect(try a.stop() == .exited(0))
    }

    @Test func theCommandsOnARunningAndOnAStoppedNode() throws {
        let a = try RunningNode()
        let files = try fill(a)
        #expect(try a.command("retention", "set", "/**=0,0,0").code == 0)
        for number in 0..<12 { #expect(try a.send("PUT", "/files/d\(number % 3)/\(number)", body: noise(40_000, seed: 5 + UInt64(number))).status == 200) }
        let preview = try a.command("gc", "--dry-run")
        #expect(preview.code == 0 && preview.output.contains("would go"), "\(preview.errors)\(preview.output)")
        let wouldFree = try a.command("gc", "--dry-run", "--json").json["freed_bytes"].number ?? 0
        #expect(wouldFree > 2_000_000)
        let gone = try a.command("gc", "--json")
        #expect(gone.code == 0, "\(gone.errors)")
        #expect(gone.json["freed_bytes"].number ?? 0 > 2_000_000, "\(gone.output)")
        #expect(try a.command("scrub").code == 0)
        let whole = try a.command("verify", "--json").json
        #expect(whole["lost"].number == 0 && whole["whole"].flag == true && whole["complete"].flag == true)
        let status = try a.command("status")
        #expect(status.output.contains("last scrub") && !status.output.contains("not yet"), "\(status.output)")
        #expect(try a.get("/metrics").text.contains("pando_last_scrub_timestamp_seconds"))
        try a.restart()
        // It knows of it after a restart.
        #expect(try a.status()["care"]["last_scrub_at"].isNull == false)
        #expect(try a.status()["care"]["freed_bytes"].number ?? 0 > 2_000_000)
        try a.stop()
        let kept = noise(40_000, seed: 5)
        for command in [["scrub"], ["verify"], ["gc", "--dry-run"], ["gc"]] { #expect(try a.command(command).code == 0, "\(command)") }
        try flip(kept, in: a)
        for command in ["scrub", "verify"] {
            let result = try a.command(command)
            #expect(result.code == 1 && result.output.contains("/d0/0: "), "\(result.output)\(result.errors)")
        }
        let lost = try a.command("verify", "--json").json
        #expect(lost["lost"].number ?? 0 > 0 && lost["whole"].flag == false && lost["complete"].flag == true, "\(lost)")
        _ = files
    }

    @Test func theScheduleScrubsByItself() throws {
        let a = try RunningNode(["--scrub-interval", "1s", "--gc-interval", "1s"])
        try a.put("/files/x", "x")
        try eventually("a scrub by the schedule") { try a.status()["care"]["last_scrub_at"].isNull == false }
        let tasks = try a.get("/system/tasks").json["items"].items
        #expect(tasks.contains { $0["kind"].text == "scrub" && $0["scheduled"].flag == true })
    }

    // MARK: Healing

    @Test func aFlippedBitIsHealedWithinOneScrub() throws {
        let a = try RunningNode()
        let files = try fill(a)
        let b = try RunningNode(joining: a)
        try b.sync()
        try b.stop()
        try flip(files["/d1/4"] ?? [], in: b)
        try flip(files["/d0/0"] ?? [], in: b)
        try b.start()
        let task = try run("scrub", b)
        #expect(task["result"]["damaged"].number == 2 && task["result"]["healed"].number == 2 && task["result"]["lost"].number == 0, "\(task)")
        #expect(b.process.errors.contains("healed"), "\(b.process.errors)")
        try check(files, on: b)
        #expect(try run("verify", b)["result"]["damaged"].number == 0)
    }

    @Test func aReadMeetsDamageAndMendsIt() throws {
        let a = try RunningNode(isLive: true)
        let files = try fill(a)
        let b = try RunningNode(joining: a, isLive: true)
        try eventually("the same files") { try a.root() == b.root() }
        try b.stop()
        for path in ["/d1/4", "/d0/0"] { try flip(files[path] ?? [], in: b) }
        try b.start()
        try eventually("a peer in touch") { try b.get("/sync/peers").json["items"][0]["state"].text == "active" }
        try check(files, on: b)
    }

    @Test func whatNobodyHasIsNamed() throws {
        let a = try RunningNode()
        let files = try fill(a)
        try a.stop()
        try flip(files["/d1/4"] ?? [], in: a)
        try a.start()
        let task = try run("scrub", a)
        #expect(task["result"]["lost"].number == 1, "\(task)")
        #expect(task["result"]["losses"][0]["path"].text == "/d1/4", "\(task)")
        #expect(try a.status()["care"]["losses"][0]["path"].text == "/d1/4")
        #expect(try a.get("/files/d1/4").status == 500)
        // The rest serves, and can be written.
        #expect(try a.get("/files/d0/0").body == files["/d0/0"])
        #expect(try a.send("PUT", "/files/d1/4", body: [1]).status == 200)
    }

    /// What is damaged at one peer comes from another, and a sync does not break off for it.
    @Test func aDamagedObjectDoesNotBreakOffASync() throws {
        let a = try RunningNode()
        let files = try fill(a)
        let b = try RunningNode(joining: a)
        try b.sync()
        try a.stop()
        try flip(files["/d1/4"] ?? [], in: a)
        try a.start()
        let c = try RunningNode(joining: b)
        _ = try c.command("peers", "add", a.url)
        // From A alone it is not to be had; with B it is.
        _ = try c.trigger()
        _ = try c.trigger()
        #expect(try c.root() == b.root())
        try check(files, on: c)
    }

    @Test(arguments: [1, 2])
    func segmentsOverwrittenOnSomeOfThreeNodes(count: Int) throws {
        let a = try RunningNode()
        let files = try fill(a)
        let b = try RunningNode(joining: a)
        let c = try RunningNode(joining: a)
        try b.sync()
        try c.sync()
        #expect(try b.root() == a.root())
        for node in [b, c].prefix(count) {
            try node.stop()
            try ruin(node, seed: UInt64(count))
            try node.start()
        }
        for node in [b, c].prefix(count) {
            try eventually("the cluster and the files are back") {
                _ = try node.trigger()
                return try node.root() == a.root()
            }
            let task = try run("scrub", node)
            #expect(task["result"]["lost"].number == 0, "\(task)")
            try check(files, on: node)
        }
        #expect(try a.conflicts().isEmpty)
        // What a ruined node writes next is no conflict and covers nothing.
        #expect(try b.send("PUT", "/files/new", body: [2]).status == 201)
        try b.sync()
        #expect(try a.get("/files/new").body == [2])
    }

    @Test func theIndexOrTheWholeLogIsLost() throws {
        let a = try RunningNode()
        let files = try fill(a)
        let b = try RunningNode(joining: a)
        try b.sync()
        try b.stop()
        for name in ["index", "history"] { try FileManager.default.removeItem(atPath: b.data + "/" + name) }
        try b.start()
        try check(files, on: b)
        try b.stop()
        try FileManager.default.removeItem(atPath: b.data + "/segments")
        try b.start()
        try eventually("all files again") {
            _ = try b.trigger()
            return try b.root() == a.root()
        }
        try check(files, on: b)
        #expect(try a.get("/sync/members").json["items"].items.count == 2)
        #expect(try a.conflicts().isEmpty)
    }

    // MARK: Beside each other

    @Test func collectionsRunDuringTheFirstSyncOfAnother() throws {
        let a = try RunningNode(isLive: true)
        #expect(try a.command("retention", "set", "/**=0,0,0").code == 0)
        var files = try fill(a, 40)
        for number in 0..<20 {
            let body = noise(90_000, seed: 900 + UInt64(number))
            files["/d\(number % 3)/\(number)"] = body
            #expect(try a.send("PUT", "/files/d\(number % 3)/\(number)", body: body).status == 200)
        }
        let b = try RunningNode(joining: a, isLive: true)
        try eventually("the same files, with collections on both") {
            for node in [a, b] { _ = try run("gc", node) }
            return try a.root() == b.root()
        }
        for node in [a, b] {
            #expect(try run("gc", node)["state"].text == "done")
            #expect(try run("verify", node)["result"]["damaged"].number == 0)
            try check(files, on: node)
        }
    }

    @Test func twoPoliciesSetAtOnceAreBothKeptTo() throws {
        let a = try RunningNode()
        try a.put("/files/keep/x", "old")
        try a.put("/files/other/x", "old")
        let commit = try a.status()["head"].text ?? ""
        let b = try RunningNode(joining: a)
        try b.sync()
        #expect(try a.command("retention", "set", "/keep/**=ever,0,0", "/**=0,0,0").code == 0)
        #expect(try b.command("retention", "set", "/**=0,0,0").code == 0)
        try b.sync()
        for node in [a, b] {
            let policy = try node.get("/versions/retention").json
            #expect(policy["rivals"].items.count == 1, "\(policy)")
            #expect(policy["rules"].items.count + policy["rivals"][0]["rules"].items.count == 3)
        }
        try a.put("/files/keep/x", "new")
        try a.put("/files/other/x", "new")
        #expect(try run("gc", a)["state"].text == "done")
        #expect(try a.get("/files/keep/x?at=\(commit)").text == "old")
        #expect(try a.get("/files/other/x?at=\(commit)").status == 410)
        // Until somebody decides.
        #expect(try a.command("retention", "set", "/**=0,0,0").code == 0)
        #expect(try a.get("/versions/retention").json["rivals"].items.isEmpty)
        #expect(try run("gc", a)["state"].text == "done")
        // A state of which nothing is left is not known any more.
        #expect(try [404, 410].contains(a.get("/files/keep/x?at=\(commit)").status))
    }

    @Test func aSnapshotIsDeletedWhileItIsRead() throws {
        let a = try RunningNode()
        #expect(try a.command("retention", "set", "/**=0,0,0").code == 0)
        // More than the buffers between the two hold.
        let body = noise(48 << 20, seed: 3)
        #expect(try a.send("PUT", "/files/large", body: body).status == 201)
        #expect(try a.post("/versions/snapshots", #"{"name": "s"}"#).status == 201)
        #expect(try a.send("PUT", "/files/large", body: [1]).status == 200)
        let reader = try Connection(port: a.port)
        try reader.send(a.head("GET", "/files/large?at=s"))
        let head = try #require(try reader.readHead())
        #expect(head.status == 200)
        #expect(try a.send("DELETE", "/versions/snapshots/s").status == 204)
        #expect(try run("gc", a)["state"].text == "done")
        #expect(try reader.readToEnd(count: body.count) == body)
        #expect(try a.get("/files/large?at=s").status == 404)
        let freed = try run("gc", a)
        #expect(freed["result"]["dead"]["objects"].number == 0 || freed["result"]["freed_bytes"].number ?? 0 > 40 << 20, "\(freed)")
    }
}
