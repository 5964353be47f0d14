import Content
import Merkle

/// What may be done at a path.
public enum Permission: String, Sendable, CaseIterable, Codable {
    case read
    case list
    case write
    case delete
}

/// What a key may do at the paths that a pattern matches.
public struct Rule: Hashable, Sendable {
    public var path: Glob
    public var allow: Set<Permission>

    public init(path: Glob, allow: Set<Permission>) {
        self.path = path
        self.allow = allow
    }
}

/// Rules in order: the first that matches a path decides; where none does, the answer is no.
public struct RuleSet: Hashable, Sendable {
    public var rules: [Rule]
    /// Lists of patterns, of each of which one must match besides: what a member, or what one of two peers, is limited to.
    public var limits: [[Glob]]

    public init(_ rules: [Rule], limits: [[Glob]] = []) {
        self.rules = rules
        self.limits = limits
    }

    /// Everything, everywhere.
    public static let everything: RuleSet = {
        guard let glob = try? Glob("/**") else { preconditionFailure("a valid pattern") }
        return RuleSet([Rule(path: glob, allow: Set(Permission.allCases))])
    }()

    /// The same, but nothing that none of the patterns matches; nil changes nothing.
    public func limited(to patterns: [Glob]?) -> RuleSet {
        patterns.map { RuleSet(rules, limits: limits + [$0]) } ?? self
    }

    public func allows(_ permission: Permission, _ path: TreePath) -> Bool {
        guard rules.first(where: { $0.path.matches(path) })?.allow.contains(permission) ?? false else { return false }
        return limits.allSatisfy { $0.contains { $0.matches(path) } }
    }

    /// Whether anything at or below the path may be allowed: so that a directory on the way to it can be shown.
    public func mayAllow(_ permission: Permission, below path: TreePath) -> Bool {
        guard limits.allSatisfy({ $0.contains { $0.matches(path) || $0.canMatch(below: path) } }) else { return false }
        for rule in rules {
            if rule.allow.contains(permission), rule.path.matches(path) || rule.path.canMatch(below: path) { return true }
            // Whatever is below is decided by this rule, and it says no.
            if rule.path.matchesAll(below: path) { return false }
        }
        return false
    }

    /// Whether everything below the path is allowed, whatever its name.
    public func allowsAll(_ permission: Permission, below path: TreePath) -> Bool {
        guard limits.allSatisfy({ $0.contains { $0.matchesAll(below: path) } }) else { return false }
        for rule in rules {
            if rule.path.matchesAll(below: path) { return rule.allow.contains(permission) }
            if !rule.allow.contains(permission), rule.path.canMatch(below: path) { return false }
        }
        return false
    }

    /// Whether nothing is kept from the holder.
    public var isUnrestricted: Bool {
        Permission.allCases.allSatisfy { allowsAll($0, below: .root) }
    }

    /// Whether the permission is given anywhere at all.
    public func allowsSomewhere(_ permission: Permission) -> Bool {
        mayAllow(permission, below: .root)
    }
}

/// Who is asking, and what they may do.
public struct Principal: Sendable, Hashable {
    public enum Identity: Sendable, Hashable {
        /// The owner of the data directory.
        case owner
        /// The holder of an API key.
        case key(String)
        /// A member of the cluster.
        case node(NodeID)
    }

    public var identity: Identity
    public var rules: RuleSet
    /// The node that asks: a member, or a client that has shown to hold a node's key. Only in its name it may write versions.
    public var node: NodeID?
    /// Whether it is a member of only a part of the files, which never sees the cluster's own tree.
    public var isPartial: Bool

    public init(identity: Identity, rules: RuleSet, node: NodeID? = nil, isPartial: Bool = false) {
        self.identity = identity
        self.rules = rules
        self.node = node
        self.isPartial = isPartial
    }

    /// Whether it may see the cluster's own tree: full members, whatever two peers agree to exchange of the files, and people
    /// from whom nothing is kept.
    public var seesSystem: Bool {
        if case .node = identity { return !isPartial }
        return rules.isUnrestricted
    }

    /// Whether nothing at all is kept from it.
    public var seesEverything: Bool { rules.isUnrestricted && seesSystem }

    public func may(_ permission: Permission, _ path: TreePath) -> Bool {
        rules.allows(permission, path)
    }
}
