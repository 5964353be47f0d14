import Foundation
import Platform
import Synchronization

/// The refresh tokens and sessions in their file, which is added to at each change and written anew now and then.
final class RefreshJournal: Sendable {
    private struct State {
        var chains: RefreshChains
        /// Lines that are in the file.
        var lines: Int
        /// Lines that are not in the file yet.
        var pending = ""
        var pendingLines = 0
    }

    private let path: String
    /// The file is written anew when it has this many lines more than there are chains.
    private let slack: Int
    private let threads: BlockingThreads
    private let state: Mutex<State>
    /// One writes for all who wait.
    private let writing = Turn()

    /// Blocks.
    init(directory: String, threads: BlockingThreads, now: Date, slack: Int = 4096) throws {
        self.slack = slack
        path = directory + "/refresh-tokens"
        self.threads = threads
        let (chains, lines) = RefreshChains.read(try PrivateFile.read(path) ?? [], now: now)
        state = Mutex(State(chains: chains, lines: lines))
    }

    /// Makes a token the good one of its chain; durable on return.
    func extend(_ token: RefreshChains.Token, keyID: String, expiresAt: Date, isSession: Bool = false, now: Date) async throws {
        state.withLock { state in
            state.chains.extend(token, keyID: keyID, expiresAt: expiresAt, isSession: isSession, now: now)
            note(token.chain, &state)
        }
        try await write()
    }

    /// The session whose secret this is; nil if it is none.
    func session(_ token: RefreshChains.Token, now: Date) -> RefreshChains.Chain? { state.withLock { $0.chains.session(token, now: now) } }

    /// Ends a session; also after a restart.
    func end(_ session: RefreshChains.Token, now: Date) async throws {
        let isKnown = state.withLock { state in
            guard state.chains.session(session, now: now) != nil else { return false }
            state.chains.end(session)
            note(session.chain, &state)
            return true
        }
        if isKnown { try await write() }
    }

    /// The chain whose good token this is; nil if it is none.
    func use(_ token: RefreshChains.Token, now: Date) async throws -> RefreshChains.Chain? {
        let (chain, isEnded) = state.withLock { state in
            let wasKnown = state.chains.chains[token.chain] != nil
            let chain = state.chains.use(token, now: now)
            if chain == nil, wasKnown { note(token.chain, &state) }
            return (chain, chain == nil && wasKnown)
        }
        // That a chain has ended must hold after a restart too.
        if isEnded { try await write() }
        return chain
    }

    private func note(_ chain: String, _ state: inout State) {
        state.pending += RefreshChains.line(chain, state.chains.chains[chain])
        state.pendingLines += 1
    }

    private func write() async throws {
        try await writing.run {
            let (text, lines, isLong) = state.withLock { state in
                defer {
                    state.pending = ""
                    state.pendingLines = 0
                }
                return (state.pending, state.pendingLines, state.lines > state.chains.chains.count + slack)
            }
            // Whoever waited longer may have written it.
            guard lines > 0 else { return }
            do {
                try await threads.run { try isLong ? self.rewrite() : self.append(text, lines) }
            } catch {
                // Those who wait for the same lines try again, and fail by themselves.
                state.withLock { state in
                    state.pending = text + state.pending
                    state.pendingLines += lines
                }
                throw error
            }
        }
    }

    private func append(_ text: String, _ lines: Int) throws {
        try PrivateFile.append(Array(text.utf8), to: path)
        state.withLock { $0.lines += lines }
    }

    private func rewrite() throws {
        let chains = state.withLock { $0.chains }
        try PrivateFile.write(chains.journal, to: path)
        state.withLock { $0.lines = chains.chains.count }
    }
}
