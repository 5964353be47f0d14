import Access
import Node

/// The node that keeps its data in a directory of this machine.
struct LocalNode {
    /// A token that the node in `dataDirectory` accepts, signed with the key that its owner can read.
    static func token(dataDirectory: String) async throws -> String {
        let key: NodeKey?
        do {
            key = try NodeKey.existing(directory: dataDirectory)
        } catch {
            throw Failure("cannot read the node's key: \(error)")
        }
        guard let key else {
            throw Failure("no node has run in \(dataDirectory); start one with 'pando serve --data \(dataDirectory)', or name another directory with --data")
        }
        return try await Tokens.owner(key, directory: dataDirectory)
    }
}
