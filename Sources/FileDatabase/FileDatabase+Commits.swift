import Causality
import Content
import Merkle
import Objects

extension FileDatabase {
    /// The states that this node has had and still keeps, the newest first, each with the name of its commit. Those that left the
    /// files as they were are passed over. Blocks.
    ///
    /// - Parameters:
    ///   - after: the commit behind which to go on; nil for the newest.
    ///   - limit: items at the most. Ten times as many commits are looked at.
    /// - Returns: the states, and where to go on; nil at the oldest that is kept.
    /// - Throws: `DatabaseError`: `gone` where `after` is not kept any more.
    public func commits(after: ContentHash?, limit: Int) throws -> (items: [(hash: ContentHash, commit: Commit)], next: ContentHash?) {
        try update()
        return try asDatabaseErrors {
            var last = HistoryTable.allTimes.upperBound
            if let after {
                guard let commit = try history.commit(after) else { throw DatabaseError(.gone, "commit \(after) is not kept any more") }
                guard commit.time > .zero else { return ([], nil) }
                last = Timestamp(rawValue: commit.time.rawValue - 1)
            }
            var past: [PastCommit] = []
            try history.eachCommit(notAfter: last) { commit in
                past.append(commit)
                return past.count <= 10 * limit
            }
            var items: [(hash: ContentHash, commit: Commit)] = []
            var states = past.makeIterator()
            func next() throws -> (hash: ContentHash, commit: Commit)? {
                while let past = states.next() {
                    if let commit = try history.commit(past.hash) { return (past.hash, commit) }
                }
                return nil
            }
            var state = try next()
            var shown: ContentHash?
            while let (hash, commit) = state {
                // With the one before it there is something to compare with, unless it is only the page that ends.
                state = try next()
                if state == nil, past.count > 10 * limit { break }
                if items.count == limit { return (items, shown) }
                if commit.files.root != (state?.commit.files.root ?? Subtree.empty.root) { items.append((hash, commit)) }
                shown = hash
            }
            return (items, past.count > 10 * limit ? shown : nil)
        }
    }
}
