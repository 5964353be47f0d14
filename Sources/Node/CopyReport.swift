import Access
import Content
import Foundation

/// Who holds the content of a path: the answer of `GET /sync/copies`, and, with the copies that were verified, a receipt.
public struct CopyReport: Codable, Sendable {
    public var path: String
    /// `file` or `directory`.
    public var kind: String
    /// Of a file its content hash, of a directory its root.
    public var root: String
    public var size: UInt64
    public var clusterID: String
    public var copies: [Copy]

    /// One member's word.
    public struct Copy: Codable, Sendable {
        public var nodeID: String
        public var label: String?
        public var publicKey: String
        /// Whether all of it is there.
        public var held: Bool
        /// Why not, or why that is not known.
        public var reason: String?
        public var objects: UInt64
        public var bytes: UInt64
        /// When every byte was last read from the disk and hashed, in RFC 3339; nil if that was never done.
        public var verifiedAt: String?
        /// The node's, over the lines of `message`; only where it has verified the copy for this answer.
        public var signature: String?

        enum CodingKeys: String, CodingKey {
            case label, held, reason, objects, bytes, signature
            case nodeID = "node_id"
            case publicKey = "public_key"
            case verifiedAt = "verified_at"
        }
    }

    enum CodingKeys: String, CodingKey {
        case path, kind, root, size, copies
        case clusterID = "cluster_id"
    }
}

extension CopyReport {
    /// What a node signs: that it holds the content, and has read and hashed every byte of it.
    func message(of copy: Copy) -> [UInt8] {
        var encoder = CanonicalEncoder()
        for text in ["pando copy", copy.nodeID, clusterID, path, kind, root] { encoder.write(text) }
        for number in [size, copy.objects, copy.bytes] { encoder.write(number) }
        encoder.write(copy.verifiedAt ?? "")
        return encoder.bytes
    }

    /// Why a copy's statement proves nothing; nil if the holder of the key that its node is named by has signed it.
    public func fault(of copy: Copy) -> String? {
        guard copy.held, copy.verifiedAt != nil, let signature = copy.signature.flatMap({ [UInt8](hex: $0) }) else {
            return "node \(copy.nodeID.prefix(12)) does not say that it has verified a copy"
        }
        guard let key = [UInt8](hex: copy.publicKey), NodeID(publicKey: key).description == copy.nodeID else {
            return "the public key is not that of node \(copy.nodeID.prefix(12))"
        }
        guard NodeKey.isValid(signature, for: message(of: copy), publicKey: key) else {
            return "node \(copy.nodeID.prefix(12)) has not signed this"
        }
        return nil
    }

    /// Only the copies that somebody vouches for.
    public var receipt: CopyReport {
        var receipt = self
        receipt.copies = copies.filter { fault(of: $0) == nil }
        return receipt
    }
}

/// What one node asks another about a copy: `POST /sync/copies`.
public struct CopyQuestion: Codable, Sendable {
    public var path: String
    public var kind: String
    public var root: String
    public var size: UInt64
    public var height: Int
    public var attributes: String?
    public var verify: Bool

    public init(path: String, kind: String, root: String, size: UInt64, height: Int, attributes: String?, verify: Bool) {
        self.path = path
        self.kind = kind
        self.root = root
        self.size = size
        self.height = height
        self.attributes = attributes
        self.verify = verify
    }
}
