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
        /// Where the peer has most of what is in it.
        var source: TreePath?
        var bases: [ContentBase]
        var objects: [ContentHash]
    }

    private let node: Node
    private let link: PeerLink
    private let tree: Tree
    private let cursor: [UInt8]
    private let isPacked: Bool
    /// What the peer has, where it unpacks records after it; nil once it has turned out to have something else.
    private var shared: SharedRegisters?
    private let caughtUp: Timestamp?
    private var known: Subtree
    private var ticket: [UInt8] = []
    private var part: [Record] = []
    private var partBytes = 0
    private var accepted = 0
    private var bytesSent: UInt64 = 0

    /// - Parameters:
    ///   - isPacked: whether the peer takes packed records.
    ///   - shared: what they are packed after, if the peer takes that.
    ///   - caughtUp: what is told with it where the peer believes this node.
    init(node: Node, link: PeerLink, tree: Tree, known: Subtree, cursor: [UInt8], isPacked: Bool = false, shared: SharedRegisters? = nil, caughtUp: Timestamp?) {
        self.node = node
        self.link = link
        self.tree = tree
        self.known = known
        self.cursor = cursor
        self.isPacked = isPacked
        self.shared = shared
        self.caughtUp = caughtUp
    }

    // MARK: Content

    /// Paths that are looked through and asked about together.
    private static let groupSize = 2048

    /// A change and what the peer has to have before it can take it.
    private struct Prepared: Sendable {
        var item: DifferenceWalk.Item
        var bases: [ContentBase]
        var objects: [ContentHash]
        /// Those of them that the peer is not known to have at another path.
        var asked: [ContentHash]
        /// Whether all of them are here: the file that held one may have changed since, and then another version follows.
        var isWhole = true
    }

    /// Where the peer has the content of a file, and what it has of its attributes there.
    private struct Place {
        var path: TreePath
        var attributes: ContentHash?
    }

    /// Sends what the peer lacks for some changes, and their records as parts get full. While some objects are on their way, it is found out
    /// which come next.
    func send(_ items: [DifferenceWalk.Item], _ rules: PushRules) async throws {
        // A file that is gone from one place and new in another has moved, and its content is there already.
        var places: [ContentHash: Place] = [:]
        for item in items {
            for case .file(let file) in (item.before?.versions ?? []).map(\.value) where places[file.content.root] == nil {
                places[file.content.root] = Place(path: item.path, attributes: file.attributes)
            }
        }
        var rest = items.filter { !holdBack($0, rules) }[...]
        let known = places
        try await withThrowingTaskGroup(of: Void.self) { group in
            var uploads = PushUploads(node: node, link: link)
            defer { bytesSent += uploads.bytes }
            while !rest.isEmpty {
                let prepared = try await prepare(PushSession.takeGroup(&rest, rules, known), rules, known)
                let whole = prepared.filter(\.isWhole)
                for change in prepared where !change.isWhole { note(Refusal(change.item.path, .unseen, "its content is not here any more"), of: change.item) }
                let asking = whole.filter { !$0.asked.isEmpty }
                let missing = try await missing(of: asking.flatMap(\.asked), asking.flatMap(\.bases))
                try await uploads.start(missing, in: &group)
                for change in whole {
                    let bytes = PushRecord(path: change.item.path, register: change.item.after, bases: change.bases).encoded()
                    if partBytes + bytes.count > PushSession.partSize {
                        try await uploads.finish(&group)
                        try await sendPart(isLast: false)
                    }
                    let winner = change.item.after.winner
                    let source = winner.value.isTombstone ? change.item.path : PushSession.place(of: winner, in: known)?.path
                    part.append(Record(item: change.item, bytes: bytes, source: source, bases: change.bases, objects: change.objects))
                    partBytes += bytes.count
                }
            }
            try await uploads.finish(&group)
        }
    }

    /// As many of the changes as one question to the peer has room for.
    private static func takeGroup(
        _ rest: inout ArraySlice<DifferenceWalk.Item>, _ rules: PushRules, _ places: [ContentHash: Place]
    ) -> [(item: DifferenceWalk.Item, bases: [ContentBase])] {
        var group: [(item: DifferenceWalk.Item, bases: [ContentBase])] = []
        var count = 0
        while group.count < groupSize, count + PushRecord.maximumBases <= MissingRequest.maximumBases, let item = rest.popFirst() {
            let bases = rules.node == nil ? [] : bases(of: item, rules.newVersions(item).filter { $0.content != nil }, places)
            count += bases.count
            group.append((item, bases))
        }
        return group
    }

    private func prepare(
        _ group: [(item: DifferenceWalk.Item, bases: [ContentBase])], _ rules: PushRules, _ places: [ContentHash: Place]
    ) async throws -> [Prepared] {
        try await node.database.threads.run { [database = node.database] in
            var prepared = try group.map { item, bases in
                func objects(_ versions: [Version]) throws -> [ContentHash] {
                    try database.objects(of: versions.map { FileDatabase.BulkItem(path: item.path, value: $0.value) }).map(\.hash)
                }
                var moved: [Version] = []
                var changed: Set<ContentHash> = []
                let new = rules.newVersions(item).filter { version in
                    guard case .file(let file) = version.value else { return false }
                    guard let place = PushSession.place(of: version, in: places) else { return true }
                    // What has moved is there; if it is not, or the rules do not show it, the peer says so when the record comes.
                    moved.append(version)
                    if let attributes = file.attributes, attributes != place.attributes { changed.insert(attributes) }
                    return false
                }
                let asked = try changed.sorted() + objects(new)
                return Prepared(item: item, bases: bases, objects: try asked + objects(moved).filter { !changed.contains($0) }, asked: asked)
            }
            let missing = Set(try database.store.missing(among: prepared.flatMap(\.objects)))
            if missing.isEmpty { return prepared }
            for index in prepared.indices { prepared[index].isWhole = missing.isDisjoint(with: prepared[index].objects) }
            return prepared
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

    /// Where the peer has what a version holds.
    private static func place(of version: Version, in places: [ContentHash: Place]) -> Place? {
        guard let root = version.content?.root else { return nil }
        return places[root]
    }

    private static func bases(
        of item: DifferenceWalk.Item, _ versions: [Version], _ places: [ContentHash: Place]
    ) -> [ContentBase] {
        var bases: [ContentBase] = []
        for version in versions {
            guard let root = version.content?.root, let place = place(of: version, in: places) else { continue }
            bases.append(ContentBase(path: place.path, root: root))
        }
        for version in item.before?.versions ?? [] {
            if let root = version.content?.root { bases.append(ContentBase(path: item.path, root: root)) }
        }
        return Array(bases.prefix(PushRecord.maximumBases))
    }

    /// Which of the objects the peer does not have.
    private func missing(of needed: [ContentHash], _ bases: [ContentBase]) async throws -> [ContentHash] {
        var missing: [ContentHash] = []
        for start in stride(from: 0, to: needed.count, by: MissingRequest.maximumHashes) {
            let hashes = Array(needed[start..<min(start + MissingRequest.maximumHashes, needed.count)])
            let body = MissingRequest(bases: Array(bases.prefix(MissingRequest.maximumBases)), hashes: hashes).encoded()
            let answer = try await node.send(.post, "/sync/push/missing", to: link, body: body)
                .body.collect(limit: MissingRequest.maximumHashes * ContentHash.byteCount)
            guard answer.count % ContentHash.byteCount == 0 else { throw PullError(.malformed, "the peer's list of missing objects is cut off") }
            let told = answer.withUnsafeBytes { bytes in
                stride(from: 0, to: bytes.count, by: ContentHash.byteCount).map {
                    ContentHash(UnsafeRawBufferPointer(rebasing: bytes[$0..<$0 + ContentHash.byteCount]))
                }
            }
            guard Set(told).isSubset(of: hashes) else { throw PullError(.malformed, "the peer asks for objects that it was not told of") }
            missing += told
        }
        return missing
    }

    /// The same for all records of the part, whether their content is thought to be there or not.
    private func missingOfPart() async throws -> [ContentHash] {
        var missing: [ContentHash] = []
        let step = MissingRequest.maximumBases / PushRecord.maximumBases
        for start in stride(from: 0, to: part.count, by: step) {
            let records = part[start..<min(start + step, part.count)].filter { !$0.objects.isEmpty }
            missing += try await self.missing(of: records.flatMap(\.objects), records.flatMap(\.bases))
        }
        return missing
    }

    private func upload(_ hashes: [ContentHash]) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            var uploads = PushUploads(node: node, link: link)
            defer { bytesSent += uploads.bytes }
            try await uploads.start(hashes, in: &group)
            try await uploads.finish(&group)
        }
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
            let shared = part.count { $0.source != nil } >= RecordSpans.minimumPlaces ? shared : nil
            let body = try await body(isLast: isLast, after: shared)
            bytesSent += UInt64(body.count)
            let query = (isPacked ? "&packed=true" : "") + (shared == nil ? "" : "&prefixes=true") + (caughtUp.map { "&caught_up=\($0.rawValue)" } ?? "")
            let response = try await node.send(
                .post, "/sync/push?tree=\(tree.rawValue)" + query, to: link, body: body, timeoutSeconds: 300, passing: [400, 403, 409, 412])
            let bytes = try await response.body.collect(limit: PushSession.maximumAnswerSize)
            guard let answer = try? JSON.decode(Answer.self, bytes) else { throw NodeError(.unavailable, "the peer's answer to a push is not one") }
            if response.status == 200 {
                try await take(answer)
                return answer
            }
            if response.status == 412, shared != nil {
                // Somebody has changed something there meanwhile, or it shows less than this node has seen of it.
                self.shared = nil
                continue
            }
            let refused = answer.refused ?? []
            let missing = (answer.missing ?? []).compactMap { ContentHash($0) }
            guard !refused.isEmpty || !missing.isEmpty else {
                throw NodeError(.conflict, "the peer at \(link.address) says: \(answer.detail ?? "status \(response.status)")")
            }
            leaveOut(refused)
            // What the peer has forgotten since it was asked, or does not have at the place where it was thought to be. It names only some, and
            // is given nothing but what the part needs.
            if !missing.isEmpty { try await upload(missingOfPart()) }
        }
        throw NodeError(.unavailable, "the peer at \(link.address) refuses a push again and again")
    }

    private func body(isLast: Bool, after shared: SharedRegisters?) async throws -> [UInt8] {
        let cursor = isLast ? cursor : []
        if let shared {
            let head = PushPart.head(isLast: isLast, ticket: ticket, cursor: cursor)
            let records = part.map { OutgoingRecord(bytes: $0.bytes, source: $0.source) }
            return try await node.database.threads.run { shared.pack(head: head, records, end: PushPart.end) }
        }
        let body = PushPart.encoded(isLast: isLast, ticket: ticket, cursor: cursor, records: part.flatMap(\.bytes))
        return isPacked ? PackedRecords.pack(body) : body
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
