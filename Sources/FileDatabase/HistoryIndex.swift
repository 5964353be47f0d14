import Causality
import Content
import Merkle
import Objects
import Platform
import Synchronization

/// An index of the commits by time and of the changes by path.
///
/// It follows the log: what it holds can be made again from the commits and their trees, and a start goes on from the last
/// commit that is in it. Commits wait in memory until there are many, or until somebody asks.
final class HistoryIndex: Sendable {
    private enum Limits {
        /// Commits and changed paths that wait in memory: a few megabytes, and after a crash a second's work.
        static let waitingCommits = 2048
        static let waitingChanges = 16_384
        /// Where the table does not keep up, what waits is let go of, and found in the log later.
        static let heldChanges = 131_072
        /// Entries of one transaction.
        static let transaction = 32_768
        /// Changes in one directory and commit beyond which the directory is noted and not each of them, so that a first sync
        /// costs next to nothing, and a path whose neighbours changed so is looked up once in vain for each such commit.
        static let changesOfDirectory = 64
        /// Changes of one commit beyond which only its root is noted.
        static let changesOfCommit = 65_536
    }

    private struct Waiting {
        var commits: [CommitChanges] = []
        var weight = 0
        var isScheduled = false
    }

    let table: any OrderedTable
    private let nodes: StoredNodes
    private let store: ObjectStore
    private let thread: BlockingThreads
    private let waiting = Mutex(Waiting())
    /// The newest commit in the table; held while the table is brought up to date.
    private let indexed: Mutex<ContentHash?>
    private let isClosed = Atomic(false)

    init(table: any OrderedTable, nodes: StoredNodes, store: ObjectStore, isInline: Bool) throws {
        self.table = table
        self.nodes = nodes
        self.store = store
        thread = BlockingThreads(count: isInline ? 0 : 1, name: "history")
        let value = try table.value(of: HistoryTable.state) ?? []
        indexed = Mutex(value.count == ContentHash.byteCount ? value.withUnsafeBytes { ContentHash($0) } : nil)
    }

    /// Takes note of a commit that is durable. Called by the writer, in order; does not block.
    func add(_ changes: CommitChanges) {
        let weight = 1 + (changes.registers?.count ?? 0)
        let isDue = waiting.withLock { waiting in
            if waiting.weight + weight > Limits.heldChanges {
                waiting.commits = []
                waiting.weight = 0
            }
            waiting.commits.append(changes)
            waiting.weight += weight
            guard !waiting.isScheduled else { return false }
            waiting.isScheduled = waiting.commits.count >= Limits.waitingCommits || waiting.weight >= Limits.waitingChanges
            return waiting.isScheduled
        }
        if isDue { start(nil) }
    }

    /// Brings the table up to date beside everything else.
    ///
    /// - Parameter head: where the chain of commits ends, if none waits.
    func start(_ head: Head?) {
        thread.start { [weak self] in
            guard let self else { return }
            waiting.withLock { $0.isScheduled = false }
            // What fails here is tried again by whoever asks for history, and told there.
            try? update(to: head)
        }
    }

    /// Writes what waits. A table that is far behind is left so, and goes on from there at the next start.
    func close(_ head: Head) {
        isClosed.store(true, ordering: .sequentiallyConsistent)
        try? update(to: head)
    }

    // MARK: Bringing the table up to date

    /// Returns when all commits so far are in the table. Blocks: after a crash, or where the table was lost, for as long as it
    /// takes to compare the trees of the commits that are missing.
    func update(to head: Head?) throws {
        try indexed.withLock { indexed in
            let commits = waiting.withLock { waiting in
                defer {
                    waiting.commits = []
                    waiting.weight = 0
                }
                return waiting.commits
            }
            guard let first = commits.first?.head ?? head, let firstHash = first.hash else { return }
            if commits.isEmpty, firstHash == indexed { return }
            var missing: [ContentHash] = commits.isEmpty ? [firstHash] : []
            var (oldest, parent) = (first.commit, first.commit.parents.first)
            func walk(to end: ContentHash?) throws {
                while let hash = parent, hash != end, let commit = try commit(hash) {
                    missing.append(hash)
                    (oldest, parent) = (commit, commit.parents.first)
                }
            }
            try walk(to: indexed)
            if let known = indexed, parent != known, try !leadsOn(from: known, to: parent) {
                // The table is of another chain than the log: a directory was put back from a copy.
                try table.forgetEverything()
                indexed = nil
            }
            // The table is made again, and commits of the chain were let go: those before them are found by their time.
            if indexed == nil, parent != nil {
                var older = try commitsByTime(of: first.commit.actor.node)
                while parent != nil {
                    while let last = older.last, last.time >= oldest.time { older.removeLast() }
                    guard let next = older.last else { break }
                    parent = next.hash
                    try walk(to: nil)
                }
            }
            var batch: [TableEntry] = []
            func flush(_ last: ContentHash) throws {
                if batch.isEmpty { return }
                batch.append(TableEntry(key: HistoryTable.state, value: last.withBytes { Array($0) }))
                try table.write(batch)
                batch = []
                indexed = last
            }
            var before: Commit?
            for hash in missing.reversed() {
                if isClosed.load(ordering: .relaxed) { return }
                guard let commit = try commit(hash) else { continue }
                try append(CommitChanges(head: Head(hash: hash, commit: commit), registers: nil), after: before, to: &batch)
                before = commit
                if batch.count >= Limits.transaction { try flush(hash) }
            }
            for changes in commits {
                try append(changes, after: nil, to: &batch)
                if batch.count >= Limits.transaction, let hash = changes.head.hash { try flush(hash) }
            }
            if let last = commits.last?.head.hash ?? missing.first { try flush(last) }
        }
    }

    /// Whether the chain goes on from what is in the table, though commits in between were collected.
    private func leadsOn(from indexed: ContentHash, to oldest: ContentHash?) throws -> Bool {
        guard oldest != nil, let commit = try commit(indexed) else { return false }
        return try table.value(of: HistoryTable.commit(commit.time)) != nil
    }

    /// A commit, if it is here. One that is damaged is as good as gone: no other node has it.
    func commit(_ hash: ContentHash) throws -> Commit? {
        do {
            return try Commit(decoding: store.read(hash, .commit))
        } catch let error as StoreError where error.code == .missing || error.code == .damaged {
            return nil
        }
    }

    /// All commits of a node that are here, by time.
    private func commitsByTime(of node: NodeID) throws -> [(time: Timestamp, hash: ContentHash)] {
        var found: [(time: Timestamp, hash: ContentHash)] = []
        for hash in try store.objects(of: .commit) {
            if let commit = try commit(hash), commit.actor.node == node { found.append((commit.time, hash)) }
        }
        return found.sorted { $0.time < $1.time }
    }

    /// - Parameter before: the last commit before it that is here, if its parent is not.
    private func append(_ changes: CommitChanges, after before: Commit?, to batch: inout [TableEntry]) throws {
        guard let hash = changes.head.hash else { return }
        let commit = changes.head.commit
        batch.append(TableEntry(
            key: HistoryTable.commit(commit.time), value: HistoryTable.encode(commit: hash, cause: commit.cause)))
        var found = ChangesByDirectory(limit: Limits.changesOfDirectory)
        if let registers = changes.registers {
            for (path, register) in registers { found.add(path, register) }
        } else {
            try compare(commit, after: before, &found)
        }
        found.entries(at: commit.time, to: &batch)
    }

    /// Finds the changes of a commit by comparing its tree with the one before.
    private func compare(_ commit: Commit, after before: Commit?, _ found: inout ChangesByDirectory) throws {
        let before = try (commit.parents.first.flatMap { try self.commit($0) } ?? before)?.files ?? .empty
        do {
            var diff = try TreeDiff(from: before, to: commit.files, in: nodes, keepsAddedWhole: true)
            while let difference = try diff.next() {
                if let register = difference.after, register != difference.before { found.add(difference.path, register) }
                if difference.added != nil { found.addWhole(difference.path) }
                if found.count > Limits.changesOfCommit { return found.addWhole(.root) }
            }
        } catch let error as StoreError where error.code == .missing || error.code == .damaged {
            // A part of it was collected; whoever asks looks at what is left.
            found.addWhole(.root)
        }
    }
}

/// The changes of one commit, gathered by directory.
private struct ChangesByDirectory {
    private let limit: Int
    private var registers: [TreePath: [(path: TreePath, register: Register)]] = [:]
    private var wholes: Set<TreePath> = []
    private var touched: Set<TreePath> = []
    private(set) var count = 0

    init(limit: Int) {
        self.limit = limit
    }

    mutating func add(_ path: TreePath, _ register: Register) {
        guard let directory = path.parent else { return }
        touch(directory)
        if wholes.contains(directory) { return }
        registers[directory, default: []].append((path, register))
        count += 1
        if registers[directory]?.count ?? 0 > limit { addWhole(directory) }
    }

    /// Notes a directory instead of what is below it.
    mutating func addWhole(_ directory: TreePath) {
        touch(directory)
        guard wholes.insert(directory).inserted else { return }
        count += 1 - (registers.removeValue(forKey: directory)?.count ?? 0)
    }

    private mutating func touch(_ directory: TreePath) {
        // Every commit changes something below the root; that is not worth an entry.
        var directory = directory
        while !directory.isRoot, touched.insert(directory).inserted, let parent = directory.parent { directory = parent }
    }

    func entries(at time: Timestamp, to batch: inout [TableEntry]) {
        for (path, register) in registers.values.joined() {
            batch.append(TableEntry(key: HistoryTable.key(.register, path, time), value: HistoryTable.encode(register)))
        }
        for directory in wholes { batch.append(TableEntry(key: HistoryTable.key(.bulk, directory, time), value: [])) }
        for directory in touched { batch.append(TableEntry(key: HistoryTable.key(.below, directory, time), value: [])) }
    }
}
