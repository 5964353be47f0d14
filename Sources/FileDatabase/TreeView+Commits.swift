import Content
import Merkle
import Objects

extension TreeView {
    /// The states that this one came from, the newest first, each with the name of its commit. Those that left the files as they were are
    /// passed over.
    ///
    /// - Parameters:
    ///   - after: the commit behind which to go on; nil for this state itself.
    ///   - limit: items at the most. Ten times as many commits are looked at.
    /// - Returns: the states, and where to go on; nil where the first is reached, or the oldest that is kept.
    public func commits(after: ContentHash?, limit: Int) throws -> (items: [(hash: ContentHash, commit: Commit)], next: ContentHash?) {
        try asDatabaseErrors {
            var items: [(hash: ContentHash, commit: Commit)] = []
            var next = head.hash
            if let after { next = try Commit(decoding: store.read(after, .commit)).parents.first }
            var last: ContentHash?
            for _ in 0..<(10 * limit) {
                guard let hash = next, let commit = try stored(hash) else { return (items, nil) }
                last = hash
                let parent = try commit.parents.first.flatMap { try stored($0) }
                if commit.files.root != (parent?.files.root ?? Subtree.empty.root) { items.append((hash, commit)) }
                next = parent == nil ? nil : commit.parents.first
                if items.count == limit { return (items, next == nil ? nil : hash) }
            }
            return (items, last)
        }
    }

    /// A commit; nil where it is not kept any more.
    private func stored(_ hash: ContentHash) throws -> Commit? {
        do {
            return try Commit(decoding: store.read(hash, .commit))
        } catch let error as StoreError where error.code == .missing {
            return nil
        }
    }
}
