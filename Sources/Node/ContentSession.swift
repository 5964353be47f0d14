import Causality
import Content
import FileDatabase
import Merkle
import Platform
import Replication
import Synchronization

/// Runs a pull of content by its places: sends its requests, stores what comes, and hands it the answers.
final class ContentSession: Sendable {
    private let node: Node
    private let link: PeerLink
    private let tree: String
    /// Of the state in which the places are.
    private let cursor: [UInt8]
    let pull: Mutex<ContentPull>

    init(node: Node, link: PeerLink, tree: String, cursor: [UInt8], horizon: Timestamp) {
        self.node = node
        self.link = link
        self.tree = tree
        self.cursor = cursor
        pull = Mutex(ContentPull(horizon: horizon))
    }

    private struct Answer: Sendable {
        var request: ContentPull.Request
        var objects: [Pull.Object]
    }

    /// Asks until nothing is missing of what these registers need.
    func run(_ changes: [(path: TreePath, register: Register, local: Register?)]) async throws {
        let local = StoredObjects(database: node.database)
        try pull.withLock { pull in
            for (path, register, local) in changes { try pull.add(register, at: path, local: local) }
        }
        try await withThrowingTaskGroup(of: Answer.self) { group in
            for request in try await nextRequests(local) { group.addTask { try await self.fetch(request) } }
            while let answer = try await group.next() {
                try await node.database.threads.run {
                    try self.pull.withLock { try $0.received(answer.objects, for: answer.request, local) }
                }
                for request in try await nextRequests(local) { group.addTask { try await self.fetch(request) } }
            }
        }
    }

    func add(to report: inout SyncReport) {
        let sums = pull.withLock { ($0.changedEntries, $0.chunksReceived, $0.bytesReceived) }
        report.entries += sums.0
        report.chunks += sums.1
        report.bytes += sums.2
    }

    private func nextRequests(_ local: StoredObjects) async throws -> [ContentPull.Request] {
        try await node.database.threads.run { try self.pull.withLock { try $0.requests(local) } }
    }

    private func fetch(_ request: ContentPull.Request) async throws -> Answer {
        let body = ContentRequest(cursor: cursor, files: request.files).encoded()
        let fetch = ObjectFetch(node: node, link: link)
        var (objects, absent, damaged) = try await fetch.objects(request.hashes, "/sync/scoped/objects?tree=\(tree)", body)
        // The peer reads all of it again with care, and so finds out about its damage.
        if !damaged.isEmpty { (objects, absent, damaged) = try await fetch.objects(request.hashes, "/sync/scoped/objects?tree=\(tree)&check=true", body) }
        guard absent.isEmpty, damaged.isEmpty else {
            throw PullError(.absent, "the peer at \(link.address) does not have, or no longer shows, what it told of; sync again")
        }
        return Answer(request: request, objects: objects)
    }
}
