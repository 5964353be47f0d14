import Causality
import Content
@testable import FileDatabase
import Merkle
@testable import Objects
import Platform
import TestSupport
import Testing

/// A database that is opened again after crashes, and a list of every state that it ever had.
final class CollectionFixture {
    static let day: UInt64 = 86_400_000_000
    static let segmentSize: UInt64 = 20_000

    struct State {
        var files: [String: String]
        /// The versions of each path.
        var dots: [TreePath: Set<Dot>] = [:]
        /// Paths that a policy has let go.
        var lost: Set<TreePath> = []
    }

    private(set) var disk = FaultyDisk()
    private var index = MemoryIndex()
    private var table = MemoryTable()
    let time = ManualTime(1_700_000_000_000_000)
    private(set) var database: FileDatabase
    private(set) var states: [ContentHash: State] = [:]
    private(set) var snapshots: [String: State] = [:]

    init() throws {
        database = try CollectionFixture.open(disk, index, table, time)
    }

    private static func open(_ disk: FaultyDisk, _ index: MemoryIndex, _ table: MemoryTable, _ time: ManualTime) throws -> FileDatabase {
        try FileDatabase(
            store: ObjectStore(disk: disk, index: index, segmentSize: segmentSize), actor: .numbered(1), time: time, history: table)
    }

    /// As after a loss of power, if there was one, or a kill.
    func reopen(_ random: inout SplitMix64, losesIndex: Bool, losesHistory: Bool) throws {
        database.close()
        disk = disk.crashed(&random)
        if losesIndex { index = MemoryIndex() }
        if losesHistory { table = MemoryTable() }
        database = try CollectionFixture.open(disk, index, table, time)
    }

    func record() async throws {
        guard let commit = database.head.hash else { return }
        var files: [String: String] = [:]
        for (path, text) in try await database.everything() { if let text { files[path] = text } }
        var state = State(files: files)
        var walk = try database.view.files.walk(in: database.nodes)
        while let (path, entry) = try walk.next() {
            if let register = entry.register { state.dots[path] = Set(register.versions.map(\.dot)) }
        }
        states[commit] = state
    }

    /// A collection, and a note of what it may have removed.
    func collect(_ options: CollectionOptions) throws {
        let kept = try database.keptStates()
        defer {
            let scopes = Dictionary(kept.compactMap { state in state.commit.map { ($0, state.scope) } }, uniquingKeysWith: { first, _ in first })
            for (commit, state) in states {
                states[commit]?.lost.formUnion(state.dots.keys.filter { scopes[commit]?.keeps($0) != true })
            }
        }
        _ = try database.collect(options)
    }

    func snapshot(_ name: String) async throws {
        _ = try await database.makeSnapshot(name)
        try await record()
        snapshots[name] = states[database.head.hash!]
    }

    func forget(_ name: String) async throws {
        try await database.deleteSnapshot(name)
        snapshots[name] = nil
        try await record()
    }

    /// Some edits, over some days.
    func edit(_ count: Int, _ random: inout SplitMix64) async throws {
        for _ in 0..<count {
            time.advance(by: Int64(random.below(40)) * 3_600_000_000 + 1)
            let path = random.pick(["/a", "/docs/b", "/docs/c", "/docs/deep/d", "/tmp/e", "/tmp/deep/f"])
            do {
                switch random.below(12) {
                case 0: try await database.delete(try TreePath(path), recursive: true)
                case 1:
                    let upload = try await database.upload(random.bytes(70_000 + random.below(30_000)))
                    _ = try await database.put(.file(FileValue(content: upload.content, mediaType: "", modifiedAt: 0)), at: try TreePath(path), objects: upload.objects)
                // Few texts, so that what was let go comes back.
                default: try await database.put("text \(random.below(6)) " + String(repeating: "x", count: 300), at: path)
                }
            } catch let error as DatabaseError where error.code == .notFound || error.code == .conflict {}
            try await record()
        }
    }

    /// Everything that is kept reads as it was.
    func check(_ kept: [KeptState], at file: SourceLocation = #_sourceLocation) async throws {
        #expect(try await database.everything().compactMapValues { $0 } == states[database.head.hash!]!.files, sourceLocation: file)
        // Each content is read once.
        var texts: [ContentHash: String] = [:]
        for state in kept {
            let files = try #require(state.snapshot.map { snapshots[$0]?.files } ?? states[state.commit!]?.files, sourceLocation: file)
            for (path, text) in files where state.scope.keeps(try TreePath(path)) {
                if state.commit.map({ states[$0]!.lost.contains(try! TreePath(path)) }) == true { continue }
                let moment = state.snapshot.map { Moment.snapshot($0) } ?? .commit(state.commit!)
                let view = try database.view(at: moment, for: try TreePath(path)).view
                let content = try #require(try view.info(at: try TreePath(path))?.file?.content, "\(path)", sourceLocation: file)
                if texts[content.root] == nil { texts[content.root] = String(decoding: try await database.read(content), as: UTF8.self) }
                guard texts[content.root] != text else { continue }
                Issue.record("\(path) in \(state) has other bytes", sourceLocation: file)
            }
        }
    }

    /// Of each path the names of all versions that kept states have.
    func keptDots(_ kept: [KeptState]) -> [TreePath: Set<Dot>] {
        var dots: [TreePath: Set<Dot>] = [:]
        for kept in kept {
            guard let state = kept.snapshot.map({ snapshots[$0] }) ?? kept.commit.flatMap({ states[$0] }) else { continue }
            for (path, versions) in state.dots where kept.scope.keeps(path) && !state.lost.contains(path) {
                dots[path, default: []].formUnion(versions)
            }
        }
        return dots
    }

    func historyDots(of path: TreePath) throws -> Set<Dot> {
        Set(try database.history(of: path, limit: 1000).items.map(\.version.dot))
    }
}

@Suite("Collection")
struct CollectionTests {
    private static var options: CollectionOptions {
        var options = CollectionOptions()
        options.bytesPerSecond = nil
        options.patience = .zero
        return options
    }

    private static func policy(_ random: inout SplitMix64) -> RetentionPolicy {
        func days() -> Int? { random.once(in: 8) ? nil : random.below(12) }
        let all = RetentionPolicy.Rule(path: "/**", allDays: days(), dailyDays: days(), weeklyDays: random.below(30))
        let docs = RetentionPolicy.Rule(path: "/docs/**", allDays: days(), dailyDays: days(), weeklyDays: days())
        let scratch = RetentionPolicy.Rule(path: "/tmp/**", allDays: 0, dailyDays: 0, weeklyDays: 0)
        return RetentionPolicy(rules: [random.once(in: 2) ? docs : nil, random.once(in: 2) ? scratch : nil, all].compactMap(\.self))
    }

    @Test("What is kept reads byte for byte, the rest is gone, whatever happens in between", arguments: Seed.several(5))
    func againstEveryState(seed: Seed) async throws {
        var random = seed.generator
        let fixture = try CollectionFixture()
        try await fixture.edit(5, &random)
        for round in 0..<4 {
            try await fixture.edit(20, &random)
            if random.once(in: 2) { try await fixture.snapshot("s\(round)") }
            if round > 1, random.once(in: 2), let name = fixture.snapshots.keys.sorted().first { try await fixture.forget(name) }
            if random.once(in: 2) {
                try await fixture.database.setRetention(Self.policy(&random))
                try await fixture.record()
            }
            try await fixture.edit(10, &random)
            let kept = try fixture.database.keptStates()
            let dots = fixture.keptDots(kept)
            // A power cut in the middle, now and then.
            if random.once(in: 2) {
                fixture.disk.cutPower(atEvent: random.below(25))
                try? fixture.collect(Self.options)
                try fixture.reopen(&random, losesIndex: random.once(in: 2), losesHistory: random.once(in: 2))
                try await fixture.check(kept)
            }
            let before = try fixture.database.collect({ var options = Self.options; options.isDryRun = true; return options }())
            for _ in 0..<2 {
                try fixture.collect(Self.options)
                try await fixture.check(kept)
            }
            let after = try fixture.database.collect({ var options = Self.options; options.isDryRun = true; return options }())
            #expect(after.dead.objects == 0)
            #expect(Double(after.dead.bytes) <= 0.05 * Double(before.dead.bytes) + 0.02 * Double(after.live.bytes) + 500, "\(before.dead) \(after.dead)")
            #expect(try fixture.database.missingObjects() == [])
            #expect(try fixture.database.verify(keptStates: true).faults.isEmpty)
            // History still knows all that is kept, and from the commits that are left, too.
            for (path, dots) in dots { #expect(dots.subtracting(try fixture.historyDots(of: path)) == [], "round \(round) \(path)") }
            try fixture.reopen(&random, losesIndex: random.once(in: 2), losesHistory: true)
            try await fixture.check(kept)
            for (path, dots) in dots { #expect(dots.subtracting(try fixture.historyDots(of: path)) == [], "round \(round) \(path)") }
        }
    }

    @Test("A reader keeps what it reads; without it, it goes, and who asks is told")
    func reader() async throws {
        let fixture = try CollectionFixture()
        let database = fixture.database
        try await database.setRetention(.newestOnly)
        try await database.put("old", at: "/f")
        let old = try #require(database.head.hash)
        var view: TreeView? = database.view
        let content = try #require(try view?.info(at: path("/f"))?.file?.content)
        try await database.put("new", at: "/f")
        _ = try database.collect(Self.options)
        #expect(String(decoding: try await database.read(content), as: UTF8.self) == "old")
        #expect(try view?.info(at: path("/f"))?.file?.content == content)
        // Of a content alone.
        let bytes = database.bytes(of: content)
        view = nil
        _ = try database.collect(Self.options)
        _ = try database.collect(Self.options)
        var read: [UInt8] = []
        for try await piece in bytes { read += piece }
        #expect(String(decoding: read, as: UTF8.self) == "old")
        #expect(throws: DatabaseError.self) { try database.view(at: .commit(old)) }
        #expect(try await database.text(at: "/f") == "new")
    }

    @Test("A round gives up while a writer relies on what it was told, and takes it up after it")
    func holds() async throws {
        let fixture = try CollectionFixture()
        let database = fixture.database
        try await database.setRetention(.newestOnly)
        try await database.put("old", at: "/f")
        try await database.put("new", at: "/f")
        let object = PreparedObject(.chunk, Array("old".utf8))
        let hold = database.holdObjects()
        #expect(try database.store.contains(object.hash))
        let report = try database.collect(Self.options)
        #expect(report.remark != nil && report.segmentsRemoved == 0)
        #expect(try database.store.contains(object.hash))
        // Relied upon without being sent again.
        _ = try await database.put(.file("old"), at: path("/g"))
        hold.end()
        _ = try database.collect(Self.options)
        #expect(try await database.text(at: "/g") == "old")
    }

    @Test("Content that comes back while it is being removed is there")
    func racing() async throws {
        let database = try FileDatabase.inMemory()
        try await database.setRetention(.newestOnly)
        let isOver = Shared(false)
        // Several chunks, so that an upload lasts.
        let contents = (0..<3).map { number in
            var random = SplitMix64(seed: UInt64(number))
            return random.bytes(200_000)
        }
        try await withThrowingTaskGroup(of: Void.self) { group in
            for writer in 0..<3 {
                group.addTask {
                    for round in 0..<12 {
                        let bytes = contents[(round + writer) % contents.count]
                        let upload = FileUpload(to: database)
                        defer { withExtendedLifetime(upload) {} }
                        for start in stride(from: 0, to: bytes.count, by: 50_000) {
                            bytes[start..<min(start + 50_000, bytes.count)].withUnsafeBytes { upload.add($0) }
                            try await upload.drain()
                        }
                        let (content, objects) = try await upload.finish()
                        let value = Value.file(FileValue(content: content, mediaType: "", modifiedAt: Int64(round)))
                        _ = try await database.put(value, at: path("/w\(writer)"), objects: objects)
                        #expect(try await database.read(content) == bytes)
                        if round % 3 == 1 { try await database.delete(path("/w\(writer)")) }
                    }
                    isOver.change { $0 = true }
                }
            }
            group.addTask {
                var options = Self.options
                options.patience = .seconds(5)
                while !isOver.value {
                    try await database.threads.run { [options] in _ = try database.collect(options) }
                }
            }
            try await group.waitForAll()
        }
        #expect(try database.verify().faults.isEmpty)
        _ = try database.collect(Self.options)
        #expect(try database.verify().faults.isEmpty)
    }

    @Test("A dry run tells what would go, and changes nothing")
    func dryRun() async throws {
        var random = Seed.several(1)[0].generator
        let fixture = try CollectionFixture()
        let database = fixture.database
        try await fixture.edit(30, &random)
        try await fixture.snapshot("s")
        try await fixture.edit(20, &random)
        try await database.setRetention(.newestOnly)
        var options = Self.options
        options.isDryRun = true
        let size = try database.store.byteCount()
        let told = try database.collect(options)
        #expect(try database.store.byteCount() == size)
        #expect(told.kept.map(\.reason) == ["newest", "snapshot"])
        #expect(told.expiredStates > 40 && told.expired.count == told.expiredStates)
        let report = try database.collect(Self.options)
        #expect(report.dead.objects == told.dead.objects && report.live == told.live)
        // But for the new head record and headers of segments.
        #expect(abs(report.freedBytes - told.freedBytes) < 1000)
        #expect(try size - database.store.byteCount() > told.dead.bytes * 9 / 10)
    }

    @Test("Where a node that is needed is damaged, nothing is removed; it is told by path, and healed")
    func damagedNode() async throws {
        let fixture = try CollectionFixture()
        let database = fixture.database
        try await database.setRetention(.newestOnly)
        try await database.put("one", at: "/docs/a")
        try await database.put("two", at: "/docs/b")
        let entry = try #require(try database.view.entry(at: path("/docs")))
        let root = try #require(entry.subtree?.root)
        let chunk = PreparedObject(.chunk, Array("one".utf8))
        let node = try database.view.node(root)
        for hash in [root, chunk.hash] {
            let location = try #require(try database.store.location(of: hash))
            fixture.disk.flip(SegmentFiles.name(of: location.position.segment), at: Int(location.position.offset))
        }
        var scrub = ScrubOptions()
        scrub.bytesPerSecond = nil
        let found = try database.scrub(scrub).damaged
        #expect(Set(found.map(\.hash)) == [root, chunk.hash])
        #expect(throws: DatabaseError.self) { try database.collect(Self.options) }
        #expect(try database.missingObjects().map(\.hash) == [root])
        #expect(try database.paths(needing: [root]) == [root: [NeededPath(path: "/docs")]])
        try database.heal([PreparedObject(.tree, node.bytes, hash: root)])
        #expect(try database.missingObjects().map(\.hash) == [chunk.hash])
        #expect(try database.paths(needing: [chunk.hash]) == [chunk.hash: [NeededPath(path: "/docs/a")]])
        try database.heal([chunk])
        #expect(try database.missingObjects() == [])
        _ = try database.collect(Self.options)
        #expect(try database.verify().faults.isEmpty)
        #expect(try await database.text(at: "/docs/a") == "one")
    }

    @Test("A collection that is cancelled while it marks removes nothing")
    func cancelled() async throws {
        var random = Seed.several(1)[0].generator
        let fixture = try CollectionFixture()
        try await fixture.edit(300, &random)
        try await fixture.database.setRetention(.newestOnly)
        let size = try fixture.database.store.byteCount()
        let report = try fixture.database.collect(Self.options, isCancelled: { true })
        #expect(report.wasCancelled && report.remark != nil)
        #expect(try fixture.database.store.byteCount() >= size)
        #expect(try fixture.database.missingObjects() == [])
        _ = try fixture.database.collect(Self.options)
        #expect(try fixture.database.verify().faults.isEmpty)
    }

    @Test("The commit that the log ends with is lost: the one before it is gone on from, and told")
    func lostHead() async throws {
        let fixture = try CollectionFixture()
        try await fixture.database.put("one", at: "/f")
        try await fixture.record()
        let before = try #require(fixture.database.head.hash)
        try await fixture.database.put("two", at: "/f")
        let head = try #require(fixture.database.head.hash)
        let location = try #require(try fixture.database.store.location(of: head))
        fixture.disk.flip(SegmentFiles.name(of: location.position.segment), at: Int(location.position.offset))
        var random = Seed.several(1)[0].generator
        try fixture.reopen(&random, losesIndex: false, losesHistory: false)
        #expect(fixture.database.head.hash == before)
        #expect(fixture.database.lostHead != nil)
        #expect(try await fixture.database.text(at: "/f") == "one")
    }
}
