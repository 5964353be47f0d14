import Content
import Merkle

/// Decides about many paths one after another, most of which share their directory: what the rules make of a directory is
/// worked out once for all names in it, so that a listing under many rules costs little more than one under none.
///
/// Says the same as `RuleSet`, which decides about a single path.
public struct RuleCursor {
    /// A directory on the way to the present one, and the present one.
    private final class Level {
        let name: String
        let rules: DirectoryGlobs
        /// Of each list of limits what is open; lists that hold for everything here are left out.
        let limits: [DirectoryGlobs]

        init(_ name: String, _ rules: DirectoryGlobs, _ limits: [DirectoryGlobs]) {
            self.name = name
            self.rules = rules
            self.limits = limits.filter { !($0.open.last?.matchesAll ?? false) }
        }
    }

    private let rules: RuleSet
    /// From the root down.
    private var levels: [Level]

    public init(_ rules: RuleSet) {
        self.rules = rules
        levels = [Level("", DirectoryGlobs(rules.rules.map(\.path)), rules.limits.map { DirectoryGlobs($0) })]
    }

    /// What `RuleSet.allows` says. O(rules that the name's bytes leave over).
    public mutating func allows(_ permission: Permission, _ path: TreePath) -> Bool {
        guard let name = enterDirectory(of: path) else { return rules.allows(permission, path) }
        let level = levels[levels.count - 1]
        guard let first = level.rules.open.first else { return false }
        if first.matchesAll, level.limits.isEmpty { return rules.rules[first.index].allow.contains(permission) }
        let text = GlobName(name)
        guard let rule = level.rules.first(matching: text), rules.rules[rule].allow.contains(permission) else { return false }
        return level.limits.allSatisfy { $0.first(matching: text) != nil }
    }

    /// What `RuleSet.mayAllow` says.
    public mutating func mayAllow(_ permission: Permission, below path: TreePath) -> Bool {
        guard let name = enterDirectory(of: path).map({ GlobName($0) }) else { return rules.mayAllow(permission, below: path) }
        let level = levels[levels.count - 1]
        let isWithinLimits = level.limits.allSatisfy { list in
            list.open.contains { limit in
                let below = limit.below(name)
                return below.matches || below.canMatch
            }
        }
        guard isWithinLimits else { return false }
        for open in level.rules.open {
            let isAllowed = rules.rules[open.index].allow.contains(permission)
            if open.matchesAll { return isAllowed }
            let below = open.below(name)
            if isAllowed, below.matches || below.canMatch { return true }
            if below.matchesAll { return false }
        }
        return false
    }

    /// What `RuleSet.allowsAll` says.
    public mutating func allowsAll(_ permission: Permission, below path: TreePath) -> Bool {
        guard let name = enterDirectory(of: path).map({ GlobName($0) }) else { return rules.allowsAll(permission, below: path) }
        let level = levels[levels.count - 1]
        guard level.limits.allSatisfy({ $0.open.contains { $0.below(name).matchesAll } }) else { return false }
        for open in level.rules.open {
            let isAllowed = rules.rules[open.index].allow.contains(permission)
            if open.matchesAll { return isAllowed }
            let below = open.below(name)
            if below.matchesAll { return isAllowed }
            if !isAllowed, below.canMatch { return false }
        }
        return false
    }

    /// - Returns: the path's name in its directory; nil for the root.
    private mutating func enterDirectory(of path: TreePath) -> String? {
        guard let name = path.name else { return nil }
        let depth = path.depth - 1
        // A walk goes on in the same directory, or in one nearby.
        var common = 0
        while common < min(depth, levels.count - 1), levels[common + 1].name.utf8.elementsEqual(path.names[common].utf8) { common += 1 }
        levels.removeLast(levels.count - 1 - common)
        for directory in path.names[common..<depth] {
            let (last, text) = (levels[levels.count - 1], GlobName(directory))
            levels.append(Level(directory, last.rules.entering(text), last.limits.map { $0.entering(text) }))
        }
        return name
    }
}
