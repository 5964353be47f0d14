import FileDatabase
import Foundation
import Objects
import Platform
import Synchronization

/// How often a node looks after its data by itself.
public struct CareSchedule: Sendable {
    /// Between two collections; nil for none.
    public var collection: Duration?
    /// Between two scrubs; nil for none.
    public var scrub: Duration?
    /// Bytes a second that either may read and write.
    public var rate: UInt64

    /// Garbage goes every night or so, and what rots is found within a month.
    public static let standard = CareSchedule(collection: .seconds(24 * 3600), scrub: .seconds(30 * 24 * 3600), rate: Node.careRate)

    public init(collection: Duration?, scrub: Duration?, rate: UInt64) {
        (self.collection, self.scrub, self.rate) = (collection, scrub, rate)
    }
}

extension Node {
    /// How often it is looked whether something is due.
    private static let lookInterval = Duration.seconds(10)
    /// Seconds until something that failed is tried again.
    private static let pause = 600.0

    /// Starts to look after the data by a schedule, until the node closes.
    public func startCare(_ schedule: CareSchedule) {
        carer.withLock { $0 = $0 ?? Task { [weak self] in await self?.keepCare(schedule) } }
    }

    private func keepCare(_ schedule: CareSchedule) async {
        // A log that was found damaged or without its end when it was opened is not left for a month, and a scrub that was interrupted goes on.
        var isUrgent = !database.store.recovery.damaged.isEmpty || database.lostHead != nil
        var goesOn = careRecord.value.scrubPosition != nil && schedule.scrub != nil
        // One that fails is not tried again at once.
        var notBefore: [CareTask.Kind: Double] = [:]
        while !Task.isCancelled {
            let now = clock.date.timeIntervalSince1970
            func isDue(_ kind: CareTask.Kind, _ interval: Duration?) -> Bool {
                guard let interval, now >= notBefore[kind] ?? 0 else { return false }
                return self.isDue(kind, interval, now)
            }
            if isUrgent || goesOn || isDue(.scrub, schedule.scrub) {
                await start(.scrub, rate: isUrgent ? nil : schedule.rate)
                (isUrgent, goesOn) = (false, false)
                notBefore[.scrub] = now + Node.pause
            } else if careTasks.running(.scrub) == nil, isDue(.gc, schedule.collection) {
                await start(.gc, rate: schedule.rate)
                notBefore[.gc] = now + Node.pause
            }
            await recoverCluster()
            await mendWhatWasMet()
            try? await clock.wait(Node.lookInterval)
        }
    }

    private func isDue(_ kind: CareTask.Kind, _ interval: Duration, _ now: Double) -> Bool {
        let record = careRecord.value
        let last = kind == .gc ? record.lastCollection : record.lastScrub
        return now >= (last ?? record.since) + Double(interval.components.seconds)
    }

    /// Collects if the last collection is so long ago, and returns when that is done: for whoever runs a node now and then.
    public func collectIfDue(after interval: Duration) async {
        guard isDue(.gc, interval, clock.date.timeIntervalSince1970) else { return }
        guard let task = try? await startTask(.gc, rate: nil, isScheduled: true) else { return }
        await careTasks.wait(for: task.id)
    }

    /// Brings back what reads have found damaged, where nobody was in touch then.
    private func mendWhatWasMet() async {
        guard isLive.withLock({ $0 }) else { return }
        let now = clock.monotonicMicroseconds()
        let sought = soughtInVain.withLock { $0 }
        let damaged = database.store.damagedObjects.filter { sought[$0].map { now > $0 + UInt64(Node.pause * 1e6) } ?? true }
        if !damaged.isEmpty { await mend(damaged.sorted()) }
    }

    private func start(_ kind: CareTask.Kind, rate: UInt64?) async {
        // One that runs already will do.
        _ = try? await startTask(kind, rate: rate, isScheduled: true)
    }
}
