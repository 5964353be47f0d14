import Content
import Merkle
import Objects

extension FileDatabase {
    /// Reads the whole log from the disk again and compares every object with its hash. Blocks: for as long as that takes at the
    /// rate that is allowed, so on a thread of its own. What is damaged counts as absent from then on.
    ///
    /// A lost segment leaves nothing to be hashed: `missingObjects` finds what was in it.
    ///
    /// - Parameter progress: called about once a megabyte.
    public func scrub(
        _ options: ScrubOptions = ScrubOptions(), isCancelled: () -> Bool = { false }, progress: (ScrubProgress) -> Void = { _ in }
    ) throws -> ScrubReport {
        try asDatabaseErrors { try store.scrub(options, isCancelled: isCancelled, progress: progress) }
    }

    /// Writes objects in the place of damaged or missing ones. Readers have them at once; durable on return. Blocks.
    ///
    /// - Parameter objects: checked against their hashes, as `PreparedObject(checking:)` does.
    public func heal(_ objects: [PreparedObject]) throws {
        let hold = holdObjects()
        defer { hold.end() }
        try asDatabaseErrors { try store.replace(objects) }
    }

    /// What is needed and is not here, or known to be damaged: everything that the present state needs, and of kept states and
    /// snapshots what the index leads to and is lost. Blocks: reads each tree node and manifest, and looks the rest up.
    ///
    /// What is below a missing node is not known before it is healed; so ask again afterwards.
    ///
    /// - Parameters:
    ///   - limit: objects at the most.
    public func missingObjects(limit: Int = 100_000, isCancelled: @escaping () -> Bool = { false }) throws -> [DamagedObject] {
        var search = MissingSearch(store: store, limit: limit)
        do {
            try asDatabaseErrors { try search.run(self, isCancelled) }
        } catch is MissingSearch.Stopped {}
        return search.found
    }
}

/// A look for what is not here.
private struct MissingSearch {
    struct Stopped: Error {}

    private static let lookedUpAtOnce = 1024

    let store: ObjectStore
    let limit: Int
    private(set) var found: [DamagedObject] = []

    init(store: ObjectStore, limit: Int) {
        self.store = store
        self.limit = limit
    }

    mutating func run(_ database: FileDatabase, _ isCancelled: @escaping () -> Bool) throws {
        // Held, so that nothing is removed meanwhile that would be missed.
        let hold = database.holdObjects()
        defer { hold.end() }
        var lacking: [(ContentHash, ObjectKind, StoreError.Code?)] = []
        var waiting: [(ContentHash, ObjectKind)] = []
        var isPresent = true
        var walk = MarkWalk(store: store, marks: Marks()) { if isCancelled() { throw Stopped() } }
        walk.strictness = .none
        walk.note = { hash, kind in
            // Nodes have been read.
            if kind == .chunk || kind == .attributes { waiting.append((hash, kind)) }
        }
        walk.lacks = { lacking.append(($0, $1, $2)) }
        func settle(_ search: inout MissingSearch) throws {
            for (hash, kind, code) in lacking where isPresent || code == .damaged {
                try search.add(hash, kind, try search.store.location(of: hash)?.position)
            }
            lacking = []
            for ((hash, kind), presence) in zip(waiting, try search.store.presence(of: waiting.map(\.0))) {
                switch presence {
                case .here: break
                case .absent: if isPresent { try search.add(hash, kind, nil) }
                case .lost(let position): try search.add(hash, kind, position)
                }
            }
            waiting = []
        }
        let head = database.head
        for tree in Tree.allCases {
            try walk.markTree(head[tree].root)
            try settle(&self)
        }
        isPresent = false
        try database.eachKeptState { state in
            try walk.markTree(state.root, for: state.scope)
            if waiting.count >= MissingSearch.lookedUpAtOnce || !lacking.isEmpty { try settle(&self) }
            return true
        }
        try settle(&self)
    }

    private mutating func add(_ hash: ContentHash, _ kind: ObjectKind, _ position: LogPosition?) throws {
        guard found.count < limit else { throw Stopped() }
        found.append(DamagedObject(hash: hash, kind: kind, position: position))
    }
}
