import Causality
import Content
@testable import FileDatabase
import Foundation
import Merkle
import Objects
import Platform
import TestSupport
import Testing

@Suite("Durability")
struct DurabilityTests {
    @Test("What was written is there after closing and opening, and the root is the same")
    func reopening() async throws {
        let fixture = try DatabaseFixture()
        var roots: [ContentHash] = []
        for round in 0..<3 {
            let database = try fixture.open()
            if let root = roots.last { #expect(database.head.commit.files.root == root) }
            for number in 0..<5 { try await database.put("text \(round) \(number)", at: "/d/\(round)/\(number)") }
            #expect(database.head.commit.files.aggregates.files == UInt64(5 * (round + 1)))
            roots.append(database.head.commit.files.root)
            database.close()
            await #expect(throws: DatabaseError.self) { try await database.put("late", at: "/late") }
        }
        #expect(Set(roots).count == 3)
    }

    @Test("Whoever opens a directory that is open is told by whom")
    func secondOpen() throws {
        let fixture = try DatabaseFixture()
        let database = try fixture.open()
        let error = #expect(throws: DirectoryInUse.self) {
            _ = try FileDatabase(directory: fixture.directory.path, actor: .numbered(1))
        }
        #expect(error?.pid == Int(getpid()))
        #expect(error?.description.contains(String(getpid())) == true)
        database.close()
    }

    @Test("A copy made in the middle of writing holds everything acknowledged before it was begun")
    func killed() async throws {
        let fixture = try DatabaseFixture()
        let database = try fixture.open()
        let acknowledged = Shared<[String: String]>([:])
        let isDone = Shared(false)
        let writing = Task {
            await withTaskGroup(of: Void.self) { group in
                for task in 0..<4 {
                    group.addTask {
                        for number in 0..<200 where !isDone.value {
                            let (path, text) = ("/\(task)/\(number % 20)", "text \(task) \(number)")
                            if (try? await database.put(text, at: path)) != nil { acknowledged.change { $0["\(path) \(number)"] = text } }
                        }
                    }
                }
            }
        }
        for _ in 0..<5 {
            while acknowledged.value.count < 10 { try await Task.sleep(for: .milliseconds(1)) }
            let known = acknowledged.value.count
            let copy = try DatabaseFixture()
            // The log only: an index copied while it is being written is no file that a killed process leaves.
            try FileManager.default.copyItem(atPath: fixture.directory.path + "/segments", toPath: copy.directory.path + "/segments")
            let reopened = try copy.open()
            let history = try Self.commits(reopened)
            #expect(history.reduce(0) { $0 + $1 } >= known)
            #expect(try reopened.verify().faults.isEmpty)
            try await reopened.put("goes on", at: "/goes on")
            reopened.close()
        }
        isDone.change { $0 = true }
        await writing.value
        database.close()
    }

    /// How many writes each commit since the first holds.
    static func commits(_ database: FileDatabase) throws -> [Int] {
        var result: [Int] = []
        var next = database.head.hash
        while let hash = next {
            let commit = try Commit(decoding: database.store.read(hash, .commit))
            let words = commit.cause.split(separator: " ")
            result.append(words.last == "more" ? 1 + Int(words[words.count - 2])! : 1)
            next = commit.parents.first
        }
        return result
    }

    @Test("After a power cut anywhere, the last acknowledged state or a later one is there, whole", arguments: Seed.several(12))
    func powerCut(seed: Seed) async throws {
        var random = seed.generator
        for _ in 0..<6 {
            let disk = FaultyDisk()
            var model = FileModel()
            var later = model
            let database = try FileDatabase.inMemory(disk)
            disk.cutPower(atEvent: random.below(60))
            while true {
                let (place, text) = (ModelTests.randomPath(&random), "text \(random.next())")
                later = model
                guard (try? later.put(text, at: place)) != nil else { continue }
                guard (try? await database.put(text, at: place.description)) != nil else { break }
                model = later
            }
            let reopened = try FileDatabase.inMemory(disk.crashed(&random))
            let found = try await reopened.everything()
            func shown(_ model: FileModel) -> [String: String?] {
                var result: [String: String?] = [:]
                for path in model.everything() { result.updateValue(model.file(path), forKey: path.description) }
                return result
            }
            #expect(found == shown(model) || found == shown(later))
            #expect(try reopened.verify().faults.isEmpty)
            try await reopened.put("goes on", at: "/goes on")
        }
    }

    @Test("On a full disk a write is refused and changes nothing; with room again it goes on", arguments: Seed.several(5))
    func full(seed: Seed) async throws {
        var random = seed.generator
        let disk = FaultyDisk()
        let database = try FileDatabase.inMemory(disk)
        try await database.put("before", at: "/before")
        let size = disk.size
        disk.setCapacity(size + random.below(300))
        let before = database.head
        let bytes = random.bytes(300_000)
        for _ in 0..<3 {
            let error = await #expect(throws: DatabaseError.self) { try await database.put("some text", at: "/f") }
            #expect(error?.code == .full)
            let upload = await #expect(throws: DatabaseError.self) {
                let (content, objects) = try await database.upload(bytes)
                _ = try await database.put(
                    .file(FileValue(content: content, mediaType: "", modifiedAt: 0)), at: path("/g"), objects: objects)
            }
            #expect(upload?.code == .full)
        }
        #expect(database.head == before)
        #expect(disk.size == size)
        #expect(try await database.text(at: "/before") == "before")
        disk.setCapacity(nil)
        try await database.put("some text", at: "/f")
        #expect(try await FileDatabase.inMemory(disk.copy()).everything() == ["/before": "before", "/f": "some text"])
    }

    @Test("After a failed sync nothing is acknowledged any more, and reads go on")
    func failedSync() async throws {
        let disk = FaultyDisk()
        let database = try FileDatabase.inMemory(disk)
        try await database.put("before", at: "/before")
        disk.fail(.sync, count: 1)
        for _ in 0..<3 {
            let error = await #expect(throws: DatabaseError.self) { try await database.put("lost", at: "/lost") }
            #expect(error?.code == .unavailable)
        }
        #expect(try await database.everything() == ["/before": "before"])
    }

    // MARK: - Time

    @Test("No version's name is used twice, though the clock stands still and the database is opened again and again")
    func dots() async throws {
        let time = ManualTime()
        let disk = FaultyDisk()
        var seen: Set<Dot> = []
        for round in 0..<4 {
            let database = try FileDatabase.inMemory(disk, time: time)
            for number in 0..<10 {
                let result = try await database.put("text \(round) \(number)", at: "/\(number % 3)")
                #expect(seen.insert(try #require(result.info.version).dot).inserted)
            }
            // One that failed has its names, too.
            disk.setCapacity(disk.size)
            await #expect(throws: DatabaseError.self) { try await database.put("full", at: "/0") }
            disk.setCapacity(nil)
            #expect(seen.insert(try #require(await database.put("after", at: "/0").info.version).dot).inserted)
            if round % 2 == 0 { database.close() }
        }
    }

    @Test("With the clock set back, later writes still win over earlier ones, here and elsewhere")
    func clockSetBack() async throws {
        let (time, otherTime) = (ManualTime(), ManualTime(1_600_000_000_000_000))
        let disk = FaultyDisk()
        var database = try FileDatabase.inMemory(disk, time: time)
        let first = try #require(await database.put("first", at: "/f").info.version)
        for step in [-3_600_000_000, -1, 0, 5, -1_000_000_000_000] as [Int64] {
            time.advance(by: step)
            let version = try #require(await database.put("after \(step)", at: "/f").info.version)
            #expect(version.dot > first.dot)
            #expect(version.past.covers(first.dot))
            #expect(try await database.text(at: "/f") == "after \(step)")
            database = try FileDatabase.inMemory(disk, time: time)
        }
        // A node whose clock is three years behind, but which saw the last write.
        let other = try FileDatabase.inMemory(actor: 2, time: otherTime)
        try await other.take(from: database)
        try await other.put("from elsewhere", at: "/f")
        try await database.take(from: other)
        #expect(try await database.text(at: "/f") == "from elsewhere")
        #expect(database.head.commit.files.aggregates.conflicts == 0)
    }

    // MARK: - Many at once

    @Test("Many writers at once: all are acknowledged, and one commit holds many")
    func writers() async throws {
        let disk = FaultyDisk()
        let database = try FileDatabase.inMemory(disk)
        let count = 300
        let started = Shared(0)
        let heads = Shared<[Head]>([])
        let observer = database.addObserver { head in
            heads.change { $0.append(head) }
            // Holds the first commit up until all writers are at the door.
            while started.value < count { Thread.sleep(forTimeInterval: 0.001) }
            Thread.sleep(forTimeInterval: 0.02)
        }
        try await withThrowingTaskGroup(of: Void.self) { group in
            for number in 0..<count {
                group.addTask {
                    started.change { $0 += 1 }
                    try await database.put("text \(number)", at: "/\(number % 7)/\(number)")
                    #expect(try await database.text(at: "/\(number % 7)/\(number)") == "text \(number)")
                }
            }
            try await group.waitForAll()
        }
        let commits = heads.value
        #expect(commits.count < count / 2)
        #expect(commits.last == database.head)
        #expect(zip(commits, commits.dropFirst()).allSatisfy { $1.commit.parents == [$0.hash!] }, "observers are told in order")
        #expect(zip(commits, commits.dropFirst()).allSatisfy { $0.commit.time < $1.commit.time })
        #expect(database.head.commit.files.aggregates.files == UInt64(count))
        database.removeObserver(observer)
        try await database.put("quiet", at: "/quiet")
        #expect(heads.value.count == commits.count)
        #expect(try FileDatabase.inMemory(disk.copy()).head == database.head)
    }

    @Test("Among requests that share a commit, each sees those before it, and one that is refused harms none")
    func sharedCommit() async throws {
        let database = try FileDatabase.inMemory()
        let results = Shared<[Bool]>([])
        await withTaskGroup(of: Void.self) { group in
            for number in 0..<100 {
                group.addTask {
                    let isWritten = (try? await database.put("text \(number)", at: "/only one", if: .absent)) != nil
                    results.change { $0.append(isWritten) }
                }
            }
        }
        #expect(results.value.count { $0 } == 1)
        await withTaskGroup(of: Void.self) { group in
            for number in 0..<60 {
                group.addTask {
                    // Files and directories in each other's way.
                    _ = try? await database.put("text", at: number % 2 == 0 ? "/x/\(number % 5)" : "/x/\(number % 5)/below")
                }
            }
        }
        #expect(try database.verify().faults.isEmpty)
        #expect(database.head.commit.files.aggregates.conflicts == 0)
    }
}
