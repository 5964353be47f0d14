import Merkle

extension RuleSet {
    /// The first rule of another set that gives something which these rules do not, and what; nil if it gives nothing more, which these
    /// are then sure to give, too.
    ///
    /// Patterns are compared as a whole: a rule is given if it is one of these, or lies where these say one thing of everything. What an
    /// earlier rule of the other set decides need not be given by a later one.
    public func firstExcess(of other: RuleSet) -> (rule: Int, permission: Permission)? {
        for (index, rule) in other.rules.enumerated() {
            for permission in Permission.allCases where rule.allow.contains(permission) {
                if !gives(permission, on: rule.path, after: other.rules[..<index]) { return (index, permission) }
            }
        }
        return nil
    }

    /// - Parameter decided: rules that come before, of which each was found given.
    private func gives(_ permission: Permission, on path: Glob, after decided: ArraySlice<Rule>) -> Bool {
        guard limits.allSatisfy({ $0.contains { $0.covers(path) } }) else { return false }
        for rule in rules {
            if rule.path.covers(path) { return rule.allow.contains(permission) }
            if rule.allow.contains(permission) || !rule.path.mayMeet(path) { continue }
            guard decided.contains(where: { $0.path.covers(rule.path) }) else { return false }
        }
        return false
    }
}

extension Glob {
    /// Whether it is sure to match whatever another pattern does.
    fileprivate func covers(_ other: Glob) -> Bool {
        if self == other { return true }
        if let path = other.onlyPath { return matches(path) }
        return matchesAll(below: other.directory)
    }

    /// Whether something may match both.
    fileprivate func mayMeet(_ other: Glob) -> Bool {
        if let path = other.onlyPath { return matches(path) }
        return matches(other.directory) || canMatch(below: other.directory)
    }
}
