import Causality
import Content
import Merkle

/// A state of the whole database, and where it came from.
public struct Commit: Hashable, Sendable {
    /// The users' tree.
    public var files: Subtree
    /// The cluster's own tree, `/.system/`, which only full members hold.
    public var system: Subtree
    /// The commits that this one follows; the first is this node's previous one.
    public var parents: [ContentHash]
    public var actor: Actor
    /// Not before any version that this node wrote up to here.
    public var time: Timestamp
    /// What brought it about, in a few words.
    public var cause: String

    private static let layout: UInt8 = 1
    static let maximumParents = 16
    static let maximumCauseLength = 1024

    public func encoded() -> [UInt8] {
        var encoder = CanonicalEncoder(reserving: 256)
        encoder.write(byte: Commit.layout)
        for tree in [files, system] { tree.encode(to: &encoder) }
        encoder.write(parents.count)
        for parent in parents { encoder.write(parent) }
        encoder.write(actor.node.hash)
        encoder.write(UInt64(actor.incarnation))
        encoder.write(time.rawValue)
        encoder.write(cause)
        return encoder.bytes
    }

    public init(decoding bytes: [UInt8]) throws(MalformedBytes) {
        var decoder = CanonicalDecoder(bytes)
        guard try decoder.readByte() == Commit.layout else { throw decoder.malformed("commit of an unknown layout") }
        files = try Subtree(from: &decoder)
        system = try Subtree(from: &decoder)
        parents = []
        for _ in 0..<(try decoder.readCount(limit: Commit.maximumParents)) { parents.append(try decoder.readHash()) }
        let node = NodeID(try decoder.readHash())
        guard let incarnation = UInt32(exactly: try decoder.readInteger()) else { throw decoder.malformed("incarnation over 32 bits") }
        actor = Actor(node: node, incarnation: incarnation)
        time = Timestamp(rawValue: try decoder.readInteger())
        cause = try decoder.readText(limit: Commit.maximumCauseLength)
        try decoder.finish()
    }

    init(files: Subtree, system: Subtree, parents: [ContentHash], actor: Actor, time: Timestamp, cause: String) {
        self.files = files
        self.system = system
        self.parents = parents
        self.actor = actor
        self.time = time
        self.cause = cause
    }
}

/// A commit and its name.
public struct Head: Hashable, Sendable {
    /// Nil before the first commit.
    public var hash: ContentHash?
    public var commit: Commit

    public subscript(tree: Tree) -> Subtree {
        switch tree {
        case .files: commit.files
        case .system: commit.system
        }
    }
}

/// The two trees of a database.
public enum Tree: String, Sendable, CaseIterable {
    case files
    case system
}
