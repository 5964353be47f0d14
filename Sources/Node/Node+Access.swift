import Access
import Content
import FileDatabase
import Foundation
import Merkle
import Platform
import Synchronization

/// A token and what renews it.
public struct TokenGrant: Sendable {
    public var token: String
    public var expiresAt: Date
    public var refreshToken: String
}

/// Tokens that were checked lately.
struct Sessions {
    struct Checked {
        var claims: TokenClaims
        var principal: Principal
        /// The state of `/.system/` that the rights were read from.
        var root: ContentHash
    }

    static let maximumChecked = 10_000

    var checked: [ContentHash: Checked] = [:]
}

/// Who has shown wrong keys, and until when they wait.
struct WrongGuesses {
    /// Guesses that cost nothing: people mistype.
    static let free = 5
    static let maximumWait = 300.0
    /// Clients remembered; with more, all are forgotten, which is cheaper for us than for them.
    static let maximumClients = 10_000

    private var clients: [String: (count: Int, until: Date)] = [:]

    func wait(for client: String, now: Date) -> Int? {
        guard let known = clients[client], known.until > now else { return nil }
        return max(1, Int(known.until.timeIntervalSince(now).rounded(.up)))
    }

    mutating func note(_ client: String, now: Date) {
        if clients.count >= WrongGuesses.maximumClients { clients = [:] }
        let count = (clients[client]?.count ?? 0) + 1
        let wait = count < WrongGuesses.free ? 0 : min(pow(2, Double(count - WrongGuesses.free)), WrongGuesses.maximumWait)
        clients[client] = (count, now.addingTimeInterval(wait))
    }

    mutating func forgive(_ client: String) {
        clients[client] = nil
    }
}

extension Node {
    private static let refreshLifetime: TimeInterval = 30 * 24 * 3600

    /// Who holds this token, and what they may do.
    ///
    /// - Throws: `NodeError(.unauthorized)` for a token that is broken, expired, of another cluster, of a revoked key or
    ///   of a removed member.
    public func authenticate(_ token: String) async throws -> Principal { try await check(token).principal }

    /// What a token says, and what its holder may do.
    func check(_ token: String) async throws -> Sessions.Checked {
        let cluster = try cluster()
        let now = Int64(clock.date.timeIntervalSince1970)
        let name = ContentHash(sha256: token.utf8)
        if let known = sessions.withLock({ $0.checked[name] }) {
            guard known.claims.exp > now else { throw NodeError(.unauthorized, "the token has expired; get a new one") }
            if known.root == cluster.root { return known }
        }
        let signed = SignedToken(token)
        guard let signed, let claims = Tokens.verify(signed, publicKey: { cluster.members[$0].flatMap { [UInt8](hex: $0.publicKey) } }) else {
            if let issuer = signed?.issuer, try wasRemoved(issuer) {
                throw NodeError(.unauthorized, "node \(issuer.short), which signed the token, was removed from this cluster")
            }
            throw NodeError(.unauthorized, "the token is not one that a member of this cluster has signed")
        }
        guard claims.exp > now else { throw NodeError(.unauthorized, "the token has expired; get a new one") }
        // Compared with sums that cannot overflow: a member may sign any numbers.
        guard claims.iat <= now + TokenClaims.leeway, claims.iat > now - TokenClaims.userLifetime - TokenClaims.leeway,
            claims.exp <= claims.iat + TokenClaims.userLifetime
        else {
            throw NodeError(.unauthorized, "the token is not valid yet, or for too long; check the clocks")
        }
        return try note(name, claims, cluster)
    }

    /// Takes note of a token whose signature is right.
    @discardableResult
    private func note(_ name: ContentHash, _ claims: TokenClaims, _ cluster: Cluster) throws -> Sessions.Checked {
        let checked = Sessions.Checked(claims: claims, principal: try principal(claims, cluster), root: cluster.root)
        sessions.withLock { sessions in
            if sessions.checked.count >= Sessions.maximumChecked { sessions.checked = [:] }
            sessions.checked[name] = checked
        }
        return checked
    }

    private func principal(_ claims: TokenClaims, _ cluster: Cluster) throws -> Principal {
        switch claims.kind {
        case .node:
            guard let node = NodeID(claims.sub), claims.iss == claims.sub, claims.aud == id.description,
                claims.exp <= claims.iat + TokenClaims.nodeLifetime
            else { throw NodeError(.unauthorized, "the node's token is not meant for this node") }
            return principal(of: node, cluster)
        case .user where claims.sub == TokenClaims.owner:
            guard claims.iss == id.description, claims.aud == id.description else {
                throw NodeError(.unauthorized, "an owner's token is good on the owner's node only")
            }
            return Principal(identity: .owner, rules: .everything)
        case .user:
            guard claims.aud == cluster.id else { throw NodeError(.unauthorized, "the token is of another cluster") }
            guard claims.iss == id.description || NodeID(claims.iss).map({ speaksForKeys($0, cluster) }) == true else {
                throw NodeError(.unauthorized, "the token is signed by a member of only a part of the files; get one here")
            }
            guard var principal = principal(ofHolder: claims.sub, cluster) else {
                throw NodeError(.unauthorized, "the token's key was revoked or has expired")
            }
            if let node = claims.node {
                // The proof was shown to the issuer, which others need not believe.
                guard claims.iss == id.description, let node = NodeID(node) else {
                    throw NodeError(.unauthorized, "a token that speaks for a node is good where the node's key was shown; get one here")
                }
                principal.node = node
            }
            return principal
        }
    }

    /// Whether another member's word counts for who holds a key. Members of a part see no keys, so none has shown them one; and they, who may
    /// not have been told which others are such, believe nobody.
    private func speaksForKeys(_ issuer: NodeID, _ cluster: Cluster) -> Bool {
        guard let member = cluster.members[issuer], member.syncPaths == nil else { return false }
        return cluster.members[id]?.syncPaths == nil
    }

    /// What a person may do: the holder of a key, or the owner of the data directory; nil for a key that is not good any more.
    func principal(ofHolder holder: String, _ cluster: Cluster) -> Principal? {
        if holder == TokenClaims.owner { return Principal(identity: .owner, rules: .everything) }
        guard let key = cluster.key(holder, at: clock.date) else { return nil }
        return Principal(identity: .key(key.id), rules: key.ruleSet)
    }

    /// Who holds this token or API key. For programs that cannot exchange the one for the other.
    public func authenticate(keyOrToken text: String, client: String) async throws -> Principal {
        guard APIKey(text) != nil else { return try await authenticate(text) }
        let key = try checkedKey(text, try cluster(), client: client, now: clock.date)
        return Principal(identity: .key(key.id), rules: key.ruleSet)
    }

    /// The key that a user's text is. Who shows wrong ones waits.
    func checkedKey(_ text: String, _ cluster: Cluster, client: String, now: Date) throws -> ClusterDocument.Key {
        guard let key = key(text, cluster, now: now) else {
            // Only the wrong wait: a key is too long to guess, and many people may share an address.
            if let wait = guesses.withLock({ $0.wait(for: client, now: now) }) {
                throw NodeError(.tooManyRequests, "too many wrong keys; wait \(wait) seconds", retryAfter: wait)
            }
            guesses.withLock { $0.note(client, now: now) }
            throw NodeError(.unauthorized, "the API key is unknown, revoked or expired")
        }
        guesses.withLock { $0.forgive(client) }
        return key
    }

    /// Exchanges an API key for a token.
    ///
    /// - Parameter proof: shows that the holder also holds a node's key; the token then speaks for that node.
    public func grant(apiKey: String, proof: ClientProof? = nil, client: String) async throws -> TokenGrant {
        let cluster = try cluster()
        let now = clock.date
        let key = try checkedKey(apiKey, cluster, client: client, now: now)
        let node = proof?.node(keyID: key.id, receiver: id, now: Int64(clamping: clock.wallMicroseconds()))
        if proof != nil, node == nil {
            throw NodeError(.unauthorized, "the signature is not the node key's, for this key and node, within a minute of /sync/identity's time")
        }
        return try await grant(key, node, cluster, chain: randomness.name(), now: now)
    }

    /// Exchanges a refresh token for a new pair. One that was used before ends its whole chain.
    public func grant(refreshToken: String, client: String) async throws -> TokenGrant {
        let cluster = try cluster()
        let now = clock.date
        if let wait = guesses.withLock({ $0.wait(for: client, now: now) }) {
            throw NodeError(.tooManyRequests, "too many wrong tokens; wait \(wait) seconds", retryAfter: wait)
        }
        let token = RefreshChains.Token(refreshToken)
        let known: RefreshChains.Chain? = if let token { try await refreshTokens.use(token, now: now) } else { nil }
        guard let token, let known, let key = cluster.key(known.keyID, at: now) else {
            guesses.withLock { $0.note(client, now: now) }
            throw NodeError(.unauthorized, "the refresh token is unknown, was used before, or its key is gone; use the API key again")
        }
        // Not for a node: who is one shows its key anew.
        return try await grant(key, nil, cluster, chain: token.chain, now: now)
    }

    /// The key that a user's text is, if it is one of the cluster's.
    func key(_ text: String, _ cluster: Cluster, now: Date) -> ClusterDocument.Key? {
        guard let shown = APIKey(text), let key = cluster.key(shown.id, at: now),
            let hash = ContentHash(key.secretHash), hash == shown.secretHash
        else { return nil }
        return key
    }

    private func grant(
        _ apiKey: ClusterDocument.Key, _ node: NodeID?, _ cluster: Cluster, chain: String, now: Date
    ) async throws -> TokenGrant {
        guard let clusterID = cluster.id else { throw NodeError(.unavailable, "this node belongs to no cluster yet") }
        let seconds = Int64(now.timeIntervalSince1970)
        // A token does not outlive its key.
        let expiry = min(seconds + TokenClaims.userLifetime, apiKey.expiresAt.map { Int64($0.timeIntervalSince1970) } ?? .max)
        let claims = TokenClaims(
            iss: id.description, sub: apiKey.id, aud: clusterID, kind: .user, iat: seconds, exp: expiry,
            jti: randomness.name(), node: node?.description)
        let refresh = RefreshChains.Token(chain: chain, secret: randomness.bytes(32).hex)
        try await refreshTokens.extend(refresh, keyID: apiKey.id, expiresAt: now.addingTimeInterval(Node.refreshLifetime), now: now)
        let token = try await Tokens.sign(claims, with: key)
        // Its own signature a node need not check.
        try note(ContentHash(sha256: token.utf8), claims, cluster)
        return TokenGrant(
            token: token, expiresAt: Date(timeIntervalSince1970: TimeInterval(claims.exp)),
            refreshToken: refresh.text)
    }
}
