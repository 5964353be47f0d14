import Content
import FileDatabase
import Logging
import Merkle
import Objects
import Platform
import Replication
import Synchronization

/// Objects that are damaged or gone here come back from whichever peer has them. A hash says what the bytes have to be, so it does not
/// matter who sends them.
extension Node {
    /// Hashes of one request.
    private static let fetchedTogether = 1024
    /// Hashes that one line of the log names.
    private static let named = 5
    /// How long somebody who waits has to wait for peers that were lost a moment ago, and how long that is, in microseconds.
    private static let comeback: UInt64 = 3_000_000
    private static let lostLately: UInt64 = 30_000_000
    /// What nobody had is not asked for again by requests for so long, in microseconds.
    private static let patience: UInt64 = 30_000_000
    private static let maximumSought = 10_000

    /// Brings back what an error says is damaged or missing, from peers that are in touch or soon will be.
    /// - Returns: whether it is worth to try again what has failed.
    public func mend(after error: any Error) async -> Bool {
        let hashes = Node.damage(in: error)
        let now = clock.monotonicMicroseconds()
        let isNew = soughtInVain.withLock { sought in hashes.contains { sought[$0].map { now > $0 + Node.patience } ?? true } }
        guard isNew else { return false }
        return await mend(hashes, isUrgent: true).isEmpty
    }

    /// Brings back objects that are damaged or missing, and writes them anew.
    ///
    /// - Parameter isUrgent: whether somebody waits, so that only peers are asked that are in touch or come back within
    ///   three seconds.
    /// - Returns: those that no peer has, or that could not be written.
    @discardableResult
    func mend(_ hashes: [ContentHash], isUrgent: Bool = false) async -> Set<ContentHash> {
        // What many requests run into is fetched once.
        await mending.run {
            let wanted = await stillLacking(hashes)
            var lacking = await fetchAnew(wanted, onlyActive: isUrgent) { self.noteHealed($0, by: $1) }
            let deadline = clock.monotonicMicroseconds() + Node.comeback
            while isUrgent, !lacking.isEmpty, await somebodyReturns(before: deadline) {
                lacking = await fetchAnew(Array(lacking), onlyActive: true) { self.noteHealed($0, by: $1) }
            }
            let now = clock.monotonicMicroseconds()
            soughtInVain.withLock { sought in
                if sought.count + lacking.count > Node.maximumSought { sought = [:] }
                for hash in wanted { sought[hash] = lacking.contains(hash) ? now : nil }
            }
            if !lacking.isEmpty { askForPartsAnew() }
            return lacking
        }
    }

    /// Those that are not here, or damaged.
    func stillLacking(_ hashes: [ContentHash]) async -> [ContentHash] {
        let known = try? await database.threads.run { [store = database.store] in try store.missing(among: hashes) }
        return known ?? hashes
    }

    /// Fetches objects by their hashes from full members, those first that are in touch, and stores them.
    ///
    /// - Parameters:
    ///   - link: a peer that is known not to have them.
    ///   - note: told what came from whom.
    /// - Returns: those that nobody has.
    func fetchAnew(
        _ hashes: [ContentHash], besides link: PeerLink? = nil, onlyActive: Bool = false, note: ([ContentHash], PeerLink) -> Void = { _, _ in }
    ) async -> Set<ContentHash> {
        var lacking = hashes
        let links = helpers().filter { $0 !== link }.map { (link: $0, isActive: $0.state.withLock { $0.phase == .active }) }
        for (link, isActive) in links.sorted(by: { $0.isActive && !$1.isActive }) where isActive || !onlyActive {
            if lacking.isEmpty || Task.isCancelled { break }
            do {
                let left = try await meetAndFetch(lacking, from: link)
                let found = lacking.filter { !left.contains($0) }
                if !found.isEmpty { note(found, link) }
                lacking = lacking.filter { left.contains($0) }
            } catch {
                logger.debug("a peer cannot help", metadata: ["peer": "\(link.name)", "reason": "\(Node.words(error))"])
            }
        }
        return Set(lacking)
    }

    /// Peers that may be asked for objects by hash: a hash of what it may not see is nothing for a partial member.
    private func helpers() -> [PeerLink] {
        allLinks().filter { $0.apiKey == nil && (try? isPartial($0)) != true }
    }

    /// Calls peers that were lost, and waits for the first that is in touch again.
    private func somebodyReturns(before deadline: UInt64) async -> Bool {
        let now = clock.monotonicMicroseconds()
        let lost = helpers().filter { link in
            link.state.withLock { state in state.phase != .active && state.lastBeat.map { now < $0 + Node.lostLately } ?? false }
        }
        for link in lost where link.state.withLock({ $0.phase == .disconnected }) { link.wake.ring() }
        while !lost.isEmpty, !Task.isCancelled, clock.monotonicMicroseconds() < deadline {
            if lost.contains(where: { $0.state.withLock { $0.phase == .active } }) { return true }
            try? await clock.wait(.milliseconds(20))
        }
        return false
    }

    /// - Returns: those that the peer does not have.
    private func meetAndFetch(_ hashes: [ContentHash], from link: PeerLink) async throws -> Set<ContentHash> {
        // Whoever cannot read who the members are may still take from them what a hash vouches for.
        let mustBeMember = (try? cluster()) != nil
        try await meet(link, mustBeMember: mustBeMember)
        do {
            return try await fetch(hashes, from: link)
        } catch let error as NodeError where error.code == .conflict {
            // A peer that was restarted has forgotten this node's heartbeats.
            link.state.withLock { $0.lastBeat = nil }
            do {
                try await meet(link, mustBeMember: mustBeMember)
            } catch {
                // Whoever keeps in touch with it finds out by itself.
                enter(.active, link, reason: nil)
                throw error
            }
            return try await fetch(hashes, from: link)
        }
    }

    /// - Returns: those that the peer does not have.
    private func fetch(_ hashes: [ContentHash], from link: PeerLink) async throws -> Set<ContentHash> {
        var lacking = hashes
        for route in ["/sync/nodes", "/sync/chunks"] where !lacking.isEmpty {
            var absent: [ContentHash] = []
            for start in stride(from: 0, to: lacking.count, by: Node.fetchedTogether) {
                let batch = Array(lacking[start..<min(start + Node.fetchedTogether, lacking.count)])
                absent += try await ObjectFetch(node: self, link: link, isRepair: true).objects(batch, route).absent
            }
            lacking = absent
        }
        return Set(lacking)
    }

    private func noteHealed(_ hashes: [ContentHash], by link: PeerLink) {
        careRecord.note { $0.healed += UInt64(hashes.count) }
        let names = hashes.prefix(Node.named).map(\.description).joined(separator: " ") + (hashes.count > Node.named ? " ..." : "")
        logger.notice("healed damaged objects", metadata: ["objects": "\(hashes.count)", "peer": "\(link.name)", "hashes": "\(names)"])
    }

    /// Nothing is had by hash where only a part is shown. There everything is told anew at the next sync, and what is lacking of it
    /// comes by its place.
    private func askForPartsAnew() {
        for link in allLinks() where link.state.withLock({ $0.isScoped }) {
            link.state.withLock { $0.scoped = [.files: ScopedState(), .system: ScopedState()] }
            link.announce(nil)
        }
    }

    /// The objects that an operation failed for the want of.
    static func damage(in error: any Error) -> [ContentHash] {
        switch error {
        case let error as DatabaseError where error.code == .damaged: error.missing
        case let error as StoreError where error.code == .damaged || error.code == .missing: error.hash.map { [$0] } ?? []
        case let error as MissingNode: [error.hash]
        default: []
        }
    }
}

extension Node {
    /// Reads a file's bytes, or a range of them, and goes on where a damaged object has come back from a peer.
    public func read(_ content: FileContent, _ range: Range<UInt64>, _ take: (ArraySlice<UInt8>) async throws -> Void) async throws {
        var position = range.lowerBound
        var mended: Set<ContentHash> = []
        while true {
            do {
                for try await piece in database.bytes(of: content, position..<range.upperBound) {
                    try await take(piece)
                    position += UInt64(piece.count)
                }
                return
            } catch {
                // Each object once: one that is damaged again at once has a disk to blame.
                let damage = Node.damage(in: error)
                guard mended.isDisjoint(with: damage), await mend(after: error) else { throw error }
                mended.formUnion(damage)
            }
        }
    }
}
