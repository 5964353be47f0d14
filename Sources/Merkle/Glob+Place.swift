/// A match that is made name by name, for whoever looks at many paths that begin alike: what a pattern makes of a directory
/// is worked out once for all that is in it.
extension Glob {
    /// Where in the pattern a match of some names may stand.
    public struct Place: Hashable, Sendable {
        /// Positions in the pattern's parts, ascending.
        let states: [Int]

        /// Whether nothing below can match.
        public var isDead: Bool { states.isEmpty }
    }

    /// The place of the root.
    public var start: Place { Place(states: closure([0])) }

    /// The place behind one more name. O(states × name).
    public func step(_ place: Place, _ name: GlobName) -> Place {
        var next: [Int] = []
        for state in place.states where state < parts.count {
            switch parts[state] {
            case .names: next.append(state)
            case .pattern(let pattern):
                if pattern.matches(name) { next.append(state + 1) }
            }
        }
        return Place(states: closure(next))
    }

    /// The place behind one more name that none of the patterns matches which stand here.
    func stepOver(_ place: Place) -> Place {
        Place(states: closure(place.states.filter { $0 < parts.count && parts[$0] == .names }))
    }

    /// The patterns that a name may match here, and for each whether the match is complete with it.
    func patterns(at place: Place) -> [(pattern: NamePattern, isLast: Bool)] {
        place.states.compactMap { state in
            guard state < parts.count, case .pattern(let pattern) = parts[state] else { return nil }
            return (pattern, closure([state + 1]).last == parts.count)
        }
    }

    /// The place behind all the names of a path.
    public func place(of path: TreePath) -> Place {
        var place = start
        for name in path.names where !place.isDead { place = step(place, GlobName(name)) }
        return place
    }

    /// Whether the names up to here match.
    public func matches(_ place: Place) -> Bool {
        place.states.last == parts.count
    }

    /// Whether anything below can match.
    public func canMatch(below place: Place) -> Bool {
        place.states.contains { $0 < parts.count } || (!place.isDead && parts.last == .names)
    }

    /// Whether everything below matches, whatever its name.
    public func matchesAll(below place: Place) -> Bool {
        parts.last == .names && place.states.contains { $0 >= parts.count - 1 }
    }

    /// `**` may stand for no name at all.
    private func closure(_ states: [Int]) -> [Int] {
        var result = states
        for first in states {
            var state = first
            while state < parts.count, parts[state] == .names {
                state += 1
                result.append(state)
            }
        }
        if result.count < 2 { return result }
        // Several ways may lead to one place.
        result.sort()
        return result.enumerated().compactMap { index, state in index > 0 && result[index - 1] == state ? nil : state }
    }
}
