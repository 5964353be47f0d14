import Causality
import Content
import Merkle
import Objects

extension FileDatabase {
    /// Changed files that are looked at for one listing: about a tenth of a second.
    private static let maximumSizeChanges = 20_000

    /// For each of some snapshots, the bytes of its files that neither the present state nor the snapshot before or after it
    /// has at the same path: about what its deletion frees. Nil where that takes too long to tell, or its content is not
    /// here. Blocks.
    public func ownBytes(of wanted: [Snapshot], among all: [Snapshot]) throws -> [UInt64?] {
        let byTime = all.sorted { ($0.time, $0.name) < ($1.time, $1.name) }
        let present = view
        var left = FileDatabase.maximumSizeChanges
        return try wanted.map { snapshot in
            guard let index = byTime.firstIndex(of: snapshot) else { return nil }
            let neighbours = [index - 1, index + 1].filter(byTime.indices.contains).map { byTime[$0].root }
            if neighbours.contains(snapshot.root) || snapshot.root == present.files.root { return 0 }
            do {
                return try ownBytes(of: snapshot.root, beside: neighbours, present, &left)
            } catch let error as DatabaseError where error.code == .damaged {
                return nil
            }
        }
    }

    private func ownBytes(
        of root: ContentHash, beside neighbours: [ContentHash], _ present: TreeView, _ left: inout Int
    ) throws -> UInt64? {
        try asDatabaseErrors {
            var own: UInt64 = 0
            var diff = try TreeDiff(from: Subtree(root: root, aggregates: .zero), to: present.files, in: nodes, tellsVisibility: true)
            while let difference = try diff.next() {
                guard left > 0 else { return nil }
                left -= 1
                let name = difference.path.name ?? ""
                guard let mine = Entry(name: name, register: difference.before, subtree: difference.subtreeBefore).fileContent else { continue }
                if Entry(name: name, register: difference.after, subtree: difference.subtreeAfter).fileContent == mine { continue }
                let isShared = try neighbours.contains { neighbour in
                    try Subtree(root: neighbour, aggregates: .zero).entry(at: difference.path, in: nodes)?.fileContent == mine
                }
                if !isShared { own += mine.size }
            }
            return own
        }
    }
}

extension Entry {
    fileprivate var fileContent: FileContent? {
        guard case .file(let file)? = current?.value else { return nil }
        return file.content
    }
}
