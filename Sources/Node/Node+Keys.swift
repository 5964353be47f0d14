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
    /// - Parameters:
    ///   - expiresIn: seconds; nil for as long as the maker's key is good.
    ///   - maker: whose rights the new key cannot go beyond, and whose key it does not outlive.
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
        let granted = RuleSet(try rules.map { Access.Rule(path: try Glob(asked: $0.path), allow: Set($0.allow)) })
        if let (rule, permission) = maker.rules.firstExcess(of: granted) {
            throw NodeError(
                .forbidden, "a key cannot grant what its maker may not: \(permission.rawValue) on '\(granted.rules[rule].path)'")
        }
        let cluster = try cluster()
        let now = clock.date
        var expiry = expiresIn.map { now.addingTimeInterval($0) }
        var makerID: String?
        if case .key(let id) = maker.identity {
            guard let own = cluster.key(id, at: now), let makers = cluster.makers(of: id, at: now) else {
                throw NodeError(.unauthorized, "the maker's key was revoked or has expired")
            }
            if let end = own.expiresAt {
                guard expiry ?? end <= end else {
                    throw NodeError(.forbidden, "a key cannot be good for longer than its maker's, which expires at \(end.rfc3339)")
                }
                expiry = expiry ?? end
            }
            if !maker.rules.isUnrestricted {
                guard makers < Cluster.maximumMakers else {
                    throw NodeError(.conflict, "\(makers) keys were made one with the other before this; ask somebody with more rights")
                }
                makerID = id
            }
        }
        guard cluster.keys.count < Node.maximumKeys else {
            throw NodeError(.conflict, "the cluster has \(Node.maximumKeys) keys; revoke some first")
        }
        let key = APIKey(random: randomness.bytes(40))
        let document = ClusterDocument.Key(
            id: key.id, label: label, secretHash: key.secretHash.description,
            rules: rules.map { ClusterDocument.Key.Rule(path: $0.path, allow: $0.allow) }, createdAt: now,
            expiresAt: expiry, maker: makerID)
        try await database.setDocument(ClusterDocument.encode(document), at: ClusterDocument.key(key.id))
        return (key.text, KeyInfo(document))
    }

    public func keys() throws -> [KeyInfo] {
        try cluster().keys.values.sorted { $0.createdAt < $1.createdAt }.map(KeyInfo.init)
    }

    /// Takes a key out of use, and those that were made with it. Their tokens fail at once here, and on every member once it knows.
    public func revokeKey(_ id: String) async throws {
        let cluster = try cluster()
        guard cluster.keys[id] != nil else { throw NodeError(.notFound, "no key has the id '\(id.prefix(80))'") }
        var revoked: Set<String> = []
        var next = [id]
        while let id = next.popLast() {
            if revoked.insert(id).inserted { next += cluster.keys.values.filter { $0.maker == id }.map(\.id) }
        }
        try await database.setDocuments(revoked.sorted().map { (ClusterDocument.key($0), nil) })
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
