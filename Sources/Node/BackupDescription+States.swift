import Content
import FileDatabase
import Foundation
import Merkle
import Objects

extension BackupDescription {
    private struct SnapshotDocument: Decodable {
        var root: String
    }

    /// Describes a backup of a database as it is now, or of an earlier state of its files. Blocks.
    ///
    /// - Parameters:
    ///   - state: a snapshot's name, a commit or a root; nil for the newest.
    ///   - since: the same, of the backup that this one is to go on from.
    /// - Throws: `NodeError`: `notFound`, `conflict` where there is nothing yet.
    public static func of(
        _ database: FileDatabase, state: String? = nil, since: String? = nil, identity: [UInt8]? = nil
    ) throws -> BackupDescription {
        let view = database.view
        guard let commit = view.head.hash else { throw NodeError(.conflict, "the node holds nothing yet") }
        return BackupDescription(
            commit: commit, files: try state.map { try root(of: $0, database, view) } ?? view.head.commit.files.root,
            base: try since.map { try root(of: $0, database, view) }, identity: identity)
    }

    private static func root(of state: String, _ database: FileDatabase, _ view: TreeView) throws -> ContentHash {
        if let hash = ContentHash(state) {
            if hash == TreeNode.empty.hash { return hash }
            switch try database.store.location(of: hash)?.kind {
            case .commit: return try Commit(decoding: database.store.read(hash, .commit)).files.root
            case .tree: return hash
            default: throw NodeError(.notFound, "the state \(state) is not known here")
            }
        }
        let unknown = NodeError(.notFound, "there is no snapshot '\(state.prefix(128))'; name one, or a commit or root of 64 hexadecimal digits")
        guard TreePath.fault(inName: state) == nil,
            let bytes = try view.document(TreePath.root.appending("snapshots").appending(state)),
            let document = try? JSONDecoder().decode(SnapshotDocument.self, from: Data(bytes)), let root = ContentHash(document.root)
        else { throw unknown }
        return root
    }
}
