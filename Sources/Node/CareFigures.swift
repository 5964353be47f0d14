import Content
import FileDatabase
import Foundation
import Objects

/// What a collection came to.
public struct CollectionFigures: Sendable, Encodable {
    public struct Sum: Sendable, Encodable {
        public var objects: UInt64
        /// On disk.
        public var bytes: UInt64

        init(_ figures: ObjectFigures) { (objects, bytes) = (figures.objects, figures.bytes) }
    }

    /// States that are kept for one reason, and what is kept for that reason beyond those before it.
    public struct Kept: Sendable, Encodable {
        public var reason: String
        public var states: Int
        /// Of a dry run.
        public var own: Sum?
    }

    /// A state that the retention policy lets go.
    public struct Expired: Sendable, Encodable {
        public var commit: String
        public var time: String
        public var cause: String
    }

    public var live: Sum
    /// What nothing needs: of a dry run, what would go.
    public var dead: Sum
    /// By which the log became, or would become, shorter; below 0 where more was written meanwhile.
    public var freedBytes: Int64
    public var kept: [Kept]
    public var expiredStates: Int
    /// The newest of them.
    public var expired: [Expired]
    public var segmentsRewritten: Int
    public var segmentsRemoved: Int
    public var copiedBytes: UInt64
    public var readBytes: UInt64
    public var seconds: Double
    /// Why something was left.
    public var remark: String?

    public init(_ report: CollectionReport) {
        live = Sum(report.live)
        dead = Sum(report.dead)
        freedBytes = report.freedBytes
        kept = report.kept.map { Kept(reason: $0.reason, states: $0.states, own: report.isDryRun ? Sum($0.own) : nil) }
        expiredStates = report.expiredStates
        expired = report.expired.map {
            Expired(commit: $0.commit.description, time: Date(timeIntervalSince1970: Double($0.time) / 1e6).rfc3339, cause: $0.cause)
        }
        segmentsRewritten = report.segmentsRewritten
        segmentsRemoved = report.segmentsRemoved
        copiedBytes = report.copiedBytes
        readBytes = report.readBytes
        seconds = report.seconds
        remark = report.remark
    }
}

/// What a scrub or a verification came to.
public struct RepairFigures: Sendable, Encodable {
    /// Objects that were read, and their bytes.
    public var objects: UInt64
    public var bytes: UInt64
    /// Objects that did not have their hash or were gone; of a verification, paths.
    public var damaged: UInt64
    /// Places of the log where no record could be read.
    public var damagedPlaces = 0
    /// Objects that came back from peers.
    public var healed: UInt64 = 0
    /// Objects that paths need and nobody has.
    public var lost: UInt64 = 0
    /// Those paths.
    public var losses: [CareRecord.Loss] = []
    /// Whether it came to the end; a scrub that did not goes on there the next time.
    public var isWhole = true

    init(objects: UInt64, bytes: UInt64, damaged: UInt64) {
        (self.objects, self.bytes, self.damaged) = (objects, bytes, damaged)
    }

    /// Of a stopped node's database, for which no peer is asked. Blocks.
    public init(_ report: ScrubReport, of database: FileDatabase) throws {
        let lacking = Set(report.damaged.map(\.hash)).union(try database.missingObjects().map(\.hash))
        self.init(objects: report.records, bytes: report.bytes, damaged: UInt64(lacking.count))
        damagedPlaces = report.damagedPlaces.count
        note(lost: lacking, try database.paths(needing: lacking))
    }

    /// The same of a verification.
    public init(_ report: VerificationReport) {
        self.init(objects: UInt64(report.objects), bytes: report.bytes, damaged: UInt64(report.faults.count))
        note(faults: report)
    }

    mutating func note(faults report: VerificationReport) {
        lost = UInt64(report.faults.count)
        losses = report.faults.prefix(CareRecord.maximumLosses).map { CareRecord.Loss(path: $0.path, reason: $0.reason) }
    }

    /// What no path needs is no loss.
    mutating func note(lost objects: Set<ContentHash>, _ places: [ContentHash: [NeededPath]]) {
        let needed = objects.filter { places[$0]?.isEmpty == false }.sorted()
        lost = UInt64(needed.count)
        losses = needed.flatMap { hash in (places[hash] ?? []).map { CareRecord.Loss($0, hash) } }.sorted { ($0.path, $0.reason) < ($1.path, $1.reason) }
        losses.removeLast(max(0, losses.count - CareRecord.maximumLosses))
    }

    private enum CodingKeys: String, CodingKey {
        case objects, bytes, damaged, damagedPlaces, healed, lost, losses
        case isWhole = "whole"
    }
}

extension CareRecord.Loss {
    fileprivate init(_ place: NeededPath, _ hash: ContentHash) {
        path = place.path
        let state = place.snapshot.map { " of snapshot '\($0)'" } ?? place.commit.map { " of commit \($0)" } ?? ""
        reason = "object \(hash)\(state) is lost, and no peer that was reached has it"
    }
}
