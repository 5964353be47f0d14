import Content
import FileDatabase
import Foundation
import Logging
import Merkle
import Synchronization

/// Where this node stands with a peer of whose tree it sees a part.
struct ScopedState: Codable, Sendable, Equatable {
    /// What the peer gave to go on from; empty before the first time.
    var cursor: [UInt8] = []
    /// The root of a tree of the registers that the peer is known to have, as far as this node may see them. What differs from it
    /// in this node's own tree is to be pushed.
    var known: ContentHash = Subtree.empty.root

    enum CodingKeys: String, CodingKey { case cursor, known }

    init() {}

    init(cursor: [UInt8], known: ContentHash) {
        (self.cursor, self.known) = (cursor, known)
    }

    init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        guard let cursor = Data(base64Encoded: try container.decode(String.self, forKey: .cursor)),
            let known = ContentHash(try container.decode(String.self, forKey: .known))
        else { throw DecodingError.dataCorruptedError(forKey: .cursor, in: container, debugDescription: "no place in a peer's changes") }
        (self.cursor, self.known) = (Array(cursor), known)
    }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(Data(cursor).base64EncodedString(), forKey: .cursor)
        try container.encode(known.description, forKey: .known)
    }
}

extension Node {
    /// A state that has changed is written down after this long, in microseconds: what is forgotten is only asked for again.
    private static let storeInterval: UInt64 = 10_000_000

    /// Where this node stands with a peer. Blocks at the first call.
    func scopedState(of link: PeerLink, _ tree: Tree) -> ScopedState {
        if let known = link.state.withLock({ $0.scoped[tree] }) { return known }
        let stored = link.nodeID.flatMap { local.value.scoped?[ScopedState.name($0, tree)] } ?? ScopedState()
        link.state.withLock { $0.scoped[tree] = stored }
        return stored
    }

    func setScopedState(_ state: ScopedState, of link: PeerLink, _ tree: Tree) {
        link.state.withLock { $0.scoped[tree] = state }
        let now = clock.monotonicMicroseconds()
        let isDue = scopedStored.withLock { last in
            guard now >= last + Node.storeInterval else { return false }
            last = now
            return true
        }
        if isDue { storeScopedStates() }
    }

    /// Writes down where this node stands with its peers. Blocks.
    func storeScopedStates() {
        var states = local.value.scoped ?? [:]
        for link in allLinks() {
            let (id, scoped) = link.state.withLock { ($0.nodeID, $0.scoped) }
            guard let id else { continue }
            for (tree, state) in scoped where state != ScopedState() { states[ScopedState.name(id, tree)] = state }
        }
        guard states != local.value.scoped ?? [:] else { return }
        do {
            let changed = states
            try local.change { $0.scoped = changed }
        } catch {
            // The next start asks for everything that may be seen, and has most of it.
            logger.warning("cannot write down where the peers stand", metadata: ["reason": "\(Node.words(error))"])
        }
    }
}

extension ScopedState {
    fileprivate static func name(_ peer: NodeID, _ tree: Tree) -> String { tree == .files ? peer.description : "\(peer)/\(tree.rawValue)" }
}
