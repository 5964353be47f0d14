import Causality
import Content
import Merkle

/// A tree as plain dictionaries, against which the real ones are checked.
public struct NaiveTree: Sendable {
    public var register: Register?
    public var children: [String: NaiveTree] = [:]

    public init() {}

    public init(_ registers: [TreePath: Register]) {
        for (path, register) in registers { self[path.names[...]] = register }
    }

    private subscript(names: ArraySlice<String>) -> Register? {
        get { register }
        set {
            guard let name = names.first else { return register = newValue }
            children[name, default: NaiveTree()][names.dropFirst()] = newValue
        }
    }

    public struct Found: Equatable, Sendable {
        public var path: TreePath
        public var register: Register?
        public var hasSubtree: Bool
    }

    /// All names below, a directory before what is in it.
    public func walked(at path: TreePath = .root) -> [Found] {
        children.sorted { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) }.flatMap { name, child in
            let path = path.appending(name)
            return [Found(path: path, register: child.register, hasSubtree: !child.children.isEmpty)] + child.walked(at: path)
        }
    }

    public var isDirectory: Bool {
        register?.winner.value == .directory || children.values.contains { $0.isVisible }
    }

    public var isVisible: Bool {
        if isDirectory { return true }
        guard let register else { return false }
        return register.winner.value != .tombstone
    }

    /// Whether a user who looks at this name misses a version that somebody wrote.
    public var isConflicted: Bool {
        guard let register else { return false }
        let winner = register.winner.value
        let others = register.versions.map(\.value).filter { !$0.hasSameContent(as: winner) }
        guard isDirectory else { return !others.isEmpty }
        let isFile = winner != .directory && winner != .tombstone
        return isFile || others.contains { $0 != .tombstone && $0 != .directory }
    }

    /// The sums over what is below, counted one by one.
    public var aggregates: Aggregates {
        var sums = Aggregates()
        for child in children.values {
            sums += child.aggregates
            if child.isConflicted { sums.conflicts += 1 }
            guard let register = child.register else { continue }
            sums.tombstones += UInt64(register.versions.count { $0.value == .tombstone })
            switch register.winner.value {
            case .directory: sums.directories += 1
            case .tombstone: break
            case .symlink: sums.files += child.isDirectory ? 0 : 1
            case .file(let file):
                sums.files += child.isDirectory ? 0 : 1
                sums.bytes += child.isDirectory ? 0 : file.content.size
            }
        }
        return sums
    }
}

extension Subtree {
    /// The tree of these registers, made in one batch.
    public static func holding(_ registers: [TreePath: Register], in store: inout some NodeStore) throws -> Subtree {
        try Subtree.empty.applying(registers.map { TreeEdit($0.key, .set($0.value)) }, in: &store)
    }

    /// All names below with their registers, as the real walk tells them.
    public func walked(in reader: some NodeReader) throws -> [NaiveTree.Found] {
        var result: [NaiveTree.Found] = []
        var walk = try walk(in: reader)
        while let (path, entry) = try walk.next() {
            result.append(NaiveTree.Found(path: path, register: entry.register, hasSubtree: entry.subtree != nil))
        }
        return result
    }
}

extension TreePath {
    /// A path of one to three names, few enough of them that names are files here and directories there.
    public static func random(_ random: inout SplitMix64) -> TreePath {
        let deep = ["a", "b", "n1", "n22579", "é"]
        var path = TreePath.root.appending(random.once(in: 2) ? random.pick(deep) : randomName(&random))
        while path.depth < 3, random.once(in: 2) { path = path.appending(random.pick(deep)) }
        return path
    }
}

/// Random registers, each of them one that honest replicas can have, for paths and trees.
public struct RegisterPool: Sendable {
    private var histories: [[Register]]
    private var chosen: [TreePath: Int] = [:]

    public init(_ random: inout SplitMix64) {
        histories = []
        for _ in 0..<8 { histories.append(ReplicaGroup.states(steps: 25, &random).map(\.register)) }
    }

    /// A state of the path's one history, so that what two trees hold there can be joined.
    public mutating func register(at path: TreePath, _ random: inout SplitMix64) -> Register {
        let history = chosen[path] ?? random.below(histories.count)
        chosen[path] = history
        return random.pick(histories[history])
    }

    public mutating func registers(_ count: Int, _ random: inout SplitMix64) -> [TreePath: Register] {
        var result: [TreePath: Register] = [:]
        for _ in 0..<count {
            let path = TreePath.random(&random)
            result[path] = register(at: path, &random)
        }
        return result
    }
}

/// Passes reads on and counts them.
public final class CountingReader: NodeReader {
    private let nodes: MemoryNodes
    public private(set) var reads = 0

    public init(_ nodes: MemoryNodes) {
        self.nodes = nodes
    }

    public func node(_ hash: ContentHash) throws -> TreeNode {
        reads += 1
        return try nodes.node(hash)
    }
}
