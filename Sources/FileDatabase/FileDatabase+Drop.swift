import Access
import Content
import Merkle
import Objects
import Platform

/// What was dropped, or would be.
public struct DropResult: Sendable {
    public var files: UInt64 = 0
    public var bytes: UInt64 = 0
    /// The first paths that are not wanted and were kept all the same, since nobody else is known to have what is there.
    public var kept: [TreePath] = []
    public var keptCount = 0
}

extension FileDatabase {
    /// Paths that are named; of more only the number is told.
    private static let maximumNamed = 1000

    /// Drops from the files what none of some rules lets read, in one commit, as if it had never been here: no deletion is written.
    ///
    /// - Parameters:
    ///   - scopes: what is wanted, each a part.
    ///   - holders: roots of trees that others hold. What none of them has stays.
    ///   - isDryRun: changes nothing.
    public func drop(outside scopes: [RuleSet], heldBy holders: [ContentHash], isDryRun: Bool) async throws -> DropResult {
        @Sendable func dropped(_ files: Subtree, _ nodes: inout DraftNodes) throws -> (files: Subtree, result: DropResult) {
            let wanted = Wanted(scopes)
            var result = DropResult()
            var left = files
            for holder in holders {
                result.kept = []
                result.keptCount = 0
                left = try left.dropping(heldBy: Subtree(root: holder, aggregates: .zero), in: &nodes, keeping: wanted.part(at:)) { path in
                    if result.kept.count < FileDatabase.maximumNamed { result.kept.append(path) }
                    result.keptCount += 1
                }
            }
            result.files = files.aggregates.files - min(left.aggregates.files, files.aggregates.files)
            result.bytes = files.aggregates.bytes - min(left.aggregates.bytes, files.aggregates.bytes)
            return (left, result)
        }
        let base = head.commit.files
        // Beside the writer, which does it again only where something was written meanwhile.
        let prepared = try await threads.run { [nodes, store] in
            try asDatabaseErrors {
                var draft = DraftNodes(over: nodes)
                let made = try dropped(base, &draft)
                if !isDryRun { try store.append(draft.made.values.map { PreparedObject(.tree, $0.bytes, hash: $0.hash) }) }
                return made
            }
        }
        if isDryRun { return prepared.result }
        return try await write { draft in
            let current = try draft.settled(.files)
            var nodes = draft.nodes
            let (files, result) = current.root == base.root ? prepared : try dropped(current, &nodes)
            draft.nodes = nodes
            if files.root != current.root {
                draft.replace(.files, with: files)
                draft.note(cause: "drop what is outside the paths")
            }
            return result
        }
    }

    /// A tree that is not this database's own, without what none of some rules lets read. Blocks.
    public func part(of tree: Subtree, within scopes: [RuleSet]) throws -> Subtree {
        try asDatabaseErrors {
            var draft = DraftNodes(over: nodes)
            let wanted = Wanted(scopes)
            let part = try tree.dropping(heldBy: tree, in: &draft, keeping: wanted.part(at:)) { _ in }
            try store.append(draft.made.values.map { PreparedObject(.tree, $0.bytes, hash: $0.hash) })
            return part
        }
    }
}

/// What any of some rules lets read. A class, because a walk looks at it again and again.
private final class Wanted {
    private var scopes: [RuleCursor]

    init(_ scopes: [RuleSet]) {
        self.scopes = scopes.map { RuleCursor($0) }
    }

    func part(at path: TreePath) -> TreePart {
        var mayBe = false
        var isWanted = false
        for index in scopes.indices {
            if scopes[index].allowsAll(.read, below: path) { return .all }
            mayBe = scopes[index].mayAllow(.read, below: path) || mayBe
            isWanted = scopes[index].allows(.read, path) || isWanted
        }
        return mayBe ? .some(withPath: isWanted) : .none
    }
}
