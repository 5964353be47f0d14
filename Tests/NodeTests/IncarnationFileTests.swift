import Causality
import Content
import FileDatabase
import Foundation
@testable import Node
import Platform
import TestSupport
import Testing

@Suite("Which life of its node a directory is in")
struct IncarnationFileTests {
    private func beginning(_ start: UInt64, _ first: UInt64) -> Beginning {
        let gap = WriteGap(start: Timestamp(rawValue: start), first: Timestamp(rawValue: first))
        return Beginning(gaps: [gap], files: ContentHash(of: .tree, Array("\(start)".utf8)), system: ContentHash(of: .tree, [0]))
    }

    private func gaps(_ lone: Incarnation.Lone, but count: Int = 0) -> [[UInt64]]? {
        lone.beginning(but: count)?.gaps.map { [$0.start.rawValue, $0.first.rawValue] }
    }

    @Test("A gap for each start at which something had been written, with the roots of the first, until there are too many")
    func starts() {
        var lone = Incarnation.Lone(beginning(10, 20))
        #expect(gaps(lone) == [[10, 20]])
        #expect(gaps(lone, but: 1) == nil)
        lone.add(beginning(30, 40))
        #expect(gaps(lone) == [[10, 20], [30, 40]])
        #expect(gaps(lone, but: 1) == [[10, 20]])
        #expect(lone.beginning(but: 0)?.files == beginning(10, 20).files)
        // Nothing was written.
        lone.add(beginning(30, 50))
        #expect(gaps(lone) == [[10, 20], [30, 50]])
        for start in 1...40 as ClosedRange<UInt64> { lone.add(beginning(start * 100, start * 100 + 50)) }
        #expect(gaps(lone)?.count == 32)
        #expect(gaps(lone)?.last == [4000, 4050])
    }

    @Test("A clock that was set back lowers the last gap, and one that was set back unnoticed takes it away")
    func clocks() {
        var lone = Incarnation.Lone(beginning(10, 90))
        lone.setBack(to: Timestamp(rawValue: 40))
        #expect(gaps(lone) == [[10, 40]])
        lone.setBack(to: Timestamp(rawValue: 60))
        #expect(gaps(lone) == [[10, 40]])
        lone.setBack(to: Timestamp(rawValue: 5))
        #expect(gaps(lone) == [[10, 11]])
        var other = Incarnation.Lone(beginning(10, 90))
        other.add(beginning(50, 60))
        #expect(gaps(other) == [[50, 60]])
        #expect(other.beginning(but: 0)?.files == beginning(50, 60).files)
    }

    @Test("A file that makes no sense says nothing", arguments: [
        "[[0, 5]]", "[[5, 5]]", "[[9, 5]]", "[[5, 18446744073709551615]]", "[[5, 6], [5, 7]]", "[[5, 6], [3, 4]]",
    ])
    func nonsense(gaps: String) throws {
        let hash = ContentHash(of: .tree, [0]).description
        let text = #"{"gaps":\#(gaps),"files":"\#(hash)","system":"\#(hash)"}"#
        let lone = try JSONDecoder().decode(Incarnation.Lone.self, from: Data(text.utf8))
        #expect(lone.beginning(but: 0) == nil)
    }

    @Test("What is left behind goes on from start to start, and goes with the first peer or a fresh incarnation")
    func file() throws {
        let directory = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString).path
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: directory) }
        try PrivateFile.write([1], to: directory + "/node.key")
        func find(_ beginning: Beginning?) throws -> Incarnation.Finding {
            try Incarnation.find(in: directory, isNew: true, loss: nil, beginning: beginning, randomness: SystemRandomness())
        }
        #expect(try find(beginning(10, 20)).earlier == nil)
        #expect(try find(beginning(30, 40)).earlier == beginning(10, 20))
        // Nobody to meet, or the cluster cannot be read: what was left is still there.
        #expect(try find(nil).earlier?.gaps.count == 2)
        try Incarnation.noteSetBack(to: Timestamp(rawValue: 35), in: directory)
        #expect(try find(beginning(50, 60)).earlier?.gaps.last?.first == Timestamp(rawValue: 35))
        try Incarnation.noteMet(in: directory)
        #expect(try find(beginning(70, 80)).earlier == nil)
        try Incarnation.change(to: 7, in: directory)
        let finding = try find(beginning(90, 95))
        #expect(finding.incarnation.number == 7)
        #expect(finding.earlier == nil)
    }
}
