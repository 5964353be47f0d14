import Access
import Content
import FileDatabase
import Foundation
import Merkle

/// What `/.system/` holds: JSON documents that all full members share.
enum ClusterDocument {
    struct Cluster: Codable, Sendable {
        var clusterID: String
        var createdAt: Date
    }

    struct Member: Codable, Sendable {
        var nodeID: String
        /// 64 hexadecimal digits.
        var publicKey: String
        var label: String?
        var address: String?
        var joinedAt: Date
        /// What of the files the member takes part in; nil for a full member. Every member holds it to that.
        var syncPaths: [String]?
    }

    struct Key: Codable, Sendable {
        struct Rule: Codable, Sendable {
            var path: String
            var allow: [Permission]
        }

        var id: String
        var label: String
        /// Of the secret; the secret itself is nowhere.
        var secretHash: String
        var rules: [Rule]
        var createdAt: Date
        var expiresAt: Date?
        /// The key that this one was made with, and is good no longer than; nil where it was made by somebody with all rights, whose own
        /// key may be changed for another.
        var maker: String?
    }

    static let cluster = path("cluster")
    static let members = path("members")
    static let keys = path("keys")

    static func member(_ id: NodeID) -> TreePath { members.appending(id.description) }
    static func key(_ id: String) -> TreePath { keys.appending(id) }

    private static func path(_ name: String) -> TreePath { TreePath.root.appending(name) }

    static func encode(_ document: some Encodable) throws -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        encoder.dateEncodingStrategy = .secondsSince1970
        return Array(try encoder.encode(document))
    }

    static func decode<Document: Decodable>(_ type: Document.Type, _ bytes: [UInt8]) throws -> Document {
        let decoder = JSONDecoder()
        decoder.dateDecodingStrategy = .secondsSince1970
        return try decoder.decode(type, from: Data(bytes))
    }
}

/// The cluster as one state of `/.system/` has it: read once, used for every request until the next.
struct Cluster: Sendable {
    /// The root that this was read from.
    var root: ContentHash
    var id: String?
    var members: [NodeID: ClusterDocument.Member] = [:]
    var keys: [String: ClusterDocument.Key] = [:]
    /// The documents that this was read from, which may be damaged on the disk later.
    private var read: [ContentHash: [UInt8]] = [:]

    /// What is known where the tree cannot be read: nobody is a member.
    init(unreadable root: ContentHash) { self.root = root }

    /// - Parameter known: an earlier state.
    init(_ view: TreeView, after known: Cluster? = nil) throws {
        root = view.head.commit.system.root
        do {
            if let bytes = try view.document(ClusterDocument.cluster) {
                id = try? ClusterDocument.decode(ClusterDocument.Cluster.self, bytes).clusterID
            }
        } catch let error as DatabaseError where error.code == .damaged {
            // It never changes while a node is a member.
            guard let known, known.id != nil else { throw error }
            id = known.id
        }
        func documents(in path: TreePath) throws -> [(name: String, bytes: [UInt8])] {
            try view.documents(in: path) { known?.read[$0] }.map { document in
                read[document.hash] = document.bytes
                return (document.name, document.bytes)
            }
        }
        // A document that cannot be read counts as absent: it takes rights away and never gives any.
        for (name, bytes) in try documents(in: ClusterDocument.members) {
            guard let id = NodeID(name), let member = try? ClusterDocument.decode(ClusterDocument.Member.self, bytes),
                let key = [UInt8](hex: member.publicKey), NodeID(publicKey: key) == id
            else { continue }
            members[id] = member
        }
        for (name, bytes) in try documents(in: ClusterDocument.keys) {
            guard let key = try? ClusterDocument.decode(ClusterDocument.Key.self, bytes), key.id == name else { continue }
            keys[name] = key
        }
    }
}

extension Cluster {
    /// Makers of makers of a key, at the most.
    static let maximumMakers = 16

    /// A key that is good now: neither it nor any of those that it was made with is revoked or has expired.
    func key(_ id: String, at now: Date) -> ClusterDocument.Key? {
        makers(of: id, at: now).flatMap { _ in keys[id] }
    }

    /// How many keys a key was made with, one by the other; nil if one of them, or it, is not good any more.
    func makers(of id: String, at now: Date) -> Int? {
        var (next, count): (String?, Int) = (id, -1)
        while let id = next {
            // Documents that lead in a circle end here, too.
            guard let key = keys[id], key.expiresAt.map({ $0 > now }) ?? true, count < Cluster.maximumMakers else { return nil }
            (next, count) = (key.maker, count + 1)
        }
        return count
    }
}

extension ClusterDocument.Key {
    /// The rules as they decide; a pattern that cannot be read takes all rights away.
    var ruleSet: RuleSet {
        let parsed = rules.map { rule in (try? Glob(rule.path)).map { Access.Rule(path: $0, allow: Set(rule.allow)) } }
        return parsed.contains { $0 == nil } ? RuleSet([]) : RuleSet(parsed.compactMap(\.self))
    }
}

extension [UInt8] {
    /// Reads pairs of lower-case hexadecimal digits; nil for anything else.
    public init?(hex text: String) {
        let digits = Swift.Array(text.utf8)
        guard digits.count % 2 == 0 else { return nil }
        func value(_ digit: UInt8) -> UInt8? {
            switch digit {
            case UInt8(ascii: "0")...UInt8(ascii: "9"): digit - UInt8(ascii: "0")
            case UInt8(ascii: "a")...UInt8(ascii: "f"): digit - UInt8(ascii: "a") + 10
            default: nil
            }
        }
        self = []
        for index in stride(from: 0, to: digits.count, by: 2) {
            guard let high = value(digits[index]), let low = value(digits[index + 1]) else { return nil }
            append(high << 4 | low)
        }
    }
}
