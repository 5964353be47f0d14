import Causality
import Content
import FileDatabase
import Hummingbird
import Merkle
import Platform

/// `GET /versions/commits`: the states that this node has had, the newest first, for those who look for one by its time. A state is of
/// the whole tree, so this is for keys with all rights; others go by times.
func addCommitRoutes(to routes: inout Routes) {
    routes.on(.get, "/versions/commits") { call in
        try call.requireOwner()
        var query = try call.query()
        let limit = try query.limit()
        let after = try query.text("after").map { text in
            guard let hash = ContentHash(text) else { throw Cursor.malformed }
            return hash
        }
        try query.finish()
        return try await call.database.threads.run { [database = call.database] in
            let page: (items: [(hash: ContentHash, commit: Commit)], next: ContentHash?)
            do {
                page = try database.commits(after: after, limit: limit)
            } catch let error as DatabaseError where error.code == .gone {
                throw Problem(.gone, "the commit in 'after' is not kept any more; begin anew")
            }
            return .json(reserving: 256 + page.items.count * 384) { json in
                json.object { json in
                    json.key("items")
                    json.array { json in
                        for (hash, commit) in page.items {
                            json.object { json in
                                json.field("commit", hash)
                                json.field("root", commit.files.root)
                                json.field("time", time: commit.time.nanoseconds)
                                json.field("node", commit.actor.node.hash)
                                json.field("cause", commit.cause)
                                json.field("files", commit.files.aggregates.files)
                                json.field("bytes", commit.files.aggregates.bytes)
                                json.field("conflicts", commit.files.aggregates.conflicts)
                            }
                        }
                    }
                    json.field("next", page.next)
                }
            }
        }
    }
}
