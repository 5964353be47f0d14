import Access
import Causality
import Content
import Merkle

/// Spans of a tree whose registers both sides of an exchange have, in order of path: the recipe for what packed records are
/// compressed after.
public struct RecordSpans: Hashable, Sendable {
    public static let maximumCount = 64
    /// The most bytes of the registers. Where there are more, the last are left out.
    public static let maximumSize = 1 << 20
    /// Paths that nobody asks for, after which a span ends.
    private static let maximumGap = 64
    /// A span of fewer places than this takes more bytes than it saves.
    public static let minimumPlaces = 8

    private var spans: [ClosedRange<TreePath>] = []

    public var isEmpty: Bool { spans.isEmpty }

    /// Spans that hold as many places as these limits allow.
    ///
    /// - Parameters:
    ///   - places: in order, each once. Those where nothing is are passed over.
    ///   - rules: what both sides may read. Nothing else counts: the spans are told, and where they end would tell what is hidden between.
    public init(of places: [TreePath], in tree: Subtree, within rules: RuleSet, _ reader: some NodeReader) throws {
        var readable = RuleCursor(rules)
        var rest = places[...]
        while let first = rest.popFirst(), spans.count < RecordSpans.maximumCount {
            guard readable.allows(.read, first), try tree.entry(at: first, in: reader)?.register != nil else { continue }
            var (last, count, gap) = (first, 1, 0)
            var walk = try RecordSpans.walk(after: first, tree, rules, reader)
            while gap < RecordSpans.maximumGap, !rest.isEmpty, let (path, entry) = try walk.next() {
                guard entry.register != nil, readable.allows(.read, path) else { continue }
                while let next = rest.first, next < path { rest.removeFirst() }
                if rest.first == path {
                    rest.removeFirst()
                    (last, count, gap) = (path, count + 1, 0)
                } else {
                    gap += 1
                }
            }
            if count >= RecordSpans.minimumPlaces { spans.append(first...last) }
        }
    }

    /// The registers, as they would be told of. Those that may not be read are passed over, as if they were not there.
    public func records(in tree: Subtree, within rules: RuleSet, _ reader: some NodeReader) throws -> [UInt8] {
        var readable = RuleCursor(rules)
        var bytes: [UInt8] = []
        /// Whether there was room for it.
        func add(_ path: TreePath, _ register: Register?) -> Bool {
            guard let register, readable.allows(.read, path) else { return true }
            let record = ChangeReader.record(path, register)
            guard bytes.count + record.count <= RecordSpans.maximumSize else { return false }
            bytes += record
            return true
        }
        for span in spans {
            guard add(span.lowerBound, try tree.entry(at: span.lowerBound, in: reader)?.register) else { return bytes }
            var walk = try RecordSpans.walk(after: span.lowerBound, tree, rules, reader)
            while let (path, entry) = try walk.next(), path <= span.upperBound {
                guard add(path, entry.register) else { return bytes }
            }
        }
        return bytes
    }

    private static func walk<Reader: NodeReader>(after path: TreePath, _ tree: Subtree, _ rules: RuleSet, _ reader: Reader) throws -> TreeWalk<Reader> {
        try tree.walk(after: path, in: reader, descend: { rules.mayAllow(.read, below: $0) })
    }

    // MARK: Encoding

    public func encoded() -> [UInt8] {
        var encoder = CanonicalEncoder()
        encoder.write(spans.count)
        for span in spans {
            encoder.write(span.lowerBound.description)
            encoder.write(span.upperBound.description)
        }
        return encoder.bytes
    }

    /// - Throws: unless the spans are in order and apart from each other, so that no register comes twice.
    public init(decoding bytes: [UInt8]) throws {
        var decoder = CanonicalDecoder(bytes)
        for _ in 0..<(try decoder.readCount(limit: RecordSpans.maximumCount)) {
            let (first, last) = (try RecordSpans.readPath(&decoder), try RecordSpans.readPath(&decoder))
            guard first <= last, spans.last.map({ $0.upperBound < first }) ?? true else { throw decoder.malformed("spans out of order at '\(first)'") }
            spans.append(first...last)
        }
        try decoder.finish()
    }

    private static func readPath(_ decoder: inout CanonicalDecoder) throws -> TreePath {
        let text = try decoder.readText(limit: TreePath.maximumLength)
        let path = try TreePath(text)
        guard !path.isRoot, path.length == text.utf8.count else { throw decoder.malformed("a span of no path of its own") }
        return path
    }
}
