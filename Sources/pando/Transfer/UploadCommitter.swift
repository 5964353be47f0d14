import HTTPClient

/// Commits what has arrived: in order, one commit at a time, each with all that became ready during the one before.
actor UploadCommitter {
    /// So many writes may wait for a slow node before reading pauses.
    private static let maximumBacklog = 16_384

    private let client: PandoClient
    private let progress: Progress
    private let freeSlot: @Sendable () -> Void

    private var outcome = Upload.Outcome()
    private var next = 0
    private var early: [Int: [UploadWrite]] = [:]
    private var ready: [UploadWrite] = []
    private var isCommitting = false
    private var owedSlots = 0

    init(_ client: PandoClient, progress: Progress, freeSlot: @escaping @Sendable () -> Void) {
        self.client = client
        self.progress = progress
        self.freeSlot = freeSlot
    }

    /// A batch is with the node.
    func arrived(_ number: Int, _ writes: [UploadWrite]) async throws {
        early[number] = writes
        while let writes = early.removeValue(forKey: next) {
            ready += writes
            next += 1
        }
        owedSlots += 1
        payDebts()
        // One task commits for all; the others go on.
        if !isCommitting { try await commitReady() }
    }

    /// Commits the rest.
    func finish() async throws -> Upload.Outcome {
        precondition(early.isEmpty && !isCommitting, "all batches have arrived")
        try await commitReady()
        return outcome
    }

    private func payDebts() {
        guard ready.count <= UploadCommitter.maximumBacklog else { return }
        while owedSlots > 0 {
            owedSlots -= 1
            freeSlot()
        }
    }

    private func commitReady() async throws {
        isCommitting = true
        defer { isCommitting = false }
        while !ready.isEmpty {
            let writes = Array(ready.prefix(PandoClient.maximumBulkCount))
            ready.removeFirst(writes.count)
            payDebts()
            try await commit(writes)
        }
    }

    /// Commits all that can be: a path that the node refuses must not keep the others out.
    private func commit(_ writes: [UploadWrite]) async throws {
        var pending = [writes]
        while let part = pending.popLast() {
            do {
                let commit = try await client.commit(part.map(\.write))
                outcome.created += commit.created
                outcome.replaced += commit.replaced
                outcome.unchanged += commit.unchanged
                progress.update { $0.files += UInt64(part.count) }
            } catch let error as ClientError where UploadCommitter.isAboutPaths(error) {
                if part.count == 1 {
                    refuse(part[0], error)
                } else if let index = part.firstIndex(where: { $0.write.path == error.path }) {
                    refuse(part[index], error)
                    var rest = part
                    rest.remove(at: index)
                    // Halves from here on, or a thousand refused paths would take a thousand commits of all.
                    pending += UploadCommitter.halves(rest)
                } else {
                    pending += UploadCommitter.halves(part)
                }
            }
        }
    }

    private func refuse(_ write: UploadWrite, _ error: ClientError) {
        // The node says no more of a path that a key may not know of, and the file that is sent is there.
        let reason = error.status == 404 ? "nothing is there that this key may write" : error.detail
        outcome.errors.append("\(write.local): not written to \(write.write.path): \(reason)")
        guard case .file(let file) = write.write.value else { return }
        progress.update { $0.bytes -= min($0.bytes, file.content.size) }
    }

    private static func halves(_ writes: [UploadWrite]) -> [[UploadWrite]] {
        if writes.count < 2 { return [writes] }
        // The later half first: the end is taken first.
        return [Array(writes[(writes.count / 2)...]), Array(writes[..<(writes.count / 2)])]
    }

    private static func isAboutPaths(_ error: ClientError) -> Bool {
        guard let status = error.status, error.missing.isEmpty else { return false }
        // Who asks, how slowly and how often is about all of them.
        return (400..<500).contains(status) && status != 401 && status != 408 && status != 429
    }
}
