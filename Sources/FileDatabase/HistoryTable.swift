import Causality
import Content
import Merkle
import Objects

/// What the history's table holds, and how its keys are made. Times are those of the commits, which ascend along the chain.
enum HistoryTable {
    enum Kind: UInt8 {
        /// The newest commit that is in the table.
        case state = 0
        /// Time -> the commit's hash and cause.
        case commit = 1
        /// Path and time -> the register that the commit gave the path.
        case register = 2
        /// Directory and time: so much below changed that the tree has to be asked what.
        case bulk = 3
        /// Directory and time: something below changed.
        case below = 4
        /// The roots of snapshots whose content is all here.
        case whole = 5
        /// As `commit`, of one that was let go while a register that it brought is still part of a kept state.
        case letGo = 6
    }

    static let state = [Kind.state.rawValue]

    static func commit(_ time: Timestamp) -> [UInt8] { key(.commit, [], time) }

    static func letGo(_ time: Timestamp) -> [UInt8] { key(.letGo, [], time) }

    /// All keys of a kind.
    static func all(_ kind: Kind) -> Range<TableKey> { TableKey([kind.rawValue])..<TableKey([kind.rawValue + 1]) }

    /// Another time in the place of a key's.
    static func key(_ key: [UInt8], at time: Timestamp) -> [UInt8] { Array(key.dropLast(8)) + timeBytes(time) }

    static func key(_ kind: Kind, _ path: TreePath, _ time: Timestamp) -> [UInt8] { key(kind, fingerprint(path), time) }

    static func whole(_ root: ContentHash) -> [UInt8] { [Kind.whole.rawValue] + root.withBytes { Array($0) } }

    /// The keys of a path whose times are in the range.
    static func keys(_ kind: Kind, _ path: TreePath, _ times: ClosedRange<Timestamp>) -> Range<TableKey> {
        let fingerprint = fingerprint(path)
        // One byte more than a key has: just behind the last.
        return TableKey(key(kind, fingerprint, times.lowerBound))..<TableKey(key(kind, fingerprint, times.upperBound) + [0])
    }

    static func commits(_ times: ClosedRange<Timestamp>) -> Range<TableKey> {
        TableKey(commit(times.lowerBound))..<TableKey(commit(times.upperBound) + [0])
    }

    static let wholes = all(.whole)

    static let allTimes = Timestamp.zero...Timestamp(rawValue: .max)

    static func time(of key: [UInt8]) -> Timestamp {
        Timestamp(rawValue: key.suffix(8).reduce(0) { $0 << 8 | UInt64($1) })
    }

    /// Paths are longer than a key may be. 16 bytes of a hash have no collisions that anybody can find, and whoever looks a
    /// path up compares what the register says with the trees where it matters.
    private static func fingerprint(_ path: TreePath) -> [UInt8] {
        ContentHash(sha256: path.description.utf8).withBytes { Array($0.prefix(16)) }
    }

    private static func key(_ kind: Kind, _ fingerprint: [UInt8], _ time: Timestamp) -> [UInt8] {
        var key = [kind.rawValue]
        key.reserveCapacity(25)
        key += fingerprint
        key += timeBytes(time)
        return key
    }

    private static func timeBytes(_ time: Timestamp) -> [UInt8] {
        stride(from: UInt64(56), through: 0, by: -8).map { UInt8(truncatingIfNeeded: time.rawValue >> $0) }
    }

    static func encode(commit hash: ContentHash, cause: String) -> [UInt8] { hash.withBytes { Array($0) } + Array(cause.utf8) }

    static func decodeCommit(_ key: [UInt8], _ value: [UInt8]) -> PastCommit? {
        guard value.count >= ContentHash.byteCount else { return nil }
        let hash = value.withUnsafeBytes { ContentHash(UnsafeRawBufferPointer(rebasing: $0[..<ContentHash.byteCount])) }
        return PastCommit(
            hash: hash, time: time(of: key), cause: String(decoding: value[ContentHash.byteCount...], as: UTF8.self))
    }

    static func encode(_ register: Register) -> [UInt8] {
        var encoder = CanonicalEncoder(reserving: 160)
        register.encode(to: &encoder)
        return encoder.bytes
    }

    static func decodeRegister(_ bytes: [UInt8]) throws -> Register {
        var decoder = CanonicalDecoder(bytes)
        let register = try Register(from: &decoder)
        try decoder.finish()
        return register
    }
}

/// A commit of this node's chain.
public struct PastCommit: Hashable, Sendable {
    public var hash: ContentHash
    public var time: Timestamp
    /// What brought it about.
    public var cause: String
}

/// What a commit changed, for the history's table.
struct CommitChanges: Sendable {
    var head: Head
    /// Every path whose register may have changed, with what it is now; nil where only the trees tell.
    var registers: [TreePath: Register]?
}
