import Causality
import Content
import Merkle
import Objects

extension FileDatabase {
    /// The roots of snapshots whose content is not known to be all here. Blocks.
    ///
    /// Those that this node made are. What is known of others is forgotten when no snapshot names their root any more, since
    /// their content is let go then.
    public func snapshotsToFetch() throws -> Set<ContentHash> {
        let named = try snapshots()
        return try asDatabaseErrors {
            var stored: Set<ContentHash> = []
            try history.table.scan(HistoryTable.wholes, isReversed: false) { key, _ in
                if key.count == 1 + ContentHash.byteCount { stored.insert(key.withUnsafeBytes { ContentHash(UnsafeRawBufferPointer(rebasing: $0[1...])) }) }
                return true
            }
            let roots = Set(named.map(\.root))
            let forgotten = stored.subtracting(roots)
            if !forgotten.isEmpty { try history.table.write(forgotten.map { TableEntry(key: HistoryTable.whole($0), value: nil) }) }
            let own = Set(named.filter { $0.node == actor.node }.map(\.root))
            return roots.subtracting(stored).subtracting(own).subtracting([TreeNode.empty.hash, head.commit.files.root])
        }
    }

    /// Takes note that everything that a snapshot's root needs is here. Blocks.
    public func markWhole(_ root: ContentHash) throws {
        try asDatabaseErrors { try history.table.write([TableEntry(key: HistoryTable.whole(root), value: [])]) }
    }
}
