import Causality
import Content
import Merkle
import Objects

/// The newest durable state, held for those who read it: they share one hold.
struct Current: Sendable {
    let head: Head
    let hold: RootHold

    init(_ head: Head, _ holds: Holds) {
        self.head = head
        hold = RootHold(holds, Tree.allCases.map { .tree(head[$0].root) })
    }
}

extension FileDatabase {
    /// The state that the log's last head record names; where its commit cannot be read, the newest one that can.
    ///
    /// - Returns: and why it is not the one that was acknowledged last, in words; nil if it is.
    /// - Throws: `DatabaseError`: `damaged` where no commit is left of a store that had some.
    static func findHead(in store: ObjectStore, actor: Actor, mayBeginAnew: Bool) throws -> (head: Head, lost: String?) {
        let reason: String
        if let hash = store.head {
            do {
                let lost = store.recovery.lostEnd ? "the end of the log is gone, and with it writes that were acknowledged" : nil
                return (Head(hash: hash, commit: try Commit(decoding: store.read(hash, .commit))), lost)
            } catch let error as StoreError where error.code == .missing || error.code == .damaged {
                reason = "the newest commit cannot be read (\(error.reason))"
            }
        } else if store.recovery.damaged.isEmpty, !store.recovery.rebuiltIndex {
            return (Head(hash: nil, commit: Commit(files: .empty, system: .empty, parents: [], actor: actor, time: .zero, cause: "")), nil)
        } else {
            reason = "the log does not say which commit is the newest"
        }
        var newest: Head?
        for hash in try store.objects(of: .commit) {
            guard let bytes = try? store.read(hash, .commit), let commit = try? Commit(decoding: bytes) else { continue }
            if newest.map({ $0.commit.time < commit.time }) ?? true { newest = Head(hash: hash, commit: commit) }
        }
        if let newest { return (newest, "\(reason); going on from the newest that can be read, \(newest.hash!)") }
        guard store.head == nil || mayBeginAnew else {
            throw DatabaseError(.damaged, "\(reason), and no other is left; restore the directory from a backup, or start a new one and join the cluster")
        }
        let lost = store.head == nil ? nil : "\(reason), and no other is left"
        return (Head(hash: nil, commit: Commit(files: .empty, system: .empty, parents: [], actor: actor, time: .zero, cause: "")), lost)
    }
}
