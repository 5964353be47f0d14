/// A list of patterns as they stand in one directory, for whoever looks at many names in it.
///
/// A name is compared only with the patterns that its first byte, its last byte and its pairs of bytes leave over, so that a list of
/// many kinds of names, as `*.jpg`, costs a name little more than one.
public struct DirectoryGlobs: Sendable {
    /// A pattern of the list that can still match something here.
    public struct Open: Sendable {
        /// Which of the list it is.
        public let index: Int
        let glob: Glob
        let place: Glob.Place
        /// Whether it matches everything in the directory, so that none behind it matters.
        public let matchesAll: Bool
        /// The patterns that a name may match here.
        fileprivate let patterns: [NamePattern]
        /// Those of them with which the match is complete.
        fileprivate let last: [NamePattern]
        /// The place behind a name that none of them matches.
        fileprivate let over: Glob.Place

        init(_ glob: Glob, _ index: Int, at place: Glob.Place) {
            (self.glob, self.index, self.place) = (glob, index, place)
            matchesAll = glob.matchesAll(below: place)
            let here = glob.patterns(at: place)
            patterns = here.map(\.pattern)
            last = here.filter(\.isLast).map(\.pattern)
            over = glob.stepOver(place)
        }

        /// What the pattern makes of a directory here, and of what is below it.
        public func below(_ name: GlobName) -> (matches: Bool, canMatch: Bool, matchesAll: Bool) {
            let place = place(of: name)
            return (glob.matches(place), glob.canMatch(below: place), glob.matchesAll(below: place))
        }

        fileprivate func place(of name: GlobName) -> Glob.Place {
            patterns.contains { $0.matches(name) } ? glob.step(place, name) : over
        }
    }

    /// In the order of the list, up to the first that matches everything here.
    public let open: [Open]
    private let globs: [Glob]
    /// Leaves over those in `open` that a name has to be compared with.
    private let filter: ByteFilter

    public init(_ globs: [Glob]) {
        self.init(globs, places: globs.enumerated().map { ($0, $1.start) })
    }

    private init(_ globs: [Glob], places: [(index: Int, place: Glob.Place)]) {
        self.globs = globs
        var open: [Open] = []
        for (index, place) in places where globs[index].canMatch(below: place) {
            open.append(Open(globs[index], index, at: place))
            if open[open.count - 1].matchesAll { break }
        }
        self.open = open
        filter = ByteFilter(open)
    }

    /// The list in a directory here.
    public func entering(_ name: GlobName) -> DirectoryGlobs {
        DirectoryGlobs(globs, places: open.map { ($0.index, $0.place(of: name)) })
    }

    /// Which pattern of the list is the first that matches a name here; nil if none does.
    public func first(matching name: GlobName) -> Int? {
        guard let found = filter.first(for: name, where: { place in
            open[place].matchesAll || open[place].last.contains { $0.matches(name) }
        }) else { return nil }
        return open[found].index
    }
}

/// Sets of patterns, one for each byte that names can begin with and one for each that they can end with; and of each pattern, the pairs of
/// bytes that are in all names which match it.
private struct ByteFilter: Sendable {
    private let count: Int
    /// Sets of 64 in a number; empty where there are so few that looking at each is as fast.
    private var words = 0
    private var beginning: [UInt64] = []
    private var ending: [UInt64] = []
    private var pairs: [UInt64] = []

    private static let fewest = 4

    init(_ open: [DirectoryGlobs.Open]) {
        count = open.count
        guard count > ByteFilter.fewest else { return }
        words = (count + 63) / 64
        beginning = [UInt64](repeating: 0, count: 256 * words)
        ending = beginning
        pairs = open.map { item in
            guard !item.matchesAll, var common = item.last.first?.pairs else { return 0 }
            for pattern in item.last.dropFirst() { common.formIntersection(pattern.pairs) }
            return common.bits
        }
        for (place, item) in open.enumerated() {
            if item.matchesAll {
                add(place, nil, to: &beginning)
                add(place, nil, to: &ending)
            }
            // A name may begin as one of the patterns and end as another: such a set is larger than it needs to be, and never smaller.
            for pattern in item.last {
                add(place, pattern.firstByte, to: &beginning)
                add(place, pattern.lastByte, to: &ending)
            }
        }
    }

    private func add(_ place: Int, _ byte: UInt8?, to sets: inout [UInt64]) {
        let bit: UInt64 = 1 << UInt64(place % 64)
        if let byte {
            sets[Int(byte) * words + place / 64] |= bit
        } else {
            for byte in 0..<256 { sets[byte * words + place / 64] |= bit }
        }
    }

    /// The first place of those left over for which something holds.
    func first(for name: GlobName, where holds: (Int) -> Bool) -> Int? {
        // Whether two characters are the same is not told by their bytes where they have several.
        guard words > 0, name.characters == nil, let first = name.bytes.first, let last = name.bytes.last else {
            return (0..<count).first(where: holds)
        }
        let missing = ~BytePairs(name.bytes).bits
        for word in 0..<words {
            var left = beginning[Int(first) * words + word] & ending[Int(last) * words + word]
            while left != 0 {
                let place = word * 64 + left.trailingZeroBitCount
                if pairs[place] & missing == 0, holds(place) { return place }
                left &= left - 1
            }
        }
        return nil
    }
}
