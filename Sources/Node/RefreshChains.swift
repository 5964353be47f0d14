import Content
import Foundation

/// The refresh tokens that are out: for each exchange of an API key, a chain of which only the last token is good.
///
/// A token names its chain and has a secret; only the secret's hash is kept. Whoever shows a chain with another secret than its
/// last has a token that was used before, and the chain ends: either they or the one before them stole it.
///
/// A browser's session stands among them: its secret stays the same, since all tabs share it and no script can read it, and it is
/// good for nothing else.
struct RefreshChains: Sendable {
    struct Chain: Hashable, Sendable {
        var keyID: String
        /// Of the secret of the token that is good.
        var secretHash: ContentHash
        var expiresAt: Date
        var isSession = false
    }

    /// A token as its holder shows it: `pandor_CHAIN_SECRET`, with 32 and 64 hexadecimal digits; of a session `pandos_…`.
    struct Token {
        var chain: String
        var secret: String

        init(chain: String, secret: String) {
            self.chain = chain
            self.secret = secret
        }

        init?(_ text: String, isSession: Bool = false) {
            let parts = text.split(separator: "_", omittingEmptySubsequences: false)
            guard parts.count == 3, parts[0] == (isSession ? "pandos" : "pandor"), parts[1].utf8.count == 32, parts[2].utf8.count == 64 else { return nil }
            self.init(chain: String(parts[1]), secret: String(parts[2]))
        }

        var text: String { "pandor_\(chain)_\(secret)" }
        var sessionText: String { "pandos_\(chain)_\(secret)" }
        var secretHash: ContentHash { ContentHash(sha256: secret.utf8) }
    }

    /// Chains at once; with more, those that would expire first end. Each has some two hundred bytes.
    static let maximum = 10_000

    private(set) var chains: [String: Chain] = [:]

    /// Makes a token the good one of its chain.
    mutating func extend(_ token: Token, keyID: String, expiresAt: Date, isSession: Bool = false, now: Date) {
        if chains[token.chain] == nil, chains.count >= RefreshChains.maximum { makeRoom(now) }
        chains[token.chain] = Chain(keyID: keyID, secretHash: token.secretHash, expiresAt: expiresAt, isSession: isSession)
    }

    /// The session whose secret this is; nil if it is none.
    func session(_ token: Token, now: Date) -> Chain? {
        guard let chain = chains[token.chain], chain.isSession, chain.secretHash == token.secretHash, chain.expiresAt > now else { return nil }
        return chain
    }

    /// Ends a session.
    mutating func end(_ session: Token) { chains[session.chain] = nil }

    /// The chain whose good token this is; nil if it is none, which ends the chain that it names.
    mutating func use(_ token: Token, now: Date) -> Chain? {
        guard let chain = chains[token.chain], !chain.isSession else { return nil }
        if chain.secretHash == token.secretHash, chain.expiresAt > now { return chain }
        chains[token.chain] = nil
        return nil
    }

    private mutating func makeRoom(_ now: Date) {
        chains = chains.filter { $0.value.expiresAt > now }
        guard chains.count >= RefreshChains.maximum else { return }
        // A tenth at once, so that this is seldom.
        for (name, _) in chains.sorted(by: { $0.value.expiresAt < $1.value.expiresAt }).prefix(RefreshChains.maximum / 10) { chains[name] = nil }
    }
}

// MARK: - In a file

extension RefreshChains {
    /// One line of the journal: what a chain is from then on.
    static func line(_ name: String, _ chain: Chain?) -> String {
        guard let chain else { return "\n\(name) ended\n" }
        let seconds = Int64(chain.expiresAt.timeIntervalSince1970)
        return "\n\(name) \(chain.keyID) \(chain.secretHash) \(seconds)\(chain.isSession ? " session" : "")\n"
    }

    /// Reads a journal. What a crash or a full disk has torn is passed over; each line begins anew.
    /// - Returns: the chains, and the number of lines that told of them.
    static func read(_ bytes: [UInt8], now: Date) -> (chains: RefreshChains, lines: Int) {
        var result = RefreshChains()
        var count = 0
        for line in bytes.split(separator: UInt8(ascii: "\n")) {
            count += 1
            let words = String(decoding: line, as: UTF8.self).split(separator: " ").map(String.init)
            if words.count == 2, words[1] == "ended" { result.chains[words[0]] = nil }
            let isSession = words.count == 5 && words[4] == "session"
            guard words.count == 4 || isSession, let hash = ContentHash(words[2]), let seconds = Int64(words[3]) else { continue }
            result.chains[words[0]] = Chain(
                keyID: words[1], secretHash: hash, expiresAt: Date(timeIntervalSince1970: TimeInterval(seconds)), isSession: isSession)
        }
        result.chains = result.chains.filter { $0.value.expiresAt > now }
        return (result, count)
    }

    /// A journal that tells of these chains and nothing else.
    var journal: [UInt8] { Array(chains.map { RefreshChains.line($0.key, $0.value) }.joined().utf8) }
}
