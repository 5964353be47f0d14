import Access
import Content
import FileDatabase
import Foundation
import Merkle
import Platform

/// An API key as its owner sees it: never the secret.
public struct KeyInfo: Codable, Sendable {
    public struct Rule: Codable, Sendable {
        public var path: String
        public var allow: [Permission]
    }

    public var id: String
    public var label: String
    public var rules: [Rule]
    public var createdAt: String
    public var expiresAt: String?
}

extension Node {
    /// Rules of one key; each is looked at for each path.
    public static let maximumRules = 100
    /// Keys of a cluster, which every member holds in memory.
    public static let maximumKeys = 10_000
    static let maximumLabelLength = 255

    /// Makes a key.
    ///
    /// - Parameter maker: whose rights the new key cannot go beyond.
    /// - Returns: the key, which is shown this once, and what is known of it.
    public func makeKey(
        label: String, rules: [(path: String, allow: [Permission])], expiresIn: TimeInterval?, maker: Principal
    ) async throws -> (key: String, info: KeyInfo) {
        guard label.utf8.count <= Node.maximumLabelLength else {
            throw NodeError(.invalid, "the label is longer than \(Node.maximumLabelLength) bytes")
        }
        guard !rules.isEmpty, rules.count <= Node.maximumRules else {
            throw NodeError(.invalid, "a key needs between 1 and \(Node.maximumRules) rules")
        }
        for rule in rules {
            let glob = try Glob(rule.path)
            for permission in rule.allow where !maker.rules.allowsAll(permission, below: glob.directory) {
                throw NodeError(.forbidden, "a key cannot grant what its maker may not: \(permission.rawValue) on '\(rule.path)'")
            }
        }
        guard try cluster().keys.count < Node.maximumKeys else {
            throw NodeError(.conflict, "the cluster has \(Node.maximumKeys) keys; revoke some first")
        }
        let key = APIKey(random: randomness.bytes(40))
        let now = clock.date
        let document = ClusterDocument.Key(
            id: key.id, label: label, secretHash: key.secretHash.description,
            rules: rules.map { ClusterDocument.Key.Rule(path: $0.path, allow: $0.allow) }, createdAt: now,
            expiresAt: expiresIn.map { now.addingTimeInterval($0) })
        try await database.setDocument(ClusterDocument.encode(document), at: ClusterDocument.key(key.id))
        return (key.text, KeyInfo(document))
    }

    public func keys() throws -> [KeyInfo] {
        try cluster().keys.values.sorted { $0.createdAt < $1.createdAt }.map(KeyInfo.init)
    }

    /// Takes a key out of use. Its tokens fail at once here, and on every member once it knows.
    public func revokeKey(_ id: String) async throws {
        guard try cluster().keys[id] != nil else { throw NodeError(.notFound, "no key has the id '\(id.prefix(80))'") }
        try await database.setDocument(nil, at: ClusterDocument.key(id))
    }
}

extension KeyInfo {
    init(_ key: ClusterDocument.Key) {
        id = key.id
        label = key.label
        rules = key.rules.map { Rule(path: $0.path, allow: $0.allow) }
        createdAt = key.createdAt.rfc3339
        expiresAt = key.expiresAt?.rfc3339
    }
}
