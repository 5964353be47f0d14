import Content
import FileDatabase
import Logging
import Merkle
import Platform
import Replication
import Synchronization

extension Node {
    /// Brings the content of the cluster's snapshots here, as far as the peer has it. Nothing is joined: what a snapshot names
    /// is kept beside the present state. What came before a sync broke off is not asked for again.
    func pullSnapshots(from link: PeerLink, _ report: inout SyncReport) async throws {
        // A part of the files is all that is wanted here.
        guard link.state.withLock({ $0.syncPaths == nil }) else { return }
        for root in try await database.threads.run({ try self.snapshotsToFetch() }).sorted() {
            let hold = database.holdObjects()
            defer { hold.end() }
            let session = PullSession(
                node: self, link: link, pull: Pull(local: database.head.commit.files.root, remote: root, horizon: latestAccepted))
            do {
                _ = try await session.run()
                try await database.threads.run { try self.database.markWhole(root) }
                lackingSnapshots.withLock { _ = $0?.roots.remove(root) }
                session.add(to: &report)
            } catch let error as PullError where error.code == .absent {
                // The peer is fetching it, too, or is not to have it; another one may.
                logger.debug("a snapshot is not whole at the peer", metadata: ["peer": "\(link.name)", "root": "\(root)"])
            }
        }
    }

    /// Looked up once for each state of the system tree.
    private func snapshotsToFetch() throws -> Set<ContentHash> {
        let root = database.head.commit.system.root
        if let known = lackingSnapshots.withLock({ $0?.systemRoot == root ? $0?.roots : nil }) { return known }
        let roots = try database.snapshotsToFetch()
        lackingSnapshots.withLock { $0 = (root, roots) }
        return roots
    }
}

extension PullSession {
    /// Adds what was moved.
    fileprivate func add(to report: inout SyncReport) {
        let moved = pull.withLock { ($0.chunksReceived, $0.bytesReceived) }
        report.chunks += moved.0
        report.bytes += moved.1
    }
}
