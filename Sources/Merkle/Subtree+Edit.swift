import Causality
import Content

/// A change to one path of a tree.
public struct TreeEdit: Sendable {
    public enum Change: Sendable {
        /// Puts a register there; what is below stays.
        case set(Register)
        /// Forgets the register.
        case forget
        /// Takes a whole subdirectory, where there was none, and this register in the place of the one that is there.
        case adopt(Subtree, Register?)
    }

    public var path: TreePath
    public var change: Change

    public init(_ path: TreePath, _ change: Change) {
        precondition(!path.isRoot, "the root holds no register")
        self.path = path
        self.change = change
    }
}

extension Subtree {
    /// This directory after all the edits, in one pass: O(edits × log n).
    ///
    /// - Parameter edits: at most one a path; in any order.
    public func applying(_ edits: [TreeEdit], in store: inout some NodeStore) throws -> Subtree {
        if edits.isEmpty { return self }
        let sorted = edits.count == 1 ? edits : edits.sorted { $0.path < $1.path }
        return try applying(sorted[...], depth: 0, in: &store)
    }

    /// - Parameters:
    ///   - edits: sorted by path, all below this directory, which is `depth` names deep.
    fileprivate func applying(_ edits: ArraySlice<TreeEdit>, depth: Int, in store: inout some NodeStore) throws -> Subtree {
        var changes: [(name: String, entry: Entry?)] = []
        var rest = edits
        while let first = rest.first {
            let name = first.path.names[depth]
            let group = rest.prefix { $0.path.names[depth].isSameName(as: name) }
            rest = rest.dropFirst(group.count)
            let old = try entry(named: name, in: store)
            let new = try (old ?? Entry(name: name)).applying(group, depth: depth + 1, in: &store)
            if new != old { changes.append((name, new.isEmpty ? nil : new)) }
        }
        return try applying(changes, in: &store)
    }

    /// This directory with other entries at some names; nil is none.
    ///
    /// - Parameter changes: sorted by name, and all of them changes.
    func applying(_ changes: [(name: String, entry: Entry?)], in store: inout some NodeStore) throws -> Subtree {
        if changes.isEmpty { return self }
        var builder = TreeBuilder()
        try rebuild(store.node(root), changes[...], &builder, in: &store)
        return try builder.finish(in: &store)
    }

    /// Passes a node of the old tree and the changes within its range to the builder. Whole nodes pass untouched where
    /// nothing in them changes.
    private func rebuild(
        _ node: TreeNode, _ changes: ArraySlice<(name: String, entry: Entry?)>, _ builder: inout TreeBuilder,
        in store: inout some NodeStore
    ) throws {
        var changes = changes
        func add(_ change: (name: String, entry: Entry?), _ store: inout some NodeStore) throws {
            guard let entry = change.entry else { return }
            try builder.append(LeafItem(entry), cuts: TreeNode.cutLevel(of: entry.name), to: &store)
        }
        for index in 0..<node.count {
            let name = node.name(at: index)
            let isLast = index == node.count - 1
            if node.level == 0 {
                while let change = changes.first, change.name.sortsBefore(name) {
                    try add(change, &store)
                    changes.removeFirst()
                }
                if let change = changes.first, change.name.isSameName(as: name) {
                    try add(change, &store)
                    changes.removeFirst()
                } else {
                    // Only a leaf's last name can cut.
                    try builder.append(
                        LeafItem(node, at: index), cuts: isLast ? TreeNode.cutLevel(of: name) : 0, to: &store)
                }
            } else {
                // What is behind the last name of all belongs to the last node.
                let inside = isLast ? changes : changes.prefix { !name.sortsBefore($0.name) }
                changes = changes.dropFirst(inside.count)
                if inside.isEmpty, builder.isAligned(at: node.level - 1) {
                    // Inside a node, a name cuts just as far as below the node.
                    let cuts = isLast ? TreeNode.cutLevel(of: name) : node.level
                    try builder.append(node.children[index], level: node.level - 1, cuts: cuts, to: &store)
                } else {
                    try rebuild(store.node(node.children[index].hash), inside, &builder, in: &store)
                }
            }
        }
        for change in changes { try add(change, &store) }
    }
}

extension Entry {
    /// - Parameter edits: those of this entry's path, which is `depth` names deep, and of paths below.
    fileprivate func applying(_ edits: ArraySlice<TreeEdit>, depth: Int, in store: inout some NodeStore) throws -> Entry {
        var result = self
        var below = edits
        if let own = edits.first, own.path.depth == depth {
            below = edits.dropFirst()
            switch own.change {
            case .set(let register): result.register = register
            case .forget: result.register = nil
            case .adopt(let subtree, let register):
                precondition(result.subtree == nil, "a subdirectory is only adopted where there is none")
                result.subtree = subtree.root == TreeNode.empty.hash ? nil : subtree
                result.register = register
            }
        }
        if !below.isEmpty {
            let subtree = try (result.subtree ?? .empty).applying(below, depth: depth, in: &store)
            result.subtree = subtree.root == TreeNode.empty.hash ? nil : subtree
        }
        return result
    }
}
