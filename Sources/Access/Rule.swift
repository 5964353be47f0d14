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

    public init(_ rules: [Rule]) {
        self.rules = rules
    }

    /// Everything, everywhere.
    public static let everything: RuleSet = {
        guard let glob = try? Glob("/**") else { preconditionFailure("a valid pattern") }
        return RuleSet([Rule(path: glob, allow: Set(Permission.allCases))])
    }()

    public func allows(_ permission: Permission, _ path: TreePath) -> Bool {
        rules.first { $0.path.matches(path) }?.allow.contains(permission) ?? false
    }

    /// Whether anything at or below the path may be allowed: so that a directory on the way to it can be shown.
    public func mayAllow(_ permission: Permission, below path: TreePath) -> Bool {
        for rule in rules {
            if rule.allow.contains(permission), rule.path.matches(path) || rule.path.canMatch(below: path) { return true }
            // Whatever is below is decided by this rule, and it says no.
            if rule.path.matchesAll(below: path) { return false }
        }
        return false
    }

    /// Whether everything below the path is allowed, whatever its name.
    public func allowsAll(_ permission: Permission, below path: TreePath) -> Bool {
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

    public init(identity: Identity, rules: RuleSet) {
        self.identity = identity
        self.rules = rules
    }

    public func may(_ permission: Permission, _ path: TreePath) -> Bool {
        rules.allows(permission, path)
    }
}
