import Content
import Foundation
import Platform
import TestSupport
import Testing

@testable import Node

@Suite("Refresh tokens")
struct RefreshTokenTests {
    private let now = Date(timeIntervalSince1970: 1_800_000_000)
    private let later = Date(timeIntervalSince1970: 1_800_100_000)
    private let threads = BlockingThreads(count: 1, name: "test")

    private func token(_ chain: Int, _ number: Int) -> RefreshChains.Token {
        func digits(_ value: Int, _ count: Int) -> String {
            let text = String(value, radix: 16)
            return String(repeating: "0", count: count - text.count) + text
        }
        return RefreshChains.Token(chain: digits(chain, 32), secret: digits(number, 64))
    }

    private func open(_ directory: TemporaryDirectory, at time: Date? = nil, slack: Int = 4096) throws -> RefreshJournal {
        try RefreshJournal(directory: directory.path, threads: threads, now: time ?? now, slack: slack)
    }

    @Test("Only the last of a chain is good; another of it ends the chain, also after a restart")
    func reuse() async throws {
        let directory = try TemporaryDirectory()
        let journal = try open(directory)
        for chain in 1...2 {
            for number in 1...3 { try await journal.extend(token(chain, number), keyID: "k", expiresAt: later, now: now) }
        }
        #expect(try await open(directory).use(token(1, 3), now: now)?.keyID == "k")
        #expect(try await open(directory).use(token(1, 2), now: now) == nil)
        let again = try open(directory)
        #expect(try await again.use(token(1, 3), now: now) == nil)
        #expect(try await again.use(token(2, 3), now: now) != nil)
        #expect(try await again.use(token(3, 1), now: now) == nil)
    }

    @Test("A session's secret stays good until it is ended, also after a restart, and is no refresh token")
    func sessions() async throws {
        let directory = try TemporaryDirectory()
        let journal = try open(directory)
        for chain in 1...2 { try await journal.extend(token(chain, 1), keyID: "k", expiresAt: later, isSession: true, now: now) }
        for opened in [journal, try open(directory)] {
            #expect(try await opened.use(token(1, 1), now: now) == nil)
            #expect(opened.session(token(1, 2), now: now) == nil)
            #expect(opened.session(token(1, 1), now: later) == nil)
            #expect(opened.session(token(1, 1), now: now)?.keyID == "k")
        }
        try await journal.extend(token(3, 1), keyID: "k", expiresAt: later, now: now)
        #expect(journal.session(token(3, 1), now: now) == nil)
        try await journal.end(token(3, 1), now: now)
        try await journal.end(token(2, 2), now: now)
        try await journal.end(token(1, 1), now: now)
        let again = try open(directory)
        #expect(again.session(token(1, 1), now: now) == nil)
        #expect(again.session(token(2, 1), now: now) != nil)
        #expect(try await again.use(token(3, 1), now: now) != nil)
    }

    @Test("Ends in time, and is forgotten then")
    func expiry() async throws {
        let directory = try TemporaryDirectory()
        try await open(directory).extend(token(1, 1), keyID: "k", expiresAt: later, now: now)
        #expect(try await open(directory).use(token(1, 1), now: later) == nil)
        #expect(try await open(directory, at: later).use(token(1, 1), now: now) == nil)
    }

    @Test("A torn line costs itself alone, and the file stays private and free of secrets")
    func torn() async throws {
        let directory = try TemporaryDirectory()
        try await open(directory).extend(token(1, 1), keyID: "k", expiresAt: later, now: now)
        let path = directory.path + "/refresh-tokens"
        try PrivateFile.append(Array("\n0000 k 12".utf8), to: path)
        try await open(directory).extend(token(2, 1), keyID: "k", expiresAt: later, now: now)
        let journal = try open(directory)
        #expect(try await journal.use(token(1, 1), now: now) != nil)
        #expect(try await journal.use(token(2, 1), now: now) != nil)
        #expect(!String(decoding: try #require(try PrivateFile.read(path)), as: UTF8.self).contains(token(1, 1).secret))
        #expect(try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int == 0o600)
    }

    @Test("Many at once are all kept, and the file does not grow with every change")
    func bounded() async throws {
        let directory = try TemporaryDirectory()
        let journal = try open(directory, slack: 30)
        try await withThrowingTaskGroup(of: Void.self) { group in
            for chain in 0..<20 {
                group.addTask { for number in 0..<10 { try await journal.extend(token(chain, number), keyID: "k", expiresAt: later, now: now) } }
            }
            try await group.waitForAll()
        }
        let bytes = try #require(try PrivateFile.read(directory.path + "/refresh-tokens"))
        #expect(bytes.count < 100 * 130, "\(bytes.count)")
        let again = try open(directory)
        for chain in 0..<20 { #expect(try await again.use(token(chain, 9), now: now) != nil) }
        var chains = RefreshChains()
        for chain in 0..<RefreshChains.maximum + 10 { chains.extend(token(chain, 1), keyID: "k", expiresAt: later + Double(chain), now: now) }
        #expect(chains.chains.count <= RefreshChains.maximum)
        // Those that would have expired first made room.
        #expect(chains.use(token(0, 1), now: now) == nil)
        #expect(chains.use(token(RefreshChains.maximum + 9, 1), now: now) != nil)
    }
}
