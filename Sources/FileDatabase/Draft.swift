import Causality
import Content
import Merkle
import Objects
import Platform

/// One tree while it is being edited: edits wait until something needs to see them, so that a batch of writes is one
/// pass over the tree.
struct TreeDraft {
    private(set) var subtree: Subtree
    private var waiting: [TreePath: TreeEdit] = [:]
    /// The waiting paths and all directories above them.
    private var touched: Set<TreePath> = []

    init(_ subtree: Subtree) {
        self.subtree = subtree
    }

    mutating func add(_ edit: TreeEdit) {
        waiting[edit.path] = edit
        var path = edit.path
        while touched.insert(path).inserted, let parent = path.parent { path = parent }
    }

    /// Makes what waits a part of the subtree.
    mutating func settle(in nodes: inout DraftNodes) throws {
        if waiting.isEmpty { return }
        subtree = try subtree.applying(Array(waiting.values), in: &nodes)
        waiting.removeAll()
        touched.removeAll()
    }

    /// Makes the subtree show everything that bears on this path: what is at it, above it or below it.
    mutating func settle(for path: TreePath, in nodes: inout DraftNodes) throws {
        if waiting.isEmpty { return }
        if touched.contains(path) { return try settle(in: &nodes) }
        var above = path
        while let parent = above.parent, !parent.isRoot {
            if waiting[parent] != nil { return try settle(in: &nodes) }
            above = parent
        }
    }

    /// Takes another tree in the place of this one.
    mutating func replace(with subtree: Subtree) {
        precondition(waiting.isEmpty, "edits wait for the tree that is being replaced")
        self.subtree = subtree
    }
}

/// The state that the writer is about to commit: HEAD and the edits of a batch of requests.
///
/// A request reads first and changes last, so that one that throws has changed nothing.
struct Draft {
    let head: Head
    private(set) var files: TreeDraft
    private(set) var system: TreeDraft
    var nodes: DraftNodes
    /// Objects to be written along with the commit.
    private(set) var objects: [PreparedObject] = []
    private(set) var causes: [String] = []
    private(set) var isChanged = false
    /// The registers of the files that were set; nil if a whole tree was put in the place of another.
    private(set) var registers: [TreePath: Register]? = [:]
    private(set) var clock: HybridClock
    private(set) var authorship: Authorship
    /// Deletions up to here have been dropped from the files.
    private(set) var horizon: Timestamp
    let time: any TimeSource

    init(
        head: Head, nodes: StoredNodes, clock: HybridClock, authorship: Authorship, horizon: Timestamp = .zero, time: any TimeSource
    ) {
        self.head = head
        files = TreeDraft(head.commit.files)
        system = TreeDraft(head.commit.system)
        self.nodes = DraftNodes(over: nodes)
        self.clock = clock
        self.authorship = authorship
        self.horizon = horizon
        self.time = time
    }

    /// A name for a new version, above everything seen.
    mutating func nextDot() -> Dot {
        let dot = Dot(timestamp: clock.tick(microseconds: time.wallMicroseconds()), actor: authorship.actor)
        authorship.note(dot.timestamp)
        return dot
    }

    /// From now on writes are of another incarnation.
    mutating func takeUp(incarnation: UInt32) {
        authorship = Authorship(actor: Actor(node: authorship.actor.node, incarnation: incarnation), start: clock.last)
    }

    mutating func setHorizon(_ horizon: Timestamp) {
        self.horizon = max(self.horizon, horizon)
    }

    mutating func observe(_ timestamp: Timestamp) {
        clock.observe(timestamp)
    }

    /// The entry at a path, with all edits so far.
    mutating func entry(at path: TreePath, in tree: Tree = .files) throws -> Entry? {
        try settle(tree, for: path)
        return try subtree(tree).entry(at: path, in: nodes)
    }

    /// A tree with all edits so far.
    mutating func settled(_ tree: Tree) throws -> Subtree {
        switch tree {
        case .files: try files.settle(in: &nodes)
        case .system: try system.settle(in: &nodes)
        }
        return subtree(tree)
    }

    /// - Parameter register: nil forgets the one that is there, which only the purge does.
    mutating func set(_ path: TreePath, to register: Register?, in tree: Tree = .files) {
        let edit = TreeEdit(path, register.map { .set($0) } ?? .forget)
        switch tree {
        case .files:
            files.add(edit)
            registers?[path] = register
        case .system: system.add(edit)
        }
        isChanged = true
    }

    /// Puts a joined tree in the place of the settled one.
    mutating func replace(_ tree: Tree, with subtree: Subtree) {
        switch tree {
        case .files:
            files.replace(with: subtree)
            registers = nil
        case .system: system.replace(with: subtree)
        }
        isChanged = true
    }

    mutating func add(_ objects: [PreparedObject]) {
        self.objects += objects
    }

    mutating func note(cause: String) {
        causes.append(cause)
    }

    /// The commit of everything drafted, and the objects that it needs.
    mutating func finish() throws -> (head: Head, objects: [PreparedObject]) {
        let cause = causes.count <= 1 ? causes.first ?? "" : "\(causes[0]) and \(causes.count - 1) more"
        let commit = Commit(
            files: try settled(.files), system: try settled(.system),
            parents: head.hash.map { [$0] } ?? [],
            // A time of its own, so that what time it was tells which commit was the newest.
            actor: authorship.actor, time: clock.tick(microseconds: time.wallMicroseconds()), cause: String(decoding: cause.utf8.prefix(200), as: UTF8.self))
        let object = PreparedObject(.commit, commit.encoded())
        let nodes = self.nodes.made.values.map { PreparedObject(.tree, $0.bytes, hash: $0.hash) }
        return (Head(hash: object.hash, commit: commit), objects + nodes + [object])
    }

    private func subtree(_ tree: Tree) -> Subtree {
        switch tree {
        case .files: files.subtree
        case .system: system.subtree
        }
    }

    private mutating func settle(_ tree: Tree, for path: TreePath) throws {
        switch tree {
        case .files: try files.settle(for: path, in: &nodes)
        case .system: try system.settle(for: path, in: &nodes)
        }
    }
}
