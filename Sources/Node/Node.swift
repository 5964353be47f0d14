import Access
import Causality
import Content
import FileDatabase
import Foundation
import Logging
import Merkle
import Platform
import Replication
import Synchronization

/// A node of a cluster: a file database, who may use it, and the peers that it exchanges changes with.
public final class Node: Sendable {
    /// The version that a node tells others.
    public static let version = "0.1.0"

    public let database: FileDatabase
    public let events: EventHub
    /// The time by which this node writes, and which it shares with its peers.
    public let clock: NodeClock
    public let logger: Logger
    let key: NodeKey
    let transport: any Transport
    let local: LocalStateFile
    let randomness: any Randomness
    let label: String?
    let sessions = Mutex(Sessions())
    let refreshTokens: RefreshJournal
    let guesses = Mutex(WrongGuesses())
    let links = Mutex<[String: PeerLink]>([:])
    /// In the order in which they were started, which is the same in each run of a simulation.
    let runners = Mutex<[(link: PeerLink, task: Task<Void, Never>)]>([])
    /// Whether the peers are kept in touch with, and not only when told.
    let isLive = Mutex(false)
    /// The clocks of the nodes that have sent heartbeats.
    let callers = Mutex<[NodeID: CallerClock]>([:])
    /// What the holders of restricted keys have sent lately.
    public let uploads = UploadLedger()
    /// Makes what scoped callers are given to bring back unreadable to them.
    public let seal: Seal
    /// When it was last written down where this node stands with its peers.
    let scopedStored = Mutex<UInt64>(0)
    let pushTurns = Mutex<[NodeID: PushTurn]>([:])
    /// Pulls that are under way or were done lately, so that a state which several peers have is pulled once.
    let fetches: Fetches
    /// Snapshots whose content is not all here, as one state of the system tree has them.
    let lackingSnapshots = Mutex<(systemRoot: ContentHash, roots: Set<ContentHash>)?>(nil)
    /// Tells of new states.
    private let teller = Mutex<Task<Void, Never>?>(nil)
    /// Another one at each start.
    let instance: String
    /// Whether this process has still to meet a peer; see `Incarnation.Lone`.
    let isLone: Mutex<Bool>
    private let cached: Mutex<Cluster>
    /// How long deletions are kept.
    let retention: Duration
    let horizonState: Mutex<HorizonState>
    let horizonCache = Mutex<HorizonDocuments?>(nil)
    /// The horizon up to which deletions were dropped by this process.
    let followed = Mutex(Timestamp.zero)
    let tending = Turn()
    /// One fresh incarnation for one old copy.
    let takingUp = Turn()
    /// One start over at a time: another peer's state is joined after that, as ever.
    let startingOver = Turn()
    /// When what this node holds was last read again and found whole.
    let checkedCopies = Mutex<[FileDatabase.CopyTarget: UInt64]>([:])
    let tender = Mutex<Task<Void, Never>?>(nil)
    let careRecord: CareRecordFile
    let careTasks: CareTasks
    /// Care reads and writes for hours, and must not stand in the way of those who wait.
    let careThreads: BlockingThreads
    let carer = Mutex<Task<Void, Never>?>(nil)
    let mending = Turn()
    /// Objects that are lacking here and that no peer had when they were asked for, and when that was.
    let soughtInVain = Mutex<[ContentHash: UInt64]>([:])
    private let startedAt: UInt64
    /// Where this node can be reached, as it tells others.
    private let address = Mutex<String?>(nil)
    /// This node's word for the certificate that its TLS end shows.
    private let certificate = Mutex<CertificateProof?>(nil)

    /// How long deletions are kept if nothing else is said.
    public static let defaultRetention = HorizonState.retention

    /// What a node needs from outside.
    public struct Options: Sendable {
        public var directory: String
        public var label: String?
        public var transport: any Transport
        public var logger: Logger
        public var time: any TimeSource
        public var randomness: any Randomness = SystemRandomness()
        /// How long deletions are kept at the least, so that they reach everybody.
        public var retention = Node.defaultRetention
        /// Opens the database; nil for the one in the directory.
        public var openDatabase: (@Sendable (Actor, any TimeSource) throws -> FileDatabase)?

        public init(
            directory: String, label: String? = nil, transport: any Transport, logger: Logger, time: any TimeSource = SystemTime()
        ) {
            self.directory = directory
            self.label = label
            self.transport = transport
            self.logger = logger
            self.time = time
        }
    }

    /// Opens the node in its data directory. Blocks.
    public init(_ options: Options) throws {
        // The database takes the directory's lock; nothing else is touched before it is held.
        _ = try OperatingSystemDisk(path: options.directory)
        randomness = options.randomness
        let isNew = try NodeKey.existing(directory: options.directory) == nil
        key = try NodeKey.load(directory: options.directory, randomness: randomness)
        seal = Seal(of: key, randomness: randomness)
        instance = randomness.bytes(8).hex
        clock = NodeClock(system: options.time, directory: options.directory)
        startedAt = clock.monotonicMicroseconds()
        fetches = Fetches(time: clock)
        let actor = Actor(node: key.id)
        database = try options.openDatabase?(actor, clock) ?? FileDatabase(
            directory: options.directory, actor: actor, time: clock,
            // Who has peers gets back from them what is lost.
            mayBeginAnew: LocalStateFile(directory: options.directory).value.peers.contains { $0.nodeID != nil })
        events = EventHub(database: database, run: instance, time: clock)
        refreshTokens = try RefreshJournal(directory: options.directory, threads: database.threads, now: clock.date)
        local = try LocalStateFile(directory: options.directory)
        transport = options.transport
        label = options.label
        logger = options.logger
        careRecord = CareRecordFile(directory: options.directory, now: clock.date, logger: options.logger)
        careTasks = CareTasks(clock: clock, events: events)
        careThreads = database.threads.isInline ? database.threads : BlockingThreads(count: CareTask.Kind.allCases.count, name: "care", givesWay: true)
        retention = options.retention
        // Under the directory's lock, which the database holds, and before anything is written.
        let loss = database.lostHead ?? (database.head.hash == nil ? "the log is gone" : nil)
        // Where the cluster's own tree is damaged, it comes back from the peers that this node knows by itself.
        let cluster = (try? Cluster(database.view)) ?? Cluster(unreadable: TreeNode.empty.hash)
        // Only who exchanges everything can be told that it runs on an old copy.
        let isFull = cluster.members.count > 1 && cluster.members[key.id].map { $0.syncPaths == nil } == true
        let life = try Incarnation.find(
            in: options.directory, isNew: isNew, loss: loss, beginning: isFull ? database.beginning : nil, randomness: options.randomness)
        database.begin(incarnation: life.incarnation.number, after: life.earlier)
        isLone = Mutex(life.incarnation.lone != nil)
        // A life that is forgotten may have shown all of it.
        if life.reason != nil { try local.noteShown(upTo: database.head.commit.time) }
        if life.isLogAlone {
            try local.change { local in
                local.seen = nil
                local.caughtUp = nil
            }
        }
        horizonState = Mutex(HorizonState(local.value))
        cached = Mutex(cluster)
        let peers = local.value.peers
        // A founder without peers has nobody to follow; everybody else follows whoever answers first.
        clock.settle(peers.isEmpty && cached.withLock { $0.id } != nil)
        for peer in peers { _ = link(for: peer) }
        _ = database.addRootSource { [weak self] in self?.knownRoots() ?? [] }
        teller.withLock { $0 = Task { [events] in await events.run() } }
        _ = database.addObserver { [weak self] _ in
            for link in self?.allLinks() ?? [] {
                link.state.withLock { $0.isEven = false }
                link.outgoing.ring()
            }
        }
        if let reason = life.reason {
            logger.notice("took up a fresh incarnation", metadata: ["incarnation": "\(life.incarnation.number)", "reason": "\(reason)"])
        }
    }

    public func close() {
        stopLive()
        carer.withLock { $0?.cancel() }
        careTasks.close()
        events.close()
        teller.withLock { $0?.cancel() }
        clock.store()
        storeScopedStates()
        storeHorizonState()
        try? local.noteShownAtMost(upTo: database.head.commit.time)
        database.close()
    }

    public var id: NodeID { key.id }

    public var identity: NodeIdentity {
        let proof = certificate.withLock { $0 }
        return NodeIdentity(
            nodeID: id.description, version: Node.version, instance: instance, time: clock.wallMicroseconds(),
            publicKey: key.publicKey.hex, certificate: proof?.fingerprint.description, certificateSignature: proof?.signature.hex)
    }

    /// Tells which certificate this node shows to those who connect over TLS.
    /// - Parameter der: the certificate, DER-encoded.
    public func setCertificate(_ der: [UInt8]) throws {
        let proof = try key.proof(of: der)
        certificate.withLock { $0 = proof }
    }

    /// Whether the node belongs to a cluster, its own or another's.
    public var isReady: Bool { (try? cluster().id) != nil }

    /// The same of one whose cluster's tree cannot be read at the moment.
    public var hasCluster: Bool { isReady || database.head.commit.system.root != TreeNode.empty.hash && (try? cluster()) == nil }

    public var uptime: Duration { .microseconds(Int64(clock.monotonicMicroseconds() - startedAt)) }

    public func setAddress(_ address: String) {
        self.address.withLock { $0 = address }
    }

    var ownAddress: String? { address.withLock { $0 } }

    /// The cluster as the newest state has it.
    func cluster() throws -> Cluster {
        let view = database.view
        let known = cached.withLock { $0 }
        if known.root == view.head.commit.system.root { return known }
        let cluster = try Cluster(view, after: known)
        cached.withLock { $0 = cluster }
        return cluster
    }

    /// Makes a cluster with this node as its only member, if it belongs to none.
    ///
    /// - Returns: the root key, which is shown this once; nil if there was a cluster already.
    public func foundCluster() async throws -> String? {
        // A tree that cannot be read now, or was lost with the log, is not one that never was.
        guard !hasCluster, !hasLostCluster else { return nil }
        let random = randomness
        let rootKey = APIKey(random: random.bytes(40))
        clock.settle(true)
        let now = clock.date
        let document = ClusterDocument.Key(
            id: rootKey.id, label: "root", secretHash: rootKey.secretHash.description,
            rules: [ClusterDocument.Key.Rule(path: "/**", allow: Permission.allCases)], createdAt: now, expiresAt: nil)
        try await database.setDocuments([
            (ClusterDocument.cluster, ClusterDocument.encode(
                ClusterDocument.Cluster(clusterID: random.bytes(16).hex, createdAt: now))),
            (ClusterDocument.member(id), ClusterDocument.encode(ownMember(joinedAt: now))),
            (ClusterDocument.key(rootKey.id), ClusterDocument.encode(document)),
        ])
        return rootKey.text
    }

    func ownMember(joinedAt: Date) -> ClusterDocument.Member {
        ClusterDocument.Member(
            nodeID: id.description, publicKey: key.publicKey.hex, label: label, address: ownAddress, joinedAt: joinedAt)
    }
}
