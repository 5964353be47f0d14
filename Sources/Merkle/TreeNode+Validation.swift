import Causality
import Content

extension TreeNode {
    /// What the reference to a node promises of it.
    public struct Expectation: Sendable {
        /// Nil for a directory's root, whose level is its own.
        public var level: Int?
        /// Names at or before this one are not below.
        public var after: String?
        /// The last name; nil for a root.
        public var lastName: String?
        /// Whether the level ends with this node; only then may it end without a cut.
        public var isLast: Bool
        /// Nil where the sums are not known beforehand: for the root of the whole tree.
        public var aggregates: Aggregates?

        public init(level: Int?, after: String?, lastName: String?, isLast: Bool, aggregates: Aggregates?) {
            self.level = level
            self.after = after
            self.lastName = lastName
            self.isLast = isLast
            self.aggregates = aggregates
        }

        public static func root(_ aggregates: Aggregates?) -> Expectation {
            Expectation(level: nil, after: nil, lastName: nil, isLast: true, aggregates: aggregates)
        }
    }

    /// Checks everything about a node from elsewhere that can be checked without its children: order, cuts, names,
    /// every entry's encoding, and what its reference promised. O(bytes).
    public func validate(as expected: Expectation) throws(MalformedBytes) {
        func refuse(_ reason: String) -> MalformedBytes { MalformedBytes("tree node \(hash): \(reason)") }
        if let level = expected.level, level != self.level { throw refuse("level \(self.level) where \(level) is expected") }
        let isEmptyRoot = count == 0 && expected.level == nil
        guard count > 0 || isEmptyRoot else { throw refuse("no entries") }
        guard level == 0 || count > 1 || expected.level != nil else { throw refuse("a root with a single child") }
        var sums = Aggregates.zero
        var previous = expected.after
        for index in 0..<count {
            let name = self.name(at: index)
            if let reason = TreePath.fault(inName: name) { throw refuse(reason) }
            if let previous, !previous.sortsBefore(name) { throw refuse("names out of order at '\(name)'") }
            previous = name
            let isCut = TreeNode.cutLevel(of: name) > level
            guard isCut == (index == count - 1) || index == count - 1 && expected.isLast else {
                throw refuse("cut in the wrong place at '\(name)'")
            }
            switch items {
            case .children(let children): sums += children[index].aggregates
            case .entries: sums += try entry(at: index).aggregates
            }
        }
        if let lastName = expected.lastName, previous?.isSameName(as: lastName) != true { throw refuse("ends at another name than its reference says") }
        if let aggregates = expected.aggregates, aggregates != sums { throw refuse("other sums than its reference says") }
    }

    /// The sums over all items. O(count).
    public func aggregates() throws(MalformedBytes) -> Aggregates {
        var sums = Aggregates.zero
        switch items {
        case .children(let children): for child in children { sums += child.aggregates }
        case .entries(let ranges): for index in ranges.indices { sums += try aggregates(at: index) }
        }
        return sums
    }

    /// The sums of one entry. The common entry, a lone version of a file, is read without decoding the rest.
    func aggregates(at index: Int) throws(MalformedBytes) -> Aggregates {
        var decoder = CanonicalDecoder(bytes, entryRange(at: index))
        _ = try decoder.readByteString(limit: TreePath.maximumNameLength)
        if try decoder.readByte() == 1, let sums = try Register.aggregatesOfLoneVersion(from: &decoder) { return sums }
        return try entry(at: index).aggregates
    }
}

extension Register {
    /// The sums of a register of one version, read without allocating; nil if it has more.
    static func aggregatesOfLoneVersion(from decoder: inout CanonicalDecoder) throws(MalformedBytes) -> Aggregates? {
        var sums = Aggregates.zero
        guard let scanned = try Register.scanLoneVersion(from: &decoder) else { return nil }
        switch scanned {
        case .file(let size): (sums.files, sums.bytes) = (1, size)
        case .symlink: sums.files = 1
        case .directory: sums.directories = 1
        case .tombstone: sums.tombstones = 1
        }
        return sums
    }
}
