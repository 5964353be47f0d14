import Content
import Merkle

/// Decides about many paths one after another, most of which share their directory: what the rules make of a directory is
/// worked out once for all names in it, so that a listing under many rules costs little more than one under none.
///
/// Says the same as `RuleSet`, which decides about a single path.
public struct RuleCursor {
    /// A rule that can still decide about something in the directory.
    private struct Open {
        var rule: Rule
        var place: Glob.Place
        /// Whether it decides about everything in the directory, so that none behind it matters.
        var isLast: Bool
    }

    private struct OpenLimit {
        var glob: Glob
        var place: Glob.Place
    }

    private let rules: RuleSet
    private var names: [String]?
    private var open: [Open] = []
    /// Of each list of limits, the patterns that can still match; lists that hold for everything here are left out.
    private var limits: [[OpenLimit]] = []

    public init(_ rules: RuleSet) {
        self.rules = rules
    }

    /// What `RuleSet.allows` says. O(rules that matter in the directory).
    public mutating func allows(_ permission: Permission, _ path: TreePath) -> Bool {
        guard let name = enterDirectory(of: path) else { return rules.allows(permission, path) }
        for open in open {
            guard open.isLast || open.rule.path.matches(open.rule.path.step(open.place, characters: name)) else { continue }
            guard open.rule.allow.contains(permission) else { return false }
            return limits.allSatisfy { $0.contains { $0.glob.matches($0.glob.step($0.place, characters: name)) } }
        }
        return false
    }

    /// What `RuleSet.mayAllow` says.
    public mutating func mayAllow(_ permission: Permission, below path: TreePath) -> Bool {
        guard let name = enterDirectory(of: path) else { return rules.mayAllow(permission, below: path) }
        let isWithinLimits = limits.allSatisfy {
            $0.contains { limit in
                let place = limit.glob.step(limit.place, characters: name)
                return limit.glob.matches(place) || limit.glob.canMatch(below: place)
            }
        }
        guard isWithinLimits else { return false }
        for open in open {
            if open.isLast { return open.rule.allow.contains(permission) }
            let glob = open.rule.path
            let place = glob.step(open.place, characters: name)
            if open.rule.allow.contains(permission), glob.matches(place) || glob.canMatch(below: place) { return true }
            if glob.matchesAll(below: place) { return false }
        }
        return false
    }

    /// What `RuleSet.allowsAll` says.
    public mutating func allowsAll(_ permission: Permission, below path: TreePath) -> Bool {
        guard let name = enterDirectory(of: path) else { return rules.allowsAll(permission, below: path) }
        guard limits.allSatisfy({ $0.contains { $0.glob.matchesAll(below: $0.glob.step($0.place, characters: name)) } }) else { return false }
        for open in open {
            if open.isLast { return open.rule.allow.contains(permission) }
            let glob = open.rule.path
            let place = glob.step(open.place, characters: name)
            if glob.matchesAll(below: place) { return open.rule.allow.contains(permission) }
            if !open.rule.allow.contains(permission), glob.canMatch(below: place) { return false }
        }
        return false
    }

    /// - Returns: the characters of the path's name in its directory, where they matter; nil for the root.
    private mutating func enterDirectory(of path: TreePath) -> [Character]? {
        guard let name = path.name else { return nil }
        enterDirectory(above: path)
        return open.first?.isLast == true && limits.isEmpty ? [] : Array(name)
    }

    private mutating func enterDirectory(above path: TreePath) {
        if let names, names.count == path.names.count - 1, isSame(names, path.names) { return }
        let directory = path.parent ?? .root
        names = directory.names
        open.removeAll(keepingCapacity: true)
        for rule in rules.rules {
            let place = rule.path.place(of: directory)
            guard rule.path.canMatch(below: place) else { continue }
            let isLast = rule.path.matchesAll(below: place)
            open.append(Open(rule: rule, place: place, isLast: isLast))
            if isLast { break }
        }
        limits = rules.limits.compactMap { list in
            let open = list.map { OpenLimit(glob: $0, place: $0.place(of: directory)) }
            return open.contains { $0.glob.matchesAll(below: $0.place) } ? nil : open.filter { $0.glob.canMatch(below: $0.place) }
        }
    }

    /// Whether the first names of a path are these. From the last one on, which differs first in a walk.
    private func isSame(_ names: [String], _ other: [String]) -> Bool {
        for index in names.indices.reversed() where !names[index].utf8.elementsEqual(other[index].utf8) { return false }
        return true
    }
}
