import Access
import Causality
import Content
import FileDatabase
import Foundation
import Merkle
import Objects
import Platform
import Replication
import Synchronization

/// What became of a part of a push.
public enum PushAnswer: Sendable {
    /// What to send back with the next part.
    case goOn(ticket: [UInt8])
    /// Everything is joined. The cursor is there where nothing but the push lies between the caller's cursor and it.
    case done(entries: Int, cursor: [UInt8]?)
    /// Nothing of the part was taken.
    case refused([Refusal], missing: [ContentHash])
}

/// One push of a node at a time: what two hold at once could together be more than each of them may.
final class PushTurn: Sendable {
    let turn = Turn()
    /// Another one after each push, so that a part which was looked at before it is not taken after it.
    let stamp: Mutex<[UInt8]>

    init(stamp: [UInt8]) {
        self.stamp = Mutex(stamp)
    }
}

/// What the parts of a push have come to, in the hands of the sender.
private struct PushTicket {
    /// How long one is good, in seconds.
    static let lifetime: Int64 = 3600
    static let stampSize = 8

    var staged: ContentHash
    var scope: ContentHash
    var stamp: [UInt8]
    var issuedAt: UInt64
    /// The one that the parts were looked at under.
    var horizon: Timestamp
    var latest: UInt64
    var entries: UInt64

    var bytes: [UInt8] {
        var encoder = CanonicalEncoder(reserving: 128)
        encoder.write(staged)
        encoder.write(scope)
        encoder.write(stamp)
        for number in [issuedAt, horizon.rawValue, latest, entries] { encoder.write(number) }
        return encoder.bytes
    }

    init(staged: ContentHash, scope: ContentHash, stamp: [UInt8], issuedAt: UInt64, horizon: Timestamp) {
        (self.staged, self.scope, self.stamp) = (staged, scope, stamp)
        (self.issuedAt, self.horizon, latest, entries) = (issuedAt, horizon, 0, 0)
    }

    init(decoding bytes: [UInt8]) throws {
        var decoder = CanonicalDecoder(bytes)
        staged = try decoder.readHash()
        scope = try decoder.readHash()
        stamp = Array(bytes[try decoder.readByteString(limit: PushTicket.stampSize)])
        issuedAt = try decoder.readInteger()
        horizon = Timestamp(rawValue: try decoder.readInteger())
        latest = try decoder.readInteger()
        entries = try decoder.readInteger()
        try decoder.finish()
    }
}

extension Node {
    /// Refusals and missing objects that one answer tells.
    private static let maximumTold = 1000
    /// Nodes that push: some hundred bytes each. When they are forgotten, only pushes under way have to begin anew.
    private static let maximumPushing = 10_000

    /// Takes a part of a push; the last one is joined with all before it, in one commit.
    ///
    /// - Parameter caughtUp: what a full member has told with it, as in `Acknowledgement`.
    public func take(
        _ part: PushPart, into tree: Tree = .files, from caller: Principal, caughtUp: Timestamp = .zero
    ) async throws -> PushAnswer {
        guard let node = caller.node else {
            throw NodeError(.forbidden, "only nodes push; get the token with a node's key (docs/protocol.md, \"A client as a node\")")
        }
        guard tree == .files || caller.isTrusted else { throw NodeError(.forbidden, "only full members share the cluster's own tree") }
        let turn = pushTurn(of: node)
        return try await turn.turn.run {
            // What is dropped after a start may still be here. A node that was away itself does not know what was deleted.
            let forgotten = try tree == .files && !isLeftBehind() ? horizonDocuments().horizon : .zero
            // What a full member merely still has would bring back what was deleted.
            guard !caller.isTrusted || min(caughtUp, latestAccepted) >= forgotten else {
                throw NodeError(.conflict, "node \(node.short) was away for longer than deletions are kept; it takes this node's state before it pushes")
            }
            // What others say of this node's writes is not believed.
            if caller.isTrusted { try await checkOwnWrites(ownWrites(in: part.records, tree)) }
            let hold = database.holdObjects()
            defer { hold.end() }
            let stamp = turn.stamp.withLock { $0 }
            let scope = scopeName(of: caller, tree: tree)
            var ticket = PushTicket(
                staged: Subtree.empty.root, scope: scope, stamp: stamp, issuedAt: UInt64(clock.date.timeIntervalSince1970),
                horizon: tree == .files ? database.horizon : .zero)
            if !part.ticket.isEmpty { ticket = try open(part.ticket, for: caller, like: ticket) }
            let start = ticket
            let answer = try await database.threads.run { [self] in try stage(part, tree, from: caller, node, forgotten: forgotten, onto: start) }
            guard case .success(let next) = answer else {
                if case .failure(let refused) = answer { return .refused(refused.refusals, missing: refused.missing) }
                preconditionFailure("a part is taken or refused")
            }
            guard part.isLast else { return .goOn(ticket: seal.close(next.bytes, .ticket, for: caller)) }
            // Whatever becomes of it, what was looked at before counts no more.
            turn.stamp.withLock { $0 = randomness.bytes(PushTicket.stampSize) }
            let result = try await database.join(
                next.staged, into: tree, latest: Timestamp(rawValue: next.latest), under: next.horizon, cause: "push by \(node.short)")
            var cursor: [UInt8]?
            if let known = opened(part.cursor, for: caller), known.root == result.before {
                cursor = sealed(ScopeCursor(root: result.after, scope: known.scope), for: caller)
            }
            return .done(entries: Int(clamping: next.entries), cursor: cursor)
        }
    }

    private func pushTurn(of node: NodeID) -> PushTurn {
        pushTurns.withLock { turns in
            if let turn = turns[node] { return turn }
            if turns.count >= Node.maximumPushing { turns = [:] }
            let turn = PushTurn(stamp: randomness.bytes(PushTicket.stampSize))
            turns[node] = turn
            return turn
        }
    }

    private func open(_ sealed: [UInt8], for caller: Principal, like fresh: PushTicket) throws -> PushTicket {
        guard let bytes = seal.open(sealed, .ticket, for: caller), let ticket = try? PushTicket(decoding: bytes),
            ticket.scope == fresh.scope, ticket.stamp == fresh.stamp, ticket.horizon == fresh.horizon,
            fresh.issuedAt <= ticket.issuedAt + UInt64(PushTicket.lifetime)
        else { throw NodeError(.conflict, "the push was begun too long ago, under other rules, or another came in between; begin it anew") }
        return ticket
    }

    private struct Refused: Error {
        var refusals: [Refusal]
        var missing: [ContentHash]
    }

    /// Blocks.
    private func stage(
        _ part: PushPart, _ tree: Tree, from caller: Principal, _ node: NodeID, forgotten: Timestamp, onto ticket: PushTicket
    ) throws -> Result<PushTicket, Refused> {
        let view = database.view
        guard let staged = try database.subtree(ticket.staged) else {
            throw NodeError(.conflict, "the parts that were sent before are not here any more; begin the push anew")
        }
        var vetting = PushVetting(node: self, caller: caller, view: view, tree: tree, rules: RegisterVetting(
            rules: caller.rules, node: node, horizon: latestAccepted, forgotten: max(ticket.horizon, forgotten)))
        var refusals: [Refusal] = []
        var missing: [ContentHash] = []
        for record in part.records where refusals.count < Node.maximumTold && missing.count < Node.maximumTold {
            if try staged.entry(at: record.path, in: view.reader)?.register != nil {
                refusals.append(Refusal(record.path, .invalid, "comes twice in one push"))
            } else if let refusal = try vetting.refusal(of: record) {
                refusals.append(refusal)
            } else {
                missing += try vetting.missing(for: record).prefix(Node.maximumTold - missing.count)
            }
        }
        guard refusals.isEmpty, missing.isEmpty else { return .failure(Refused(refusals: refusals, missing: missing)) }
        var next = ticket
        next.staged = try database.stage(part.records.map { ($0.path, $0.register) }, onto: staged).root
        next.latest = part.records.reduce(ticket.latest) { max($0, $1.register.latest.rawValue) }
        next.entries += UInt64(part.records.count)
        return .success(next)
    }

    /// Which of the objects the caller has to send before it pushes what needs them. Blocks.
    public func missing(_ request: MissingRequest, from caller: Principal) throws -> [ContentHash] {
        let absent = Set(try database.store.missing(among: request.hashes))
        if caller.rules.isUnrestricted { return request.hashes.filter { absent.contains($0) } }
        var bases = ContentBases(database: database, view: database.view, rules: caller.rules)
        let identity = caller.identity
        let unproven = Set(uploads.unproven(request.hashes, of: identity))
        return try request.hashes.filter { hash in
            if !absent.contains(hash), !unproven.contains(hash) { return false }
            return try !bases.hold(hash, request.bases)
        }
    }
}

extension Principal {
    /// Full members without limits, who are believed what they say of others' writes.
    var isTrusted: Bool {
        guard case .node = identity else { return false }
        return !isPartial && rules.isUnrestricted
    }
}
