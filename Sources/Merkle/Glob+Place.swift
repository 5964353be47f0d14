/// A match that is made name by name, for whoever looks at many paths that begin alike: what a pattern makes of a directory
/// is worked out once for all that is in it.
extension Glob {
    /// Where in the pattern a match of some names may stand.
    public struct Place: Hashable, Sendable {
        /// Positions in the pattern's parts, ascending.
        fileprivate(set) var states: [Int]

        /// Whether nothing below can match.
        public var isDead: Bool { states.isEmpty }
    }

    /// The place of the root.
    public var start: Place { Place(states: closure([0])) }

    /// The place behind one more name. O(states × name).
    public func step(_ place: Place, _ name: String) -> Place {
        step(place, characters: Array(name))
    }

    /// The same, for whoever steps through many patterns with one name.
    public func step(_ place: Place, characters name: [Character]) -> Place {
        var next: [Int] = []
        for state in place.states where state < parts.count {
            switch parts[state] {
            case .names: next.append(state)
            case .pattern(let pattern):
                if Glob.matches(pattern, name) { next.append(state + 1) }
            }
        }
        return Place(states: closure(next))
    }

    /// The place behind all the names of a path.
    public func place(of path: TreePath) -> Place {
        var place = start
        for name in path.names where !place.isDead { place = step(place, name) }
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
