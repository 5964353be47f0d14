import Causality
import Content
import FileDatabase
import Foundation
import Logging
import Merkle
import Objects
import Platform
import Replication
import Synchronization

/// One push: finds out what the peer lacks, sends that, and then the records, which the peer joins all at once at the end.
///
/// One task uses it. Memory holds a part's records and the hashes of some hundred files.
final class PushSession {
    /// Bytes of a part's records.
    private static let partSize = 4 << 20
    /// Bytes of objects in one request.
    private static let uploadSize = 4 << 20
    private static let uploadsInFlight = 3
    /// How often one part is mended and sent again.
    private static let maximumTries = 16
    /// Records whose refusal is remembered.
    static let maximumRefused = 10_000
    private static let maximumAnswerSize = 4 << 20

    struct Result {
        var entries: Int
        var bytes: UInt64
        var cursor: [UInt8]?
        /// What the peer is known to have now.
        var known: Subtree
    }

    private struct Answer: Decodable {
        var ticket: String?
        var entries: Int?
        var cursor: String?
        var detail: String?
        var refused: [Refusal]?
        var missing: [String]?
    }

    private struct Record {
        var item: DifferenceWalk.Item
        var bytes: [UInt8]
    }

    private let node: Node
    private let link: PeerLink
    private let tree: Tree
    private let cursor: [UInt8]
    private var known: Subtree
    private var ticket: [UInt8] = []
    private var part: [Record] = []
    private var partBytes = 0
    private var accepted = 0
    private var bytesSent: UInt64 = 0

    init(node: Node, link: PeerLink, tree: Tree, known: Subtree, cursor: [UInt8]) {
        self.node = node
        self.link = link
        self.tree = tree
        self.known = known
        self.cursor = cursor
    }

    // MARK: Content

    /// Sends what the peer lacks for some changes, and their records as parts get full.
    func send(_ items: [DifferenceWalk.Item], _ rules: PushRules) async throws {
        // A file that is gone from one place and new in another has moved, and its content is there already.
        var places: [ContentHash: TreePath] = [:]
        for item in items {
            for version in item.before?.versions ?? [] {
                if let content = version.content, places[content.root] == nil { places[content.root] = item.path }
            }
        }
        let items = items.filter { !holdBack($0, rules) }
        let database = node.database
        for start in stride(from: 0, to: items.count, by: MissingRequest.maximumBases / (2 * PushRecord.maximumBases)) {
            let group = items[start..<min(start + MissingRequest.maximumBases / (2 * PushRecord.maximumBases), items.count)]
            var bases: [ContentBase] = []
            var needed: [ContentHash] = []
            var records: [Record] = []
            for item in group {
                let versions = rules.newVersions(item).filter { $0.content != nil }
                let own = rules.node == nil ? [] : PushSession.bases(of: item, versions, places)
                bases += own
                let objects = try await database.threads.run {
                    try database.objects(of: versions.map { FileDatabase.BulkItem(path: item.path, value: $0.value) })
                }
                // The file that held it may have changed since: then another version follows.
                guard try await database.threads.run({ try database.store.missing(among: objects.map(\.hash)) }).isEmpty else {
                    note(Refusal(item.path, .unseen, "its content is not here any more"), of: item)
                    continue
                }
                needed += objects.map(\.hash)
                records.append(Record(item: item, bytes: PushRecord(path: item.path, register: item.after, bases: own).encoded()))
            }
            try await sendMissing(of: needed, bases)
            for record in records {
                if partBytes + record.bytes.count > PushSession.partSize { try await sendPart(isLast: false) }
                part.append(record)
                partBytes += record.bytes.count
            }
        }
    }

    /// Whether the peer would refuse the change, or has refused it before and will not have thought better of it.
    private func holdBack(_ item: DifferenceWalk.Item, _ rules: PushRules) -> Bool {
        let known = link.state.withLock { $0.refused[item.path] }
        if let known, known.register == item.after, !known.refusal.code.isForNow { return true }
        guard let refusal = rules.refusal(of: item) else { return false }
        note(refusal, of: item)
        return true
    }

    private func note(_ refusal: Refusal, of item: DifferenceWalk.Item) {
        let isNew = link.state.withLock { state in
            if state.refused.count >= PushSession.maximumRefused { state.refused = [:] }
            return state.refused.updateValue(PeerLink.Held(register: item.after, refusal: refusal), forKey: item.path)?.register != item.after
        }
        if isNew { node.logger.notice("not pushed", metadata: ["path": "\(refusal.path)", "reason": "\(refusal.reason)"]) }
    }

    private static func bases(
        of item: DifferenceWalk.Item, _ versions: [Version], _ places: [ContentHash: TreePath]
    ) -> [ContentBase] {
        var bases: [ContentBase] = []
        for version in versions {
            guard let root = version.content?.root, let place = places[root] else { continue }
            bases.append(ContentBase(path: place, root: root))
        }
        for version in item.before?.versions ?? [] {
            if let root = version.content?.root { bases.append(ContentBase(path: item.path, root: root)) }
        }
        return Array(bases.prefix(PushRecord.maximumBases))
    }

    private func sendMissing(of needed: [ContentHash], _ bases: [ContentBase]) async throws {
        for start in stride(from: 0, to: needed.count, by: MissingRequest.maximumHashes) {
            let hashes = Array(needed[start..<min(start + MissingRequest.maximumHashes, needed.count)])
            let body = MissingRequest(bases: Array(bases.prefix(MissingRequest.maximumBases)), hashes: hashes).encoded()
            let answer = try await node.send(.post, "/sync/push/missing", to: link, body: body)
                .body.collect(limit: MissingRequest.maximumHashes * ContentHash.byteCount)
            guard answer.count % ContentHash.byteCount == 0 else { throw PullError(.malformed, "the peer's list of missing objects is cut off") }
            let missing = answer.withUnsafeBytes { bytes in
                stride(from: 0, to: bytes.count, by: ContentHash.byteCount).map {
                    ContentHash(UnsafeRawBufferPointer(rebasing: bytes[$0..<$0 + ContentHash.byteCount]))
                }
            }
            guard Set(missing).isSubset(of: hashes) else { throw PullError(.malformed, "the peer asks for objects that it was not told of") }
            try await upload(missing)
        }
    }

    /// Sends objects, several requests at once.
    private func upload(_ hashes: [ContentHash]) async throws {
        let (node, link) = (node, link)
        var rest = hashes[...]
        bytesSent += try await withThrowingTaskGroup(of: UInt64.self) { group in
            var sum: UInt64 = 0
            var inFlight = 0
            while true {
                while inFlight < PushSession.uploadsInFlight, !rest.isEmpty {
                    let waiting = Array(rest)
                    let (body, count) = try await node.database.threads.run { [store = node.database.store] in
                        try PushSession.frames(of: waiting, store)
                    }
                    rest = rest.dropFirst(count)
                    inFlight += 1
                    group.addTask {
                        _ = try await node.send(.post, "/sync/push/objects", to: link, body: body, timeoutSeconds: 300).body.collect(limit: 4096)
                        return UInt64(body.count)
                    }
                }
                guard let bytes = try await group.next() else { return sum }
                sum += bytes
                inFlight -= 1
            }
        }
    }

    /// The frames of the first of some objects, as many as go into one request. Blocks.
    private static func frames(of hashes: [ContentHash], _ store: ObjectStore) throws -> (bytes: [UInt8], count: Int) {
        var bytes: [UInt8] = []
        var count = 0
        for hash in hashes where bytes.count < uploadSize {
            guard let location = try store.location(of: hash) else { throw StoreError(.missing, "object \(hash) is not here", hash: hash) }
            let stored = try store.readStored(location, hash: hash)
            ObjectFrame(
                header: ObjectFrame.Header(
                    kind: location.kind, codec: location.codec == .zstd ? .zstd : .raw, rawLength: Int(location.rawLength),
                    storedLength: Int(location.storedLength), hash: hash),
                stored: stored
            ).encode(to: &bytes)
            count += 1
        }
        bytes.append(ObjectFrame.end)
        return (bytes, count)
    }

    // MARK: Records

    /// Sends the rest; the peer joins everything.
    /// - Returns: nil if there was nothing to push.
    func finish() async throws -> Result? {
        guard !part.isEmpty || !ticket.isEmpty else { return nil }
        guard let answer = try await sendPart(isLast: true) else { return nil }
        return Result(
            entries: answer.entries ?? accepted, bytes: bytesSent, cursor: answer.cursor.flatMap { Data(base64Encoded: $0) }.map(Array.init),
            known: known)
    }

    /// Sends a part until it is taken, without what the peer refuses of it.
    /// - Returns: the answer; nil if nothing is left of it, nor of the parts before.
    @discardableResult
    private func sendPart(isLast: Bool) async throws -> Answer? {
        for _ in 0..<PushSession.maximumTries {
            if part.isEmpty, ticket.isEmpty || !isLast { return nil }
            let body = PushPart.encoded(isLast: isLast, ticket: ticket, cursor: isLast ? cursor : [], records: part.flatMap(\.bytes))
            bytesSent += UInt64(body.count)
            let response = try await node.send(
                .post, "/sync/push?tree=\(tree.rawValue)", to: link, body: body, timeoutSeconds: 300, passing: [400, 403, 409])
            let bytes = try await response.body.collect(limit: PushSession.maximumAnswerSize)
            guard let answer = try? JSON.decode(Answer.self, bytes) else { throw NodeError(.unavailable, "the peer's answer to a push is not one") }
            if response.status == 200 {
                try await take(answer)
                return answer
            }
            let refused = answer.refused ?? []
            let missing = (answer.missing ?? []).compactMap { ContentHash($0) }
            guard !refused.isEmpty || !missing.isEmpty else {
                throw NodeError(.conflict, "the peer at \(link.address) says: \(answer.detail ?? "status \(response.status)")")
            }
            leaveOut(refused)
            // What the peer has forgotten since it was asked.
            if !missing.isEmpty { try await upload(missing) }
        }
        throw NodeError(.unavailable, "the peer at \(link.address) refuses a push again and again")
    }

    private func take(_ answer: Answer) async throws {
        ticket = answer.ticket.flatMap { Data(base64Encoded: $0) }.map(Array.init) ?? []
        let (database, base, registers) = (node.database, known, part.map { (path: $0.item.path, register: $0.item.after) })
        known = try await database.threads.run { try database.stage(registers, onto: base) }
        accepted += part.count
        link.state.withLock { state in for record in part { state.refused[record.item.path] = nil } }
        part = []
        partBytes = 0
    }

    private func leaveOut(_ refused: [Refusal]) {
        let byPath = Dictionary(refused.map { ($0.path, $0) }) { first, _ in first }
        part.removeAll { record in
            guard let refusal = byPath[record.item.path.description] else { return false }
            note(refusal, of: record.item)
            partBytes -= record.bytes.count
            return true
        }
    }
}
