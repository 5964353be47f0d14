import Access
import Causality
import Content
import FileDatabase
import Merkle
import Objects

/// A recursive listing of many entries, as somebody sees it who may see everything, and as the holder of a key with many rules does.
struct ListingBenchmark {
    private static let rules = 50
    private static let directories = 100

    let settings: Settings

    func run(_ report: inout Report) async throws {
        let scratch = try Scratch(in: settings.scratch)
        let database = try FileDatabase(directory: scratch.path, actor: Actor(node: NodeID(publicKey: [1])))
        let count = settings.scaled(100_000)
        for start in stride(from: 0, to: count, by: 10_000) {
            let items = try (start..<min(start + 10_000, count)).map { index in
                FileDatabase.BulkItem(
                    path: try TreePath("/files/d\(index % ListingBenchmark.directories)/file-\(index).txt"), value: .symlink(target: "x"))
            }
            _ = try await database.put(items)
        }
        let all = try rates(database, nil)
        let cases: [(name: String, rules: [Rule])] = [
            ("other directories first", try (0..<ListingBenchmark.rules - 1).map { Rule(path: try Glob("/other\($0)/**"), allow: [.read]) } + [everything()]),
            ("half of the directories", try (0..<ListingBenchmark.rules).map { Rule(path: try Glob("/files/d\($0)/**"), allow: [.list]) }),
            ("kinds of names first", try (0..<ListingBenchmark.rules - 1).map { Rule(path: try Glob("*.x\($0)"), allow: []) } + [everything()]),
        ]
        for (name, rules) in cases {
            report.add(
                "listing/\(ListingBenchmark.rules) rules, \(name)", try rates(database, RuleSet(rules)), "entries/s", limit: ("no rules", all),
                goal: .ratioAtLeast(1 / 1.5))
        }
        database.close()
    }

    private func everything() throws -> Rule { Rule(path: try Glob("/files/**"), allow: [.list]) }

    /// Entries shown a second.
    private func rates(_ database: FileDatabase, _ rules: RuleSet?) throws -> [Double] {
        var options = ListOptions()
        options.recursive = true
        options.limit = .max
        options.rules = rules
        var rates: [Double] = []
        for run in 0...settings.runs {
            var count = 0
            let time = try seconds { count = try database.view.list(.root, options).items.count }
            if run > 0 { rates.append(Double(count) / time) }
        }
        return rates
    }
}
