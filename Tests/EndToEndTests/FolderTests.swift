import Foundation
import Platform
import Testing

#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

/// A folder that the real program keeps in sync with a node.
private final class SyncedFolder {
    let home: TemporaryDirectory
    let folder: String
    private let url: String
    private let key: String
    private let extra: [String: String]
    private(set) var process: ChildProcess?

    init(_ name: String, url: String, key: String, environment: [String: String] = [:]) throws {
        extra = environment
        home = try TemporaryDirectory()
        folder = home.appending(name)
        self.url = url
        self.key = key
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    }

    deinit {
        process?.signal(SIGKILL)
    }

    func command(
        _ arguments: [String], in directory: String? = nil, environment: [String: String] = [:], fileSizeLimit: Int? = nil
    ) throws -> (code: Int32?, output: String, errors: String) {
        // Not in the folder, where its output would be synced.
        let (output, errors) = (home.appending("output-\(UUID().uuidString)"), home.appending("errors-\(UUID().uuidString)"))
        let process = try ChildProcess(
            arguments, in: directory ?? home.path, environment: self.environment.merging(environment) { $1 }, output: output, error: errors,
            fileSizeLimit: fileSizeLimit)
        let end = try process.wait()
        let code: Int32? = if case .exited(let code) = end { code } else { nil }
        return (code, process.output, process.errors)
    }

    private var environment: [String: String] {
        ["PANDO_KEY": key, "HOME": home.path, "XDG_CONFIG_HOME": home.path + "/config", "XDG_STATE_HOME": home.path + "/state"].merging(extra) { $1 }
    }

    /// Syncs once; what it printed.
    @discardableResult
    func once(_ arguments: String..., expecting code: Int32 = 0, _ location: SourceLocation = #_sourceLocation) throws -> String {
        let result = try command(["sync", folder, url, "--once"] + arguments)
        #expect(result.code == code, "\(result.output)\(result.errors)", sourceLocation: location)
        return result.output + result.errors
    }

    func start(_ arguments: String...) throws {
        process = try ChildProcess(["sync", folder, url] + arguments, in: home.path, environment: environment)
    }

    func stop() throws -> ProcessEnd? {
        process?.signal(SIGTERM)
        return try process?.wait()
    }

    func path(_ name: String) -> String { folder + "/" + name }

    func write(_ text: String, to name: String) throws {
        let url = URL(filePath: path(name))
        try FileManager.default.createDirectory(at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
        try Data(text.utf8).write(to: url)
    }

    func read(_ name: String) -> String? { FileManager.default.contents(atPath: path(name)).map { String(decoding: $0, as: UTF8.self) } }

    /// Everything but what belongs to the sync.
    func files() -> [String: Data] {
        var files: [String: Data] = [:]
        for case let name as String in FileManager.default.enumerator(atPath: folder) ?? .init() where !name.hasPrefix(".pando") {
            if let data = FileManager.default.contents(atPath: path(name)) { files[name] = data }
        }
        return files
    }
}

@Suite("A folder in sync with a node")
struct FolderTests {
    private func eventually(_ what: String, _ location: SourceLocation = #_sourceLocation, _ condition: () throws -> Bool) throws {
        for _ in 0..<1500 {
            if try condition() { return }
            usleep(20_000)
        }
        Issue.record("never: \(what)", sourceLocation: location)
    }

    private func key(_ node: RunningNode, _ rules: String) throws -> (id: String, key: String) {
        let made = try node.post("/auth/keys", #"{"label":"desk","rules":\#(rules)}"#).json
        return (made["id"].text ?? "", made["api_key"].text ?? "")
    }

    @Test func onceAndAgain() throws {
        let node = try RunningNode(isLive: true)
        let a = try SyncedFolder("a", url: node.url, key: node.rootKey)
        let b = try SyncedFolder("b", url: node.url, key: node.rootKey)
        try a.write("one", to: "x/one.txt")
        try Data(noise(3_000_000, seed: 1)).write(to: URL(filePath: a.path("large.bin")))
        try node.put("/files/from-node.txt", "node's")
        let preview = try a.command(["sync", a.folder, node.url, "--dry-run"])
        #expect(preview.output.contains("would send: 2 files"), "\(preview)")
        #expect(preview.output.contains("would receive: 1 file"))
        #expect(a.read("from-node.txt") == nil)
        #expect(try node.content("/x/one.txt") == nil)
        try a.once()
        try b.once()
        #expect(a.read("from-node.txt") == "node's")
        #expect(try node.content("/x/one.txt") == "one")
        #expect(a.files() == b.files())
        #expect(a.files().count == 3)
        try FileManager.default.removeItem(atPath: b.path("x"))
        try b.write("changed", to: "from-node.txt")
        try b.once()
        try a.once()
        #expect(a.files() == b.files())
        #expect(a.files().count == 2)
        #expect(try node.content("/from-node.txt") == "changed")
        #expect(try node.conflicts().isEmpty)
    }

    @Test func live() throws {
        let node = try RunningNode(isLive: true)
        let a = try SyncedFolder("a", url: node.url, key: node.rootKey)
        let b = try SyncedFolder("b", url: node.url, key: node.rootKey)
        try a.start()
        try b.start()
        try a.write("one", to: "d/one")
        try eventually("B has A's file") { b.read("d/one") == "one" }
        try b.write("two", to: "d/one")
        try b.write("new", to: "e")
        try eventually("A has B's edit") { a.read("d/one") == "two" && a.read("e") == "new" }
        #expect(rename(a.path("d"), a.path("moved")) == 0)
        try eventually("the move arrives") { b.read("moved/one") == "two" && b.read("d/one") == nil }
        // Whoever wants to be sure asks.
        try a.write("three", to: "moved/one")
        try a.once()
        try b.once()
        #expect(b.read("moved/one") == "three")
        let paused = try a.command(["sync", "pause", a.folder])
        #expect(paused.code == 0)
        try eventually("it pauses") { a.process?.errors.contains("paused") == true }
        #expect(try a.once(expecting: 1).contains("paused"))
        try b.write("meanwhile", to: "f")
        try eventually("the node has it") { try node.content("/f") == "meanwhile" }
        #expect(a.read("f") == nil)
        #expect(try a.command(["sync", "resume", a.folder]).code == 0)
        try eventually("it goes on") { a.read("f") == "meanwhile" }
        #expect(try a.stop() == .exited(0))
        #expect(try b.stop() == .exited(0))
    }

    @Test func aDeskThatWasAwayForTooLong() throws {
        let node = try RunningNode(["--deletion-retention", "1s"], isLive: true)
        let a = try SyncedFolder("a", url: node.url, key: node.rootKey)
        let names = ["gone", "d/gone", "edited", "edited-last", "kept"]
        for name in names { try a.write("as it was", to: name) }
        try a.once()
        try node.stop()
        try a.write("edited", to: "edited")
        try a.write("made", to: "made")
        try a.once(expecting: 1)
        try node.start()
        for name in names.dropLast() { #expect(try node.send("DELETE", "/files/\(name)").status == 204) }
        try eventually("the deletions are dropped") {
            let status = try node.status()
            return status["horizon"].text != nil && status["tombstones"].number == 0
        }
        try a.write("edited at last", to: "edited-last")
        try a.once()
        let expected = ["edited": "edited", "edited-last": "edited at last", "kept": "as it was", "made": "made"]
        #expect(a.files().mapValues { String(decoding: $0, as: UTF8.self) } == expected)
        for (name, text) in expected { #expect(try node.content("/\(name)") == text) }
        #expect(try node.content("/gone") == nil)
        #expect(try node.conflicts().isEmpty)
    }

    @Test func aServerThatWasRestoredFromABackup() throws {
        let node = try RunningNode(isLive: true)
        let a = try SyncedFolder("a", url: node.url, key: node.rootKey)
        let b = try SyncedFolder("b", url: node.url, key: node.rootKey)
        for name in ["edited", "gone", "kept"] { try a.write("before", to: name) }
        try a.once()
        try b.once()
        try node.stop()
        let saved = node.directory.path + "/saved"
        try FileManager.default.copyItem(atPath: node.data, toPath: saved)
        try node.start()
        // What the backup does not have: by one desk, by the other over it, and by neither of them.
        try a.write("by a", to: "edited")
        try a.write("by a", to: "d/new")
        try a.once()
        try b.once()
        try b.write("by b, who has seen a's", to: "edited")
        try node.put("/files/by-others", "neither desk's")
        try FileManager.default.removeItem(atPath: b.path("gone"))
        try b.once()
        try a.once()
        let all = a.files()
        #expect(all.count == 4 && b.files() == all)
        try node.stop()
        try FileManager.default.removeItem(atPath: node.data)
        try FileManager.default.moveItem(atPath: saved, toPath: node.data)
        try node.start()
        #expect(try node.content("/edited") == "before")
        try b.write("offline", to: "mine")
        for desk in [b, a, b] { try desk.once() }
        let expected = all.merging(["mine": Data("offline".utf8)]) { $1 }
        #expect(a.files() == expected && b.files() == expected)
        for (name, data) in expected { #expect(try node.content("/\(name)").map { Data($0.utf8) } == data) }
        #expect(try node.content("/gone") == nil)
        #expect(try node.conflicts().isEmpty)
        // And it goes on without conflicts.
        try a.write("again by a", to: "edited")
        try a.write("by a at last", to: "by-others")
        try a.once()
        try b.once()
        #expect(b.read("edited") == "again by a" && b.read("by-others") == "by a at last")
        #expect(try node.conflicts().isEmpty)
    }

    @Test func attributesGoFromDeskToDesk() throws {
        let node = try RunningNode(isLive: true)
        let a = try SyncedFolder("a", url: node.url, key: node.rootKey)
        let b = try SyncedFolder("b", url: node.url, key: node.rootKey)
        func file(_ desk: SyncedFolder) throws -> OpenFile { try #require(try DirectoryHandle(path: desk.folder).file(Array("f".utf8))) }
        try a.write("tagged", to: "f")
        // Where the file system has none there is nothing to be seen.
        guard try file(a).setAttribute("tag", to: Array("red".utf8)) else { return }
        try a.once()
        try b.once()
        #expect(try file(b).attribute("tag") == Array("red".utf8))
        // A change of nothing else goes too, and the other way.
        #expect(try file(b).setAttribute("tag", to: Array("green".utf8)))
        #expect(try file(b).setAttribute("note", to: noise(3000, seed: 5)))
        try b.once()
        try a.once()
        #expect(try file(a).attributeNames()?.sorted() == ["note", "tag"])
        #expect(try file(a).attribute("tag") == Array("green".utf8))
        #expect(try file(a).attribute("note") == noise(3000, seed: 5))
        // So does that one is gone, and they outlast a new content.
        #expect(try file(a).setAttribute("note", to: nil))
        try FileHandle(forWritingTo: URL(filePath: a.path("f"))).write(contentsOf: Data("TAGGED".utf8))
        try a.once()
        try b.once()
        #expect(b.read("f") == "TAGGED")
        #expect(try file(b).attributeNames() == ["tag"])
        #expect(try file(b).attribute("tag") == Array("green".utf8))
        #expect(try node.conflicts().isEmpty)
    }

    @Test func conflictsAreDecidedOffline() throws {
        let node = try RunningNode(isLive: true)
        let a = try SyncedFolder("a", url: node.url, key: node.rootKey)
        let b = try SyncedFolder("b", url: node.url, key: node.rootKey)
        try a.write("base", to: "f")
        try a.once()
        try b.once()
        try a.write("A's", to: "f")
        try b.write("B's", to: "f")
        try a.once()
        try b.once()
        try a.once()
        #expect(a.files() == b.files())
        #expect(a.files().count == 1)
        let winner = a.read("f")
        try node.stop()
        let listed = try a.command(["conflicts", "list", "--json"], in: a.folder)
        let items = Document(json: listed.output)["items"].items
        #expect(items.map { $0["path"].text } == ["/f"], "\(listed)")
        let explained = try a.command(["sync", a.folder, "--explain", a.path("f")])
        #expect(explained.output.contains("loser:"), "\(explained)")
        let resolved = try a.command(["conflicts", "resolve", "/f", "--pick", "loser", "--folder", a.folder])
        #expect(resolved.code == 0, "\(resolved)")
        #expect(a.read("f") != winner && a.read("f") != nil)
        try node.start()
        try a.once()
        try b.once()
        #expect(b.read("f") == a.read("f"))
        #expect(try node.conflicts().isEmpty)
    }

    /// Paths are taken from where one is, as `sync --explain` takes them.
    @Test func conflictsOfASubfolder() throws {
        let node = try RunningNode(isLive: true)
        let a = try SyncedFolder("a", url: node.url, key: node.rootKey)
        let b = try SyncedFolder("b", url: node.url, key: node.rootKey)
        for desk in [a, b] {
            for path in ["plan", "sub/plan", "sub/two", "sub/three"] { try desk.write(desk.folder, to: path) }
        }
        try a.once()
        try b.once()
        try a.once()
        func paths(_ arguments: [String] = [], in directory: String) throws -> [String?] {
            Document(json: try a.command(["conflicts", "list", "--json"] + arguments, in: directory).output)["items"].items.map { $0["path"].text }
        }
        #expect(try paths(in: a.folder) == ["/plan", "/sub/plan", "/sub/three", "/sub/two"])
        #expect(try paths(["--under", "plan"], in: a.path("sub")) == ["/sub/plan"])
        #expect(try paths(["--under", "."], in: a.path("sub")).count == 3)
        #expect(try paths(["--under", ".."], in: a.path("sub")).count == 4)
        let near = try a.command(["conflicts", "resolve", "plan", "--pick", "loser"], in: a.path("sub"))
        #expect(near.code == 0 && near.output == "resolved /sub/plan\n", "\(near)")
        let above = try a.command(["conflicts", "resolve", "../sub/two", a.path("sub/three")], in: a.path("sub"))
        #expect(above.code == 0 && above.output == "resolved /sub/two\nresolved /sub/three\n", "\(above)")
        #expect(try a.command(["conflicts", "resolve", "../../plan"], in: a.path("sub")).code == 2)
        #expect(try paths(in: a.folder) == ["/plan"])
        #expect(try a.command(["conflicts", "resolve", "/plan"], in: a.path("sub")).code == 0)
        #expect(try paths(in: a.folder).isEmpty)
    }

    @Test func aServerThatHasMoved() throws {
        let node = try RunningNode(isLive: true)
        let second = try RunningNode(joining: node, isLive: true)
        let stranger = try RunningNode(isLive: true)
        // A mistyped address, at which nobody was reached, binds to nothing.
        let a = try SyncedFolder("a", url: node.url, key: node.rootKey)
        try a.write("1", to: "f")
        #expect(try a.command(["sync", a.folder, "http://127.0.0.1:1", "--once"]).code == 1)
        let told = try a.once()
        #expect(told.contains("no longer with http://127.0.0.1:1"), "\(told)")
        #expect(!(try a.once().contains("no longer")))
        try eventually("it goes on to the second node") { try second.content("/f") == "1" }
        // Another cluster is no new address, and nor is one where nobody answers.
        for (url, key) in [(stranger.url, stranger.rootKey), (stranger.url, node.rootKey), ("http://127.0.0.1:1", node.rootKey)] {
            let refused = try a.command(["sync", a.folder, url, "--once"], environment: ["PANDO_KEY": key])
            #expect(refused.code == 1 && refused.errors.contains("Nothing was changed") && !refused.errors.contains("remove"), "\(refused)")
        }
        #expect(try stranger.content("/f") == nil)
        // The one that it was paired with is gone, and a deletion meanwhile does not come back.
        try node.stop()
        #expect(try second.send("DELETE", "/files/f").status == 204)
        try a.write("2", to: "g")
        let moved = try a.command(["sync", a.folder, second.url, "--once"])
        #expect(moved.code == 0 && moved.errors.contains("no longer with \(node.url)"), "\(moved)")
        #expect(a.read("f") == nil)
        #expect(try second.content("/g") == "2")
        #expect(try a.command(["sync", a.folder, "--once"]).code == 0)
    }

    @Test func aPreviewLeavesNothing() throws {
        let node = try RunningNode(isLive: true)
        let a = try SyncedFolder("a", url: node.url, key: node.rootKey)
        try a.write("1", to: "f")
        #expect(try a.command(["sync", a.folder, node.url, "--dry-run"]).code == 0)
        #expect(try FileManager.default.contentsOfDirectory(atPath: a.folder) == ["f"])
        #expect(!FileManager.default.fileExists(atPath: a.home.path + "/state/pando/folders"))
        // Nor does one that fails, nor one of the node's owner, for which a key is made.
        #expect(try a.command(["sync", a.folder, "http://127.0.0.1:1", "--dry-run"]).code == 1)
        let own = try a.command(["sync", a.folder, node.url, "--dry-run"], environment: ["PANDO_KEY": "", "PANDO_DATA": node.data])
        #expect(own.code == 0, "\(own)")
        #expect(try FileManager.default.contentsOfDirectory(atPath: a.folder) == ["f"])
        #expect(try node.get("/auth/keys").json["items"].items.count == 1)
        // The paths of a pairing stay what they were.
        try a.once()
        #expect(try a.command(["sync", a.folder, "--dry-run", "--path", "/d/**"]).code == 0)
        try a.write("2", to: "g")
        try a.once()
        #expect(try node.content("/g") == "2")
    }

    @Test func aStateThatCannotBeWritten() throws {
        let node = try RunningNode(isLive: true)
        let a = try SyncedFolder("a", url: node.url, key: node.rootKey, environment: ["XDG_STATE_HOME": "/dev/null/state"])
        let told = try a.once(expecting: 1)
        #expect(told.contains("cannot write /dev/null/state/pando/folders/") && told.contains("Not a directory"), "\(told)")
    }

    @Test func aPausedSyncIsNotRunOnce() throws {
        let node = try RunningNode(isLive: true)
        let a = try SyncedFolder("a", url: node.url, key: node.rootKey)
        try a.once()
        #expect(try a.command(["sync", "pause", a.folder]).code == 0)
        try a.write("1", to: "f")
        #expect(try a.once(expecting: 1).contains("paused"))
        #expect(try node.content("/f") == nil)
        #expect(try a.command(["sync", "resume", a.folder]).code == 0)
        try a.once()
        #expect(try node.content("/f") == "1")
    }

    @Test func aKeyThatMayReadAPart() throws {
        let node = try RunningNode(isLive: true)
        try node.put("/files/open/in", "for all")
        try node.put("/files/closed/out", "for some")
        let reader = try key(node, #"[{"path":"/open/**","allow":["read","list"]}]"#)
        let a = try SyncedFolder("a", url: node.url, key: reader.key)
        try a.once()
        #expect(Set(a.files().keys) == ["open/in"])
        try a.write("edited", to: "open/in")
        try a.write("own", to: "open/own")
        let told = try a.once(expecting: 1)
        #expect(told.contains("not sent"))
        #expect(a.read("open/in") == "edited")
        #expect(try node.content("/open/in") == "for all")
        #expect(try node.content("/open/own") == nil)
        // Nothing of what it may not see is anywhere in the folder.
        let found = try ChildProcess(["-rla", "for some", a.folder], program: "/bin/grep", in: "/", output: a.home.appending("found"), error: "/dev/null")
        #expect(try found.wait() == .exited(1))
    }

    @Test func aRevokedKey() throws {
        let node = try RunningNode(isLive: true)
        let made = try key(node, #"[{"path":"/**","allow":["read","list","write","delete"]}]"#)
        let a = try SyncedFolder("a", url: node.url, key: made.key)
        try a.start()
        try a.write("before", to: "f")
        try eventually("the node has it") { try node.content("/f") == "before" }
        #expect(try node.send("DELETE", "/auth/keys/\(made.id)").status == 204)
        try eventually("it is told") { a.process?.errors.contains("not connected") == true }
        try a.write("after", to: "f")
        #expect(try a.stop() == .exited(0))
        #expect(a.read("f") == "after")
        #expect(try node.content("/f") == "before")
    }

    @Test func theNetworkBreaks() throws {
        let node = try RunningNode(isLive: true)
        let proxy = try CuttingProxy(to: node.port)
        let a = try SyncedFolder("a", url: node.url, key: node.rootKey)
        for number in 0..<6 { try Data(noise(2_000_000, seed: UInt64(number) + 1)).write(to: URL(filePath: a.path("f\(number)"))) }
        try a.once()
        let b = try SyncedFolder("b", url: proxy.url, key: node.rootKey)
        proxy.set(answers: 5_000_000)
        _ = try b.command(["sync", b.folder, proxy.url, "--once"])
        for (name, data) in b.files() { #expect(a.files()[name] == data, "no half file") }
        proxy.set()
        try b.once()
        #expect(a.files() == b.files())
        #expect(proxy.passed < 12_500_000, "what had come was not fetched again")
    }

    @Test func aFileThatTheDiskDoesNotTake() throws {
        let node = try RunningNode(isLive: true)
        let a = try SyncedFolder("a", url: node.url, key: node.rootKey)
        try Data(noise(6_000_000, seed: 3)).write(to: URL(filePath: a.path("large")))
        try a.write("small", to: "small")
        try a.once()
        let b = try SyncedFolder("b", url: node.url, key: node.rootKey)
        let limited = try b.command(["sync", b.folder, node.url, "--once"], fileSizeLimit: 4 << 20)
        #expect(limited.code == 1)
        #expect(limited.errors.contains("not placed: large"), "\(limited)")
        #expect(Set(b.files().keys) == ["small"], "nothing half, and nothing else waits")
        try b.once()
        #expect(b.files() == a.files())
    }

    private static func mount(_ arguments: String...) throws -> ProcessEnd {
        try ChildProcess(arguments, program: "/bin/mount", in: "/", output: "/dev/null", error: "/dev/null").wait()
    }

    private static func unmount(_ folder: String) {
        _ = try? ChildProcess(["-l", folder], program: "/bin/umount", in: "/", output: "/dev/null", error: "/dev/null").wait()
    }

    /// Not by everybody, and not in every container.
    private static let canMount: Bool = {
        guard geteuid() == 0, let folder = try? TemporaryDirectory(), (try? mount("-t", "tmpfs", "tmpfs", folder.path)) == .exited(0) else { return false }
        unmount(folder.path)
        return true
    }()

    /// With a small file system of its own.
    @Test(.enabled(if: canMount, "mounting is not allowed here")) func theDiskIsFull() throws {
        let node = try RunningNode(isLive: true)
        let a = try SyncedFolder("a", url: node.url, key: node.rootKey)
        try Data(noise(12_000_000, seed: 4)).write(to: URL(filePath: a.path("large")))
        try a.write("small", to: "small")
        try a.once()
        let b = try SyncedFolder("b", url: node.url, key: node.rootKey)
        #expect(try Self.mount("-t", "tmpfs", "-o", "size=8m", "tmpfs", b.folder) == .exited(0))
        defer { Self.unmount(b.folder) }
        let full = try b.command(["sync", b.folder, node.url, "--once"])
        #expect(full.code == 1)
        #expect(full.errors.contains("the disk is full"), "\(full)")
        #expect(b.read("large") == nil, "nothing half")
        #expect(try node.content("/small") == "small")
        #expect(try node.send("HEAD", "/files/large").status == 200, "and nothing is deleted elsewhere")
        #expect(try Self.mount("-o", "remount,size=64m", b.folder) == .exited(0))
        try b.once()
        #expect(b.files() == a.files())
    }

    /// Also where no sync runs for as long as a day.
    @Test func theLogOfAFolderIsCollected() throws {
        let node = try RunningNode(isLive: true)
        let a = try SyncedFolder("a", url: node.url, key: node.rootKey)
        let path = a.path(".pando/node/care.json")
        func record() throws -> [String: Any] {
            try #require(try JSONSerialization.jsonObject(with: Data(contentsOf: URL(filePath: path))) as? [String: Any])
        }
        for round in 0..<3 {
            try a.write("text \(round)", to: "f")
            try a.once()
        }
        var care = try record()
        #expect(care["lastCollection"] == nil)
        care["since"] = try #require(care["since"] as? Double) - 2 * 24 * 3600
        try JSONSerialization.data(withJSONObject: care).write(to: URL(filePath: path))
        try a.once()
        #expect(try record()["lastCollection"] != nil)
        try a.write("after it", to: "f")
        try a.once()
        #expect(try node.content("/f") == "after it")
    }

    @Test func aClockADayOff() throws {
        let library = "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1"
        try #require(FileManager.default.fileExists(atPath: library), "libfaketime is missing; scripts/setup installs it")
        // The library would set the last one itself, which moves the environment away from the arguments, and Swift finds them by it.
        let shifted = { (by: String) in
            ["LD_PRELOAD": library, "FAKETIME": by, "FAKETIME_DONT_FAKE_MONOTONIC": "1", "NO_FAKE_STAT": "1", "FAKETIME_SHARED": "/pando-none /pando-none"]
        }
        let node = try RunningNode(isLive: true)
        let ahead = try SyncedFolder("a", url: node.url, key: node.rootKey, environment: shifted("+1d"))
        let behind = try SyncedFolder("b", url: node.url, key: node.rootKey, environment: shifted("-1d"))
        try ahead.write("base", to: "f")
        try ahead.once()
        try behind.once()
        #expect(behind.read("f") == "base")
        // Saved apart: first where the clock is ahead, then where it is behind. The second is the later one.
        try ahead.write("first", to: "f")
        try ahead.once()
        try behind.write("second", to: "f")
        try behind.once()
        try ahead.once()
        #expect(ahead.read("f") == "second")
        #expect(behind.read("f") == "second")
        let conflicts = try node.conflicts()
        #expect(conflicts.count == 1, "the first is not lost")
    }

    @Test func wrongUse() throws {
        let node = try RunningNode(isLive: true)
        let a = try SyncedFolder("a", url: node.url, key: node.rootKey)
        #expect(try a.command(["sync", a.path("missing"), node.url]).code == 1)
        #expect(try a.command(["sync", a.folder]).errors.contains("not paired"))
        #expect(try a.command(["sync", a.folder, node.url, "--limit-up", "fast"]).code == 2)
        try a.once()
        let other = try a.command(["sync", a.folder, "http://127.0.0.1:1", "--once"])
        #expect(other.code == 1 && other.errors.contains("is paired with"))
        // As if its disk were not mounted.
        try FileManager.default.moveItem(atPath: a.path(".pando"), toPath: a.home.appending("aside"))
        let unmounted = try a.command(["sync", a.folder, node.url, "--once"])
        #expect(unmounted.code == 1 && unmounted.errors.contains("mounted"))
    }
}
