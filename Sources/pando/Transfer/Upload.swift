import Content
import Foundation
import HTTPClient
import Platform
import Synchronization

/// Sends files of this machine to a node: one thread walks, some read and hash, a few requests are in flight.
///
/// The order of things: batches are numbered as they are handed over. A write is committed when its batch and all
/// before it have arrived, for it may use an object that an earlier batch carries.
final class Upload: Sendable {
    /// Batches being sent at a time: while one is on the wire, one is being asked about and one answered.
    private static let inFlight = 3
    private static let readers = max(2, min(4, ProcessInfo.processInfo.activeProcessorCount))

    struct Outcome: Sendable {
        var created = 0
        var replaced = 0
        var unchanged = 0
        var errors: [String] = []
    }

    let items = BlockingQueue<LocalItem>(capacity: 4096)
    let sent = SentObjects()
    let startedAt = Int64(Date().timeIntervalSince1970 * 1e9)

    private let client: PandoClient
    private let progress: Progress
    private let threads = BlockingThreads(count: readers + 1, name: "upload")
    private let slots = DispatchSemaphore(value: inFlight)
    private let batches: AsyncStream<(number: Int, batch: UploadBatch)>
    private let continuation: AsyncStream<(number: Int, batch: UploadBatch)>.Continuation
    private let state = Mutex(State())

    private struct State {
        var count = 0
        var isStopped = false
        var runningReaders = Upload.readers
        var errors: [String] = []
    }

    /// Errors of single files that are kept to be shown; more are only counted.
    private static let maximumErrors = 1000

    init(_ client: PandoClient, progress: Progress) {
        self.client = client
        self.progress = progress
        (batches, continuation) = AsyncStream.makeStream()
    }

    /// Sends all that is at and below the roots. Throws what stops everything; what goes wrong with single files is in
    /// the outcome.
    func run(_ roots: [LocalItem]) async throws -> Outcome {
        startThreads(roots)
        let committer = UploadCommitter(client, progress: progress) { [slots] in slots.signal() }
        do {
            try await withThrowingTaskGroup(of: Void.self) { group in
                var running = 0
                for await (number, batch) in batches {
                    // The slots bound what is sent; one task more may be committing.
                    while running > Upload.inFlight {
                        try await group.next()
                        running -= 1
                    }
                    running += 1
                    group.addTask { [self] in
                        do {
                            try await send(batch)
                            try await committer.arrived(number, batch.writes)
                        } catch {
                            // Or the readers would wait for ever for a slot.
                            stop()
                            throw error
                        }
                    }
                }
                try await group.waitForAll()
            }
            var outcome = try await committer.finish()
            outcome.errors = state.withLock { $0.errors } + outcome.errors
            return outcome
        } catch {
            stop()
            throw error
        }
    }

    private func startThreads(_ roots: [LocalItem]) {
        threads.start { [self] in
            LocalWalk(emit: { self.items.push($0) }, report: { self.report($0) }, progress: progress).walk(roots)
            items.close()
        }
        for _ in 0..<Upload.readers {
            threads.start { [self] in
                UploadReader(self).run()
                let isLast = state.withLock { state in
                    state.runningReaders -= 1
                    return state.runningReaders == 0
                }
                if isLast { continuation.finish() }
            }
        }
    }

    private func stop() {
        state.withLock { $0.isStopped = true }
        items.close(discarding: true)
        // Each reader waits at most once more.
        for _ in 0..<Upload.readers { slots.signal() }
        continuation.finish()
    }

    // MARK: From the readers

    /// Remembers what went wrong with one file; the others are sent all the same.
    func report(_ error: String) {
        state.withLock { state in
            if state.errors.count < Upload.maximumErrors { state.errors.append(error) }
            if state.errors.count == Upload.maximumErrors { state.errors.append("more errors are not shown") }
        }
    }

    /// Hands a batch over and waits for a free slot.
    ///
    /// - Returns: Whether the upload goes on.
    func submit(_ batch: UploadBatch) -> Bool {
        slots.wait()
        return state.withLock { state in
            if state.isStopped { return false }
            // Within the lock, so that an object counts as sent only when its batch has a lower number than any
            // batch that relies on it.
            sent.insert(batch)
            continuation.yield((state.count, batch))
            state.count += 1
            return true
        }
    }

    // MARK: To the node

    private func send(_ batch: UploadBatch) async throws {
        if !batch.objects.isEmpty {
            let missing = try await client.missing(batch.objects.map(\.hash))
            let ranges = Upload.ranges(of: batch, missing: missing)
            if !ranges.isEmpty { try await client.send(objects: batch.frames, ranges: ranges) }
            let sent = ranges.reduce(0) { $0 + $1.count }
            progress.update { $0.sent += UInt64(sent) }
        }
        progress.update { $0.bytes += batch.bytesRead }
    }

    /// The parts of the batch to send, neighbours joined.
    private static func ranges(of batch: UploadBatch, missing: [ContentHash]) -> [Range<Int>] {
        if missing.count == batch.objects.count { return [0..<batch.frames.count] }
        let missing = Set(missing)
        var ranges: [Range<Int>] = []
        for (hash, range) in batch.objects where missing.contains(hash) {
            if let last = ranges.last, last.upperBound == range.lowerBound {
                ranges[ranges.count - 1] = last.lowerBound..<range.upperBound
            } else {
                ranges.append(range)
            }
        }
        return ranges
    }
}
