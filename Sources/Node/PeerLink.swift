import Causality
import Content
import FileDatabase
import Foundation
import Logging
import Merkle
import Replication
import Synchronization

/// Where a node stands with a peer.
public enum PeerPhase: String, Sendable {
    case disconnected
    /// Heartbeats alone, until the clocks agree.
    case honeymoon
    case active
}

/// What this node knows of a peer.
final class PeerLink: Sendable {
    /// A change that a peer has refused; offered again only when it has changed.
    struct Held: Sendable {
        var register: Register
        var refusal: Refusal
    }

    /// Two roots that differ, of which this node has joined the peer's.
    fileprivate struct Standoff {
        var own: ContentHash
        var root: ContentHash
        /// On this node's monotonic clock.
        var since: UInt64
        var isWalked = false
    }

    /// What a peer that was added with a token is shown as soon as it answers.
    struct PendingJoin: Sendable {
        var token: String
        var label: String?
        var fingerprint: String?

        /// Who has to answer, where that is known.
        var node: NodeID? { fingerprint.flatMap { NodeID($0) } ?? Invitation(token)?.node }
    }

    struct State {
        var nodeID: NodeID?
        var label: String?
        var address: String
        var syncPaths: [String]?
        var phase = PeerPhase.disconnected
        /// Why it is not active, in words.
        var reason: String? = "not contacted yet"
        /// The peer's clock.
        var honeymoon = Honeymoon()
        /// The peer's virtual time less this node's monotonic time, roughly.
        var correction: Int64?
        /// This node's monotonic time when the peer last answered a heartbeat.
        var lastBeat: UInt64?
        /// The same, of when its event stream last brought something.
        var lastHeard: UInt64 = 0
        var lastSyncAt: Date?
        /// The peer's roots when they were last joined here: where the next sync goes on from.
        var joined: [String: ContentHash] = [:]
        fileprivate var standoffs: [Tree: Standoff] = [:]
        var root: ContentHash?
        /// Whether this node may see, or wants, only a part of what the peer has.
        var isScoped = false
        /// Where this node stands with a peer that it sees a part of.
        var scoped: [Tree: ScopedState] = [:]
        /// How the peer's data is looked after, as it last told.
        var care: CareStatus?
        /// What this node may do there; nil where it has not been asked yet.
        var told: ScopeInfo?
        /// What the peer has not taken.
        var refused: [TreePath: Held] = [:]
        /// Whether nothing waits to go in either direction, as far as is known.
        var isEven = false
        /// Whether the peer takes this node's changes by itself.
        var peerPulls = true
        /// When a peer that did not is asked again, on this node's monotonic clock, and how long after that.
        var nextAsked: UInt64 = 0
        var asking = Backoff()
        /// When the peer was last told what this node has, on the same clock, and up to when that holds all that is here.
        var lastTold: (at: UInt64, upTo: Timestamp)?
        /// What the peer has told of its state since it was last pulled from.
        var announced: PeerRoots?
        /// Which of its own writes the peer knows, as it last told in each of its lives: a state that it announced before it took up a
        /// fresh incarnation may be pulled after that.
        var knows: [KnownWrites] = []
        /// The horizon up to which the peer was seen to have everything.
        var caughtUp = Timestamp.zero
        /// Up to which a peer that this node sees a part of has dropped deletions, as it last told.
        var horizon = Timestamp.zero
        var bytesReceived: UInt64 = 0
        var bytesSent: UInt64 = 0
        var token: (text: String, expiresAt: Int64)?
        /// Set until this node has joined the peer's cluster.
        var pendingJoin: PendingJoin?

        /// Changes what is taken from the peer.
        mutating func setPaths(_ paths: [String]?) {
            guard paths != syncPaths else { return }
            syncPaths = paths
            setScoped(isScoped || paths != nil)
            // What was joined under other paths says nothing of these. A cursor says itself what it was given for.
            joined = [:]
            isEven = false
        }

        mutating func setScoped(_ isScoped: Bool) {
            // What was joined when everything was exchanged is what the peer is known to have.
            if isScoped, !self.isScoped, let root = joined[Tree.files.rawValue] { scoped[.files] = ScopedState(cursor: [], known: root) }
            self.isScoped = isScoped
        }

        /// How long two roots may differ before they are compared from top to bottom, in microseconds.
        private static let standoff: UInt64 = 60_000_000

        /// Whether to walk a tree of the peer's that was joined before. Where neither side's root changes any more, the peer is mostly still to
        /// join this node's; but should anything have gone wrong on the way here, nothing else would ever find it. Once for any two roots.
        mutating func isWalkDue(_ tree: Tree, own: ContentHash, root: ContentHash, now: UInt64) -> Bool {
            guard let standoff = standoffs[tree], standoff.own == own, standoff.root == root else {
                standoffs[tree] = Standoff(own: own, root: root, since: now)
                return false
            }
            return !standoff.isWalked && now >= standoff.since + State.standoff
        }

        /// Takes note that the walk that was due came to its end.
        mutating func noteWalked(_ tree: Tree) { standoffs[tree]?.isWalked = true }

        /// The lives of a peer of which it is remembered what it knew.
        private static let maximumLives = 8
        /// More gaps in one of them are not listened to.
        private static let maximumGaps = 64

        mutating func note(_ known: KnownWrites) {
            var known = known
            known.gaps = known.gaps.suffix(State.maximumGaps)
            knows.removeAll { $0.actor == known.actor }
            knows = knows.suffix(State.maximumLives - 1) + [known]
        }

        /// What the peer lets this node take part in, where that is told by patterns.
        var toldPaths: [String]? {
            guard let told, told.partial else { return nil }
            return told.limits.first
        }
    }

    let state: Mutex<State>
    /// Pulls from one peer follow each other: two at once would fetch the same things twice.
    let pulls = Turn()
    /// One honeymoon at a time.
    let meeting = Turn()
    /// Rings when the peer is to be tried at once.
    let wake = Alarm()
    /// Rings when there may be something to pull.
    let news = Alarm()
    /// Rings when there may be something to push.
    let outgoing = Alarm()
    /// The key by which this node is let in where it is no member.
    let apiKey: String?

    init(_ peer: LocalState.Peer, apiKey: String? = nil) {
        self.apiKey = apiKey
        state = Mutex(State(
            nodeID: peer.nodeID.flatMap { NodeID($0) }, label: peer.label, address: peer.address, syncPaths: peer.syncPaths))
    }

    var address: String { state.withLock { $0.address } }
    var nodeID: NodeID? { state.withLock { $0.nodeID } }

    /// Names the peer where its id is not known yet.
    var name: String { state.withLock { $0.nodeID?.short ?? $0.address } }

    /// Notes that the peer has a new state.
    func announce(_ roots: PeerRoots?) {
        state.withLock { state in
            if let roots { state.announced = roots }
            state.isEven = false
        }
        news.ring()
    }

    func announce(_ notice: NoticeReader.Notice) {
        switch notice {
        case .roots(let roots): announce(roots)
        case .change(let ofRights):
            // What this node may do is asked for anew.
            if ofRights { state.withLock { $0.told = nil } }
            announce(nil)
        }
    }
}

/// The roots of a peer's two trees at one moment.
struct PeerRoots: Sendable, Hashable {
    var files: ContentHash
    var system: ContentHash
    /// All that the peer wrote up to it is in these trees.
    var clock = Timestamp.zero
}

extension Node {
    /// The link to a peer of the local state; made at the first call.
    func link(for peer: LocalState.Peer) -> PeerLink {
        let (link, isNew) = links.withLock { links in
            let name = peer.nodeID ?? peer.address
            if let link = links[name] { return (link, false) }
            let link = PeerLink(peer)
            links[name] = link
            return (link, true)
        }
        if isNew { keepInTouch(with: link) }
        return link
    }

    /// The links to all peers, in a fixed order.
    func allLinks() -> [PeerLink] {
        links.withLock { links in links.sorted { $0.key < $1.key }.map(\.value) }
    }

    /// Notes where this node stands with a peer.
    func enter(_ phase: PeerPhase, _ link: PeerLink, reason: String?) {
        let isChanged = link.state.withLock { state in
            defer {
                state.phase = phase
                state.reason = reason
            }
            return state.phase != phase || state.reason != reason
        }
        guard isChanged else { return }
        events.publish([.peer(info(of: link))])
        logger.info("peer", metadata: ["peer": "\(link.name)", "state": "\(phase.rawValue)", "reason": "\(reason ?? "")"])
    }
}
