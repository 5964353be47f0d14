import Causality
import Content
import Merkle
import Objects

/// Marks everything that some roots lead to.
///
/// Whole trees are walked once, whoever leads to them; what is kept in part is walked by path.
struct MarkWalk {
    /// What a node that cannot be read means.
    enum Strictness {
        /// It has to be here: what is below it would be lost.
        case present
        /// It may have been let go by an earlier policy, but it must not be damaged.
        case past
        /// Whoever asks for it puts up with it.
        case none
    }

    private enum Work {
        case tree(ContentHash)
        case manifest(ContentHash)
    }

    let store: ObjectStore
    let marks: Marks
    var strictness = Strictness.present
    /// Told of each object that was not marked before.
    var note: ((ContentHash, ObjectKind) throws -> Void)?
    /// Told of each node that cannot be read and is passed over.
    var lacks: ((ContentHash, ObjectKind, StoreError.Code) -> Void)?
    /// Asked now and then whether to stop.
    let check: () throws -> Void
    private(set) var marked: UInt64 = 0
    private var stack: [Work] = []

    init(store: ObjectStore, marks: Marks, check: @escaping () throws -> Void) {
        self.store = store
        self.marks = marks
        self.check = check
    }

    // MARK: Roots

    mutating func mark(_ root: HeldRoot) throws {
        switch root {
        case .tree(let root): try markTree(root)
        case .content(let content): try markContent(content, nil)
        case .commit(let hash):
            keep(hash, .commit)
            let bytes = try read(hash, .commit)
            guard let commit = try bytes.map({ try Commit(decoding: $0) }) else { return }
            try markTree(commit.files.root)
            try markTree(commit.system.root)
        }
    }

    /// A commit's record alone.
    mutating func keep(_ commit: ContentHash) { keep(commit, .commit) }

    mutating func markTree(_ root: ContentHash) throws {
        if root == TreeNode.empty.hash { return }
        stack.append(.tree(root))
        try drain()
    }

    /// What objects that are stored already lead to, whoever wrote them.
    mutating func markNodes(_ nodes: [(hash: ContentHash, kind: ObjectKind)]) throws {
        for (hash, kind) in nodes {
            stack.append(kind == .tree ? .tree(hash) : .manifest(hash))
            try drain()
        }
    }

    /// What a state keeps of a tree.
    mutating func markTree(_ root: ContentHash, for scope: KeptScope) throws {
        if scope.isEverything { return try markTree(root) }
        if root == TreeNode.empty.hash { return }
        try markPart(root, at: .root, scope, scope.identity)
    }

    // MARK: Walking

    private mutating func drain() throws {
        while let work = stack.popLast() {
            switch work {
            case .tree(let hash):
                guard begin(hash, .tree), let bytes = try read(hash, .tree) else { continue }
                try TreeNode(bytes, hash: hash).eachReference { reference in
                    switch reference {
                    case .tree(let hash): if !marks.isWalked(hash) { stack.append(.tree(hash)) }
                    case .attributes(let hash): try noting(hash, .attributes)
                    case .content(let content): try add(content)
                    }
                }
            case .manifest(let hash):
                guard begin(hash, .manifest), let bytes = try read(hash, .manifest) else { continue }
                var children: [ContentHash] = []
                try ManifestNode.scanChildren(of: bytes) { children.append($0) }
                // Chunks where it is of the lowest level.
                let isLowest = bytes.first == 1
                for child in children {
                    if isLowest { try noting(child, .chunk) } else { stack.append(.manifest(child)) }
                }
            }
        }
    }

    private mutating func add(_ content: FileContent) throws {
        if content.height == 0 { try noting(content.root, .chunk) } else { stack.append(.manifest(content.root)) }
    }

    private mutating func markContent(_ content: FileContent, _ attributes: ContentHash?) throws {
        if let attributes { try noting(attributes, .attributes) }
        try add(content)
        try drain()
    }

    /// - Parameter identity: of the scope.
    private mutating func markPart(_ hash: ContentHash, at directory: TreePath, _ scope: KeptScope, _ identity: ContentHash) throws {
        if marks.isWalked(hash) { return }
        if scope.keepsAll(below: directory) { return try markTree(hash) }
        // The same node with the same scope at the same place leads to the same.
        guard marks.visit(MarkWalk.place(hash, directory, identity)) else { return }
        keep(hash, .tree)
        guard let bytes = try read(hash, .tree) else { return }
        let node = try TreeNode(bytes, hash: hash)
        for child in node.children { try markPart(child.hash, at: directory, scope, identity) }
        guard node.level == 0 else { return }
        for index in 0..<node.count {
            let entry = try node.entry(at: index)
            let path = directory.appending(entry.name)
            if scope.keeps(path) {
                for case .file(let file) in entry.register?.versions.map(\.value) ?? [] { try markContent(file.content, file.attributes) }
            }
            if let subtree = entry.subtree, scope.mayKeep(below: path) { try markPart(subtree.root, at: path, scope, identity) }
        }
    }

    private static func place(_ hash: ContentHash, _ directory: TreePath, _ scope: ContentHash) -> ContentHash {
        var bytes = Array(directory.description.utf8)
        for hash in [hash, scope] { hash.withBytes { bytes.append(contentsOf: $0) } }
        return ContentHash(sha256: bytes)
    }

    // MARK: Marking

    /// - Returns: false for a node that was walked already.
    private mutating func begin(_ hash: ContentHash, _ kind: ObjectKind) -> Bool {
        guard marks.walk(hash) else { return false }
        marked += 1
        return true
    }

    private mutating func keep(_ hash: ContentHash, _ kind: ObjectKind) {
        if marks.keep(hash) { marked += 1 }
    }

    private mutating func noting(_ hash: ContentHash, _ kind: ObjectKind) throws {
        guard marks.keep(hash) else { return }
        marked += 1
        try note?(hash, kind)
    }

    /// The bytes of what names other objects; nil where it is not here and need not be.
    private func read(_ hash: ContentHash, _ kind: ObjectKind) throws -> [UInt8]? {
        try check()
        do {
            let bytes = try store.read(hash, kind)
            try note?(hash, kind)
            return bytes
        } catch let error as StoreError where error.code == .missing || error.code == .damaged {
            switch (strictness, error.code) {
            case (.none, _), (.past, .missing):
                lacks?(hash, kind, error.code)
                return nil
            default:
                throw DatabaseError(
                    .damaged, "\(error.reason); what it leads to is not known, so nothing is removed: scrub and heal first, then collect")
            }
        }
    }
}
