import Access
import Causality
import Content
import FileDatabase
import Merkle

/// A walk through what differs between two trees within some rules, some paths at a time. One task uses it, on whichever thread.
final class DifferenceWalk: @unchecked Sendable {
    struct Item: Sendable {
        var path: TreePath
        var before: Register?
        var after: Register
    }

    private let view: TreeView
    private let before: Subtree
    private let after: Subtree
    private let rules: RuleSet
    private var step: (() throws -> TreeDifference?)?

    /// - Parameter rules: where nothing is allowed, nothing is looked at.
    init(_ view: TreeView, from before: Subtree, to after: Subtree, rules: RuleSet = .everything) {
        self.view = view
        self.before = before
        self.after = after
        self.rules = rules
    }

    /// The next paths whose registers differ, in order; none at the end. Blocks.
    func next(_ limit: Int) throws -> [Item] {
        let step = try self.step ?? begin()
        self.step = step
        var items: [Item] = []
        while items.count < limit, let difference = try step() {
            if let register = difference.after { items.append(Item(path: difference.path, before: difference.before, after: register)) }
        }
        return items
    }

    private func begin() throws -> () throws -> TreeDifference? {
        var rules = RuleCursor(rules)
        var diff = try TreeDiff(from: before, to: after, in: view.reader) { path in
            Permission.allCases.contains { rules.mayAllow($0, below: path) }
        }
        return { try diff.next() }
    }
}
