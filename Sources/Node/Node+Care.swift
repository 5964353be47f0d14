import Content
import FileDatabase
import Foundation
import Logging
import Objects
import Platform
import Synchronization

/// Collection, scrub and verification, as tasks that run beside everything else.
extension Node {
    /// Bytes a second that care reads and writes unless something else is said: on the disks of today a fraction of what they do.
    public static let careRate: UInt64 = 64 << 20
    /// Where a scrub is, is written down this often, in microseconds.
    private static let scrubStoreInterval: UInt64 = 60_000_000

    /// The tasks that run, and those that ended lately, the newest first.
    public var tasks: [CareTask] { careTasks.all }

    /// - Throws: `NodeError`: `notFound`.
    public func task(_ id: String) throws -> CareTask {
        guard let task = careTasks[id] else { throw CareTasks.unknown(id) }
        return task
    }

    /// Asks a task to end.
    public func cancelTask(_ id: String) throws { try careTasks.cancel(id) }

    /// Ends all tasks and starts no more. Returns when they have ended.
    public func endTasks() async {
        careTasks.close()
        await careTasks.drain()
    }

    /// Starts a task. One that the schedule has started makes room for it.
    ///
    /// - Parameter rate: bytes a second; nil for as fast as it goes. A verification has none.
    /// - Throws: `NodeError`: `conflict` where one of the kind runs.
    public func startTask(_ kind: CareTask.Kind, isDryRun: Bool = false, rate: UInt64?, isScheduled: Bool = false) async throws -> CareTask {
        if !isScheduled, let running = careTasks.running(kind), running.scheduled {
            try? careTasks.cancel(running.id)
            await careTasks.wait(for: running.id)
        }
        return try careTasks.start(kind, isScheduled: isScheduled, isDryRun: isDryRun, name: randomness.name()) { [weak self] reporter in
            guard let self else { throw CancellationError() }
            return switch kind {
            case .gc: .collection(try await collect(isDryRun: isDryRun, rate: rate, reporter))
            case .scrub: .repair(try await scrub(rate: rate, goesOn: isScheduled, reporter))
            case .verify: .repair(try await verify(reporter))
            }
        }
    }

    // MARK: Collection

    private func collect(isDryRun: Bool, rate: UInt64?, _ reporter: CareReporter) async throws -> CollectionFigures {
        var options = CollectionOptions()
        options.isDryRun = isDryRun
        options.bytesPerSecond = rate
        let chosen = options
        let report: CollectionReport
        do {
            report = try await careWork { [database] isCancelled in
                try database.collect(chosen, isCancelled: isCancelled) { progress in
                    let counts = progress.phase != .compact
                    reporter.report(CareTask.Progress(
                        phase: progress.phase.rawValue, objects: counts ? progress.done : 0, bytes: counts ? 0 : progress.done,
                        totalBytes: counts ? nil : progress.total))
                }
            }
        } catch let error as DatabaseError where error.code == .damaged {
            // Nothing is let go while it is not known what damaged objects lead to; the next one may know.
            await mend(error.missing)
            throw error
        }
        if !isDryRun {
            let now = clock.date.timeIntervalSince1970
            await storeCareRecord { record in
                record.freedBytes += UInt64(max(0, report.freedBytes))
                if !report.wasCancelled { record.lastCollection = now }
            }
            logger.notice("collected what nothing needs any more", metadata: [
                "freed": "\(report.freedBytes)", "objects": "\(report.dead.objects)", "remark": "\(report.remark ?? "")",
            ])
        }
        return CollectionFigures(report)
    }

    // MARK: Scrub

    /// - Parameter goesOn: whether it goes on where one was interrupted; whoever asks for a scrub wants all of it.
    private func scrub(rate: UInt64?, goesOn: Bool, _ reporter: CareReporter) async throws -> RepairFigures {
        var options = ScrubOptions()
        options.bytesPerSecond = rate
        options.from = goesOn ? careRecord.value.scrubPosition.flatMap { LogPosition($0) } : nil
        let chosen = options
        let report = try await careWork { [database, clock, careRecord] isCancelled in
            var stored = clock.monotonicMicroseconds()
            return try database.scrub(chosen, isCancelled: isCancelled) { progress in
                reporter.report(CareTask.Progress(phase: "scrub", bytes: progress.doneBytes, totalBytes: progress.totalBytes))
                // After a crash no more than this is read again.
                guard clock.monotonicMicroseconds() > stored + Node.scrubStoreInterval else { return }
                stored = clock.monotonicMicroseconds()
                careRecord.store { $0.scrubPosition = [UInt64(progress.position.segment), progress.position.offset] }
            }
        }
        var figures = RepairFigures(objects: report.records, bytes: report.bytes, damaged: UInt64(report.damaged.count))
        figures.damagedPlaces = report.damagedPlaces.count
        if !report.damaged.isEmpty || !report.damagedPlaces.isEmpty {
            logger.error("the log is damaged", metadata: [
                "objects": "\(report.damaged.count)", "places": "\(report.damagedPlaces.count)", "first": "\(report.damaged.first?.hash.description ?? "")",
            ])
        }
        let next = report.next
        // Where the next one goes on. What this one has found is mended all the same.
        await storeCareRecord { $0.scrubPosition = next.map { [UInt64($0.segment), $0.offset] } }
        try await repair(report.damaged.map(\.hash), &figures, reporter)
        let result = figures
        let now = clock.date.timeIntervalSince1970
        await storeCareRecord { record in
            (record.lost, record.losses) = (result.lost, result.losses)
            guard next == nil else { return }
            record.damaged = result.damaged
            record.lastScrub = now
        }
        figures.isWhole = next == nil
        return figures
    }

    // MARK: Verification

    private func verify(_ reporter: CareReporter) async throws -> RepairFigures {
        reporter.report(CareTask.Progress(phase: "verify"))
        var report = try await careWork { [database] _ in try database.verify(keptStates: true) }
        var figures = RepairFigures(objects: UInt64(report.objects), bytes: report.bytes, damaged: UInt64(report.faults.count))
        if !report.faults.isEmpty {
            try await repair([], &figures, reporter)
            reporter.report(CareTask.Progress(phase: "verify"))
            report = try await careWork { [database] _ in try database.verify(keptStates: true) }
            // What a verification says of a path is more than that an object is lost.
            figures.note(faults: report)
        }
        let result = figures
        await storeCareRecord { ($0.lost, $0.losses) = (result.lost, result.losses) }
        return figures
    }

    // MARK: Repair

    /// Fetches what is damaged or gone from the peers, and names the paths that need what nobody has.
    private func repair(_ damaged: [ContentHash], _ figures: inout RepairFigures, _ reporter: CareReporter) async throws {
        reporter.report(CareTask.Progress(phase: "heal", objects: figures.objects, bytes: figures.bytes))
        var lost = await mend(damaged)
        figures.healed += UInt64(damaged.count - lost.count)
        // What is below a tree node or a manifest is known only once that is back.
        while true {
            try Task.checkCancellation()
            let lacking = Set(try await careWork { [database] isCancelled in try database.missingObjects(isCancelled: isCancelled) }.map(\.hash))
            let unknown = lacking.subtracting(lost)
            if unknown.isEmpty { break }
            let left = await mend(unknown.sorted())
            figures.damaged += UInt64(unknown.subtracting(damaged).count)
            figures.healed += UInt64(unknown.count - left.count)
            lost.formUnion(left)
            if left.count == unknown.count { break }
        }
        // Who shows a part only gives nothing by its hash; there the sync brings what is lacking.
        let parts = allLinks().filter { link in link.state.withLock { $0.isScoped } }
        if !lost.isEmpty, !parts.isEmpty {
            for link in parts { _ = await sync(with: link, asksBack: false) }
            let left = Set(await stillLacking(lost.sorted()))
            figures.healed += UInt64(lost.count - left.count)
            lost = left
        }
        guard !lost.isEmpty else { return }
        let wanted = lost
        let places = try await careWork { [database] _ in try database.paths(needing: wanted) }
        figures.note(lost: lost, places)
        for loss in figures.losses.prefix(20) { logger.error("lost", metadata: ["path": "\(loss.path)", "reason": "\(loss.reason)"]) }
    }

    // MARK: Work

    /// Runs what blocks for long on a thread of its own.
    private func careWork<Result: Sendable>(
        _ body: @escaping @Sendable (_ isCancelled: @escaping @Sendable () -> Bool) throws -> Result
    ) async throws -> Result {
        let flag = CancellationFlag()
        return try await withTaskCancellationHandler {
            try Task.checkCancellation()
            return try await careThreads.run { try body { flag.isSet } }
        } onCancel: {
            flag.set()
        }
    }

    private func storeCareRecord(_ body: @escaping @Sendable (inout CareRecord) -> Void) async {
        try? await database.threads.run { [careRecord] in careRecord.store(body) }
    }
}

/// Tells work on another thread that its task was cancelled.
private final class CancellationFlag: Sendable {
    private let value = Atomic(false)
    var isSet: Bool { value.load(ordering: .relaxed) }
    func set() { value.store(true, ordering: .relaxed) }
}

extension LogPosition {
    /// From the two numbers of a record; nil for anything else.
    fileprivate init?(_ numbers: [UInt64]) {
        guard numbers.count == 2, let segment = UInt32(exactly: numbers[0]) else { return nil }
        self.init(segment: segment, offset: numbers[1])
    }
}
