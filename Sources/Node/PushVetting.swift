import Access
import Causality
import Content
import FileDatabase
import Merkle
import Objects
import Replication

/// Looks at the records of one part of a push: whether they may be joined, and whether their content is here.
struct PushVetting {
    private let database: FileDatabase
    private let uploads: UploadLedger
    private let caller: Principal
    private let view: TreeView
    private let tree: Tree
    private let rules: RegisterVetting
    private var bases: ContentBases
    /// The last directory whose way was looked at, and the file that stands in it.
    private var way: (directory: TreePath, file: TreePath?)?

    init(node: Node, caller: Principal, view: TreeView, tree: Tree, rules: RegisterVetting) {
        database = node.database
        uploads = node.uploads
        self.caller = caller
        self.view = view
        self.tree = tree
        self.rules = rules
        bases = ContentBases(database: database, view: view, rules: caller.rules)
    }

    /// - Returns: nil if the record may be joined. Blocks.
    mutating func refusal(of record: PushRecord) throws -> Refusal? {
        let path = record.path
        if tree == .files, TreeView.isReserved(path) { return Refusal(path, .invalid, "no files are kept below '/\(path.names[0])'") }
        if caller.isTrusted {
            let isAhead = record.register.latest > rules.horizon
            return isAhead ? Refusal(path, .future, "has a time ahead of this node's clock; settle the clocks and send it again") : nil
        }
        let current = try view.entry(at: path, in: tree)?.register
        if let refusal = rules.refusal(of: record.register, at: path, over: current) { return refusal }
        for version in record.register.versions where current?.context.covers(version.dot) != true {
            if version.value.isTombstone { continue }
            if let fault = version.value.fileFault { return Refusal(path, .invalid, fault) }
            // The file would be hidden by a directory that the caller could not have made.
            if let file = try fileAbove(path) { return Refusal(path, .invalid, "lies under '\(file)', which is a file") }
        }
        return nil
    }

    /// A file on the way to a path that the caller may not write.
    private mutating func fileAbove(_ path: TreePath) throws -> TreePath? {
        let directory = path.parent ?? .root
        if let way, way.directory == directory { return way.file }
        var place = TreePath.root
        var found: TreePath?
        for name in directory.names where found == nil {
            place = place.appending(name)
            if try view.entry(at: place)?.current != nil, !rules.rules.allows(.write, place) { found = place }
        }
        way = (directory, found)
        return found
    }

    /// The objects of a record's new versions that have to be sent first. Blocks.
    ///
    /// A version makes its content readable to whoever may read its path. So a scoped caller must have sent it, or be able to
    /// read it elsewhere: knowing a hash is not enough.
    mutating func missing(for record: PushRecord) throws -> [ContentHash] {
        let current = try view.entry(at: record.path, in: tree)?.register
        let items = record.register.versions.compactMap { version -> FileDatabase.BulkItem? in
            guard case .file = version.value, current?.context.covers(version.dot) != true else { return nil }
            return FileDatabase.BulkItem(path: record.path, value: version.value)
        }
        if items.isEmpty { return [] }
        // From whom nothing is kept needs to prove nothing.
        if rules.rules.isUnrestricted { return try database.missingObjects(of: database.objects(of: items)) }
        let (uploads, identity) = (uploads, caller.identity)
        var bases = bases
        defer { self.bases = bases }
        var failure: (any Error)?
        func isProven(_ hash: ContentHash) -> Bool {
            if uploads.unproven([hash], of: identity).isEmpty { return true }
            do {
                return try bases.hold(hash, record.bases)
            } catch {
                failure = error
                return false
            }
        }
        let needed = try database.objects(of: items, opening: isProven)
        let unproven = needed.map(\.hash).filter { !isProven($0) }
        if let failure { throw failure }
        return unproven.isEmpty ? try database.missingObjects(of: needed) : unproven
    }
}

/// The objects of versions that a caller names because it has them. Each version is looked up, and its manifest read, once.
struct ContentBases {
    /// Objects of one base that are looked at, some 50 MB: a file of a quarter of a terabyte. Of a larger one the rest has to be sent.
    private static let maximumObjects = 1 << 20
    /// Bases that are held at once.
    private static let maximumHeld = 64

    private let database: FileDatabase
    private let view: TreeView
    private let rules: RuleSet
    private var held: [ContentBase: Set<ContentHash>] = [:]

    init(database: FileDatabase, view: TreeView, rules: RuleSet) {
        self.database = database
        self.view = view
        self.rules = rules
    }

    /// Whether one of the bases is readable to the caller and has the object. Blocks.
    mutating func hold(_ hash: ContentHash, _ bases: [ContentBase]) throws -> Bool {
        for base in bases where try objects(of: base).contains(hash) { return true }
        return false
    }

    private mutating func objects(of base: ContentBase) throws -> Set<ContentHash> {
        if let known = held[base] { return known }
        if held.count >= ContentBases.maximumHeld { held = [:] }
        let objects = try read(base)
        held[base] = objects
        return objects
    }

    private func read(_ base: ContentBase) throws -> Set<ContentHash> {
        guard !base.path.isRoot, !TreeView.isReserved(base.path), rules.allows(.read, base.path),
            let version = try view.entry(at: base.path)?.register?.versions.first(where: { $0.content?.root == base.root })
        else { return [] }
        let needed = try database.objects(of: [FileDatabase.BulkItem(path: base.path, value: version.value)])
        return Set(needed.prefix(ContentBases.maximumObjects).map(\.hash))
    }
}

extension Version {
    /// The content of a version that is a file.
    var content: FileContent? {
        if case .file(let file) = value { file.content } else { nil }
    }
}
