import Access
import Content
import FileDatabase
import Merkle
import Objects
import Replication

/// A record on its way.
public struct OutgoingRecord: Sendable {
    public var bytes: [UInt8]
    /// Where the receiver has most of what is in it, if it has.
    public var source: TreePath?

    public init(bytes: [UInt8], source: TreePath?) {
        self.bytes = bytes
        self.source = source
    }
}

/// The registers that both sides of an exchange have, for packing records after them: what is deleted or moves is there already, hash and all.
public struct SharedRegisters: Sendable {
    /// Blocks of one message that may have a prefix: each costs whoever unpacks it a walk through a part of a tree.
    static let maximumPrefixes = 4

    private let tree: Subtree
    private let rules: RuleSet
    private let view: TreeView

    /// - Parameters:
    ///   - tree: what the side that may not see everything has been told, or more.
    ///   - rules: what that side may read. Nothing else is looked at: a caller could have hidden hashes copied into a record of its own, or find
    ///     out by what does not unpack what is there.
    ///   - view: of the database that the tree is in.
    public init(_ tree: Subtree, readableBy rules: RuleSet, in view: TreeView) {
        self.tree = tree
        self.rules = rules
        self.view = view
    }

    /// A message in blocks that begin with a record each. Blocks the thread.
    public func pack(head: [UInt8], _ records: [OutgoingRecord], end: [UInt8]) -> [UInt8] {
        var packed: [UInt8] = []
        var raw = head
        var sources: Set<TreePath> = []
        var prefixes = 0
        func close() {
            // What cannot be read there is found by whoever needs it.
            if prefixes < SharedRegisters.maximumPrefixes, let prefix = try? prefix(of: sources.sorted()) {
                prefixes += 1
                packed += PackedRecords.pack(raw, after: prefix)
            } else {
                packed += PackedRecords.pack(raw)
            }
            raw = []
            sources = []
        }
        for record in records {
            if raw.count + record.bytes.count + end.count > PackedRecords.maximumBlock { close() }
            raw += record.bytes
            if let source = record.source { sources.insert(source) }
        }
        raw += end
        close()
        return packed
    }

    private func prefix(of sources: [TreePath]) throws -> PackedPrefix? {
        let spans = try RecordSpans(of: sources, in: tree, within: rules, view.reader)
        return spans.isEmpty ? nil : PackedPrefix(recipe: spans.encoded(), bytes: try spans.records(in: tree, within: rules, view.reader))
    }

    /// What a block with this recipe was packed after, if both sides still have the same. Blocks the thread.
    ///
    /// - Throws: what is wrong with the recipe; `PrefixMismatch` where not all of it can be read.
    func prefix(_ recipe: [UInt8]) throws -> [UInt8] {
        let spans = try RecordSpans(decoding: recipe)
        do {
            return try spans.records(in: tree, within: rules, view.reader)
        } catch {
            throw PrefixMismatch()
        }
    }

    /// The message of some blocks that are all here. Blocks the thread.
    ///
    /// - Parameter limit: the most bytes that it may have.
    /// - Throws: `PrefixMismatch` if what is here is not what the sender thinks.
    public func unpack(_ packed: [UInt8], limit: Int) throws -> [UInt8] {
        var prefixes = 0
        return try PackedRecords.unpack(packed, limit: limit) { recipe in
            prefixes += 1
            guard prefixes <= SharedRegisters.maximumPrefixes else { throw MalformedBytes("packed records after more prefixes than are taken") }
            return try prefix(recipe)
        }
    }
}
