import FileDatabase
import Foundation
import Merkle
import TestSupport
import Testing

@testable import FolderSync

@Suite("Two desks at random")
struct ModelTests {
    /// Two people do what people do, each on a desk that is now and then connected. In the end both folders are the same, and of
    /// what was saved nothing is gone but what somebody replaced or deleted who had it before them.
    @Test(arguments: Seed.several(6)) func desksComeTogether(_ seed: Seed) async throws {
        var random = seed.generator
        let server = try FileDatabase.inMemory(actor: 9)
        // With batches of one or two, each change meets the bounds of one.
        let sizes = BatchSizes(found: 1, read: 1, edits: 2, placed: 2)
        let desks = [try Desk(1, server: server, batches: random.below(2) == 0 ? sizes : BatchSizes()), try Desk(2, server: server, batches: sizes)]
        // The last text of each path on each desk, and all texts that somebody saw and replaced or deleted.
        var replaced: Set<String> = []
        // The same with the paths: whoever replaced a text had it before them, so it loses to nobody.
        var seen: [String: Set<String>] = [:]
        var saved: Set<String> = []
        var number = 0
        let names = ["a", "b", "d/a", "d/b", "d/e/c", "f/g"]
        func files(_ desk: Desk) throws -> [String: String] {
            try desk.everything().compactMapValues { $0 }
        }
        var steps: [String] = []
        func sync(_ desk: Desk) async throws {
            do {
                try await desk.sync(confirms: true)
            } catch {
                Issue.record("\(seed): \(error) after \(steps.joined(separator: ", "))")
                throw error
            }
        }
        for _ in 0..<60 {
            let desk = random.pick(desks)
            let files = try files(desk)
            switch random.below(11) {
            case 0...3:
                number += 1
                let name = random.pick(names)
                var parent = URL(filePath: "/" + name).deletingLastPathComponent()
                var isFree = true
                while parent.path() != "/" {
                    if files[String(parent.path(percentEncoded: false).dropFirst().drop { $0 == "/" })] != nil { isFree = false }
                    parent.deleteLastPathComponent()
                }
                var isDirectory: ObjCBool = false
                if FileManager.default.fileExists(atPath: desk.path(name), isDirectory: &isDirectory), isDirectory.boolValue { isFree = false }
                guard isFree else { continue }
                if let old = files[name] {
                    replaced.insert(old)
                    seen[name, default: []].insert(old)
                }
                saved.insert("text \(number)")
                steps.append("\(desk === desks[0] ? 1 : 2) write \(number) \(name)")
                try desk.write("text \(number)", to: name)
            case 4:
                guard let name = files.keys.sorted().randomElement(using: &random), let old = files[name] else { continue }
                replaced.insert(old)
                seen[name, default: []].insert(old)
                steps.append("\(desk === desks[0] ? 1 : 2) rm \(name)")
                try desk.remove(name)
            case 5:
                guard files.keys.contains(where: { $0.hasPrefix("d/") }) else { continue }
                let target = random.pick(["moved", "f/moved"])
                guard !FileManager.default.fileExists(atPath: desk.path(target)), files["f"] == nil else { continue }
                try FileManager.default.createDirectory(
                    atPath: URL(filePath: desk.path(target)).deletingLastPathComponent().path(), withIntermediateDirectories: true)
                steps.append("\(desk === desks[0] ? 1 : 2) mv d \(target)")
                try desk.move("d", to: target)
            case 6:
                guard let name = files.keys.sorted().randomElement(using: &random), !FileManager.default.fileExists(atPath: desk.path("z")) else { continue }
                steps.append("\(desk === desks[0] ? 1 : 2) mv \(name) z")
                try desk.move(name, to: "z")
            case 7:
                // Nothing of what is needed goes with what is not.
                steps.append("\(desk === desks[0] ? 1 : 2) collect")
                #expect(try !desk.database.collect().wasCancelled)
            default:
                steps.append("\(desk === desks[0] ? 1 : 2) sync")
                try await sync(desk)
            }
        }
        for _ in 0..<3 { for desk in desks { try await sync(desk) } }
        #expect(try desks[0].everything() == desks[1].everything(), "\(seed)")
        #expect(desks[0].database.head.commit.files.root == server.head.commit.files.root)
        #expect(desks[1].database.head.commit.files.root == server.head.commit.files.root)
        var kept = Set(try files(desks[0]).values)
        for path in try server.conflictedPaths() {
            let losers = try await server.losers(of: path)
            kept.formUnion(losers)
            // What was moved can come to a path more than once; what was written here is written once.
            guard let name = names.first(where: { "/" + $0 == path }) else { continue }
            #expect(seen[name, default: []].isDisjoint(with: losers), "\(seed): a false conflict at \(path) after \(steps.joined(separator: ", "))")
        }
        #expect(saved.subtracting(replaced).subtracting(kept).isEmpty, "\(seed): nothing is lost")
        // And it stays so.
        let root = server.head.commit.files.root
        for desk in desks {
            let summary = try await desk.sync()
            #expect(summary.sentFiles == 0 && summary.receivedFiles == 0 && summary.receivedDeletions == 0)
        }
        #expect(server.head.commit.files.root == root)
    }
}
