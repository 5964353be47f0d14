import Causality
import Content
import Crypto
import FileDatabase
import Foundation
import Merkle
import Replication

/// What a backup holds, in its first bytes. `docs/format.md`, "Backups".
///
/// A backup is a function of its description: the same description gives the same bytes, so that one that broke off is gone
/// on with from where it ends.
public struct BackupDescription: Hashable, Sendable {
    /// The state of the node that it was made from.
    public var commit: ContentHash
    /// The root of the files in it.
    public var files: ContentHash
    /// The root of the files of an earlier backup, which this one goes on from; nil for a whole one.
    public var base: ContentHash?
    /// The private key of the node, if the backup is to bring the node itself back.
    public var identity: [UInt8]?

    public init(commit: ContentHash, files: ContentHash, base: ContentHash? = nil, identity: [UInt8]? = nil) {
        self.commit = commit
        self.files = files
        self.base = base
        self.identity = identity
    }
}

extension BackupDescription {
    /// Bytes at the beginning of a backup within which its description ends.
    public static let maximumSize = 16 + 4 + 256 + ContentHash.byteCount
    static let magic: [UInt8] = Array("pando backup 1\n".utf8) + [0]
    private static let identitySize = 32

    private enum Holds {
        static let base: UInt8 = 1
        static let identity: UInt8 = 2
    }

    /// The bytes at the beginning of the backup.
    func encoded() -> [UInt8] {
        var encoder = CanonicalEncoder()
        encoder.write(byte: (base == nil ? 0 : Holds.base) | (identity == nil ? 0 : Holds.identity))
        encoder.write(commit)
        encoder.write(files)
        if let base { encoder.write(base) }
        if let identity { encoder.write(identity) }
        var bytes = BackupDescription.magic
        withUnsafeBytes(of: UInt32(encoder.bytes.count).bigEndian) { bytes.append(contentsOf: $0) }
        bytes += encoder.bytes
        return bytes + SHA256.hash(data: bytes)
    }

    /// - Parameter bytes: what stands between the length and the digest.
    init(decoding bytes: [UInt8]) throws(MalformedBytes) {
        var decoder = CanonicalDecoder(bytes)
        let holds = try decoder.readByte()
        guard holds <= Holds.base | Holds.identity else { throw decoder.malformed("description of an unknown form") }
        commit = try decoder.readHash()
        files = try decoder.readHash()
        base = holds & Holds.base == 0 ? nil : try decoder.readHash()
        identity = holds & Holds.identity == 0 ? nil : Array(bytes[try decoder.readByteString(limit: BackupDescription.identitySize)])
        try decoder.finish()
    }
}

/// Why a backup cannot be read or written, in words.
public struct BackupError: Error, Sendable, CustomStringConvertible {
    public var reason: String
    /// Whether the backup ends too early, and is whole up to there.
    public var isCutOff = false

    public init(_ reason: String, isCutOff: Bool = false) {
        self.reason = reason
        self.isCutOff = isCutOff
    }

    /// Damage at a place of the file.
    static func damaged(_ offset: UInt64, _ what: String) -> BackupError {
        BackupError("the backup is damaged at byte \(offset): \(what)")
    }

    public var description: String { reason }
}

/// The running digest over everything in a backup that its objects' own hashes do not vouch for: the description, and in order
/// the header of each object, which holds the object's hash.
struct BackupDigest {
    private var digest = SHA256()
    private(set) var objects: UInt64 = 0

    init(_ description: [UInt8]) {
        digest.update(data: description)
    }

    mutating func add(_ header: ObjectFrame.Header) {
        var bytes: [UInt8] = []
        header.encode(to: &bytes)
        digest.update(data: bytes)
        objects += 1
    }

    static let trailerSize = 8 + 8 + ContentHash.byteCount + 10
    private static let magic = Array("pando end\n".utf8)

    /// What stands behind the last object.
    ///
    /// - Parameter length: bytes before it.
    func trailer(length: UInt64) -> [UInt8] {
        var bytes: [UInt8] = []
        for number in [objects, length] { withUnsafeBytes(of: number.bigEndian) { bytes.append(contentsOf: $0) } }
        var whole = digest
        whole.update(data: bytes)
        return bytes + whole.finalize() + BackupDigest.magic
    }
}
