import Causality
import Content
import Merkle
import Objects

/// What a verification found.
public struct VerificationReport: Sendable {
    public struct Fault: Sendable {
        /// The path that needs what is missing or damaged; in the system tree, with `/.system` in front.
        public var path: String
        public var reason: String
    }

    /// Objects that were read and have their hash, each counted once.
    public var objects = 0
    /// Their bytes.
    public var bytes: UInt64 = 0
    public var faults: [Fault] = []
}

extension FileDatabase {
    /// Reads everything that HEAD needs and checks it: every object against its hash, every node against the reference that
    /// leads to it. Blocks.
    ///
    /// - Parameter keptStates: whether what only older states and snapshots need is checked, too.
    public func verify(keptStates: Bool = false) throws -> VerificationReport {
        var check = Verification(store: store)
        for tree in Tree.allCases {
            check.checkTree(head[tree], at: tree == .files ? "" : "/.system")
        }
        guard keptStates else { return check.report }
        check.isPast = true
        try eachKeptState { state in
            // Of a state that is kept in part, what is left is checked when it is read.
            guard state.scope.isEverything else { return true }
            check.state = state.snapshot.map { " in snapshot '\($0)'" } ?? state.commit.map { " at commit \($0)" } ?? ""
            check.checkTree(Subtree(root: state.root, aggregates: .zero), at: "")
            return true
        }
        return check.report
    }
}

/// One pass over what HEAD needs. Memory grows with the number of objects, by their hashes alone.
private struct Verification {
    private struct Place {
        var path: String
        var hash: ContentHash
        var expectation: TreeNode.Expectation
    }

    let store: ObjectStore
    var report = VerificationReport()
    /// Whether trees are of older states, parts of which an earlier policy may have let go.
    var isPast = false
    /// Whose tree is checked, in words.
    var state = ""
    private var seen: Set<ContentHash> = []

    init(store: ObjectStore) {
        self.store = store
    }

    mutating func checkTree(_ root: Subtree, at path: String) {
        var stack: [Place] = []
        if root.root != TreeNode.empty.hash {
            stack.append(Place(path: path, hash: root.root, expectation: .root(isPast ? nil : root.aggregates)))
        }
        while let place = stack.popLast() {
            if isPast, seen.contains(place.hash) { continue }
            do {
                let node = try TreeNode(read(place.hash, .tree), hash: place.hash)
                try node.validate(as: place.expectation)
                var after = place.expectation.after
                for (index, child) in node.children.enumerated() {
                    stack.append(Place(path: place.path, hash: child.hash, expectation: TreeNode.Expectation(
                        level: node.level - 1, after: after, lastName: child.lastName,
                        isLast: place.expectation.isLast && index == node.count - 1, aggregates: child.aggregates)))
                    after = child.lastName
                }
                seen.insert(place.hash)
                guard node.level == 0 else { continue }
                for index in 0..<node.count {
                    let entry = try node.entry(at: index)
                    let name = "\(place.path)/\(entry.name)"
                    if let subtree = entry.subtree {
                        stack.append(Place(path: name, hash: subtree.root, expectation: .root(subtree.aggregates)))
                    }
                    for version in entry.register?.versions ?? [] { check(version.value, at: name) }
                }
            } catch {
                fault(place.path.isEmpty ? "/" : place.path, error)
            }
        }
    }

    private mutating func check(_ value: Value, at path: String) {
        guard case .file(let file) = value else { return }
        do {
            if let attributes = file.attributes { _ = try read(attributes, .attributes) }
            try check(ManifestNode.Child(hash: file.content.root, size: file.content.size), height: file.content.height)
        } catch {
            fault(path, error)
        }
    }

    /// Each object is read once, however often it is named.
    private mutating func check(_ child: ManifestNode.Child, height: Int, isRoot: Bool = true, isLast: Bool = true) throws {
        if seen.contains(child.hash) { return }
        guard height > 0 else {
            guard try UInt64(read(child.hash, .chunk).count) == child.size else {
                throw DatabaseError(.damaged, "chunk \(child.hash) has another size than its manifest says")
            }
            seen.insert(child.hash)
            return
        }
        let node = try ManifestNode(
            decoding: read(child.hash, .manifest), height: height, size: child.size, isRoot: isRoot, isLast: isLast)
        for (index, next) in node.children.enumerated() {
            try check(next, height: height - 1, isRoot: false, isLast: isLast && index == node.children.count - 1)
        }
        // Only now: of several paths that share what is damaged, each is to be named.
        seen.insert(child.hash)
    }

    private mutating func read(_ hash: ContentHash, _ kind: ObjectKind) throws -> [UInt8] {
        let bytes = try store.read(hash, kind)
        report.objects += 1
        report.bytes += UInt64(bytes.count)
        return bytes
    }

    private mutating func fault(_ path: String, _ error: any Error) {
        if isPast, let error = error as? StoreError, error.code == .missing { return }
        let path = path + state
        report.faults.append(VerificationReport.Fault(path: path, reason: DatabaseError(error).description))
    }
}
