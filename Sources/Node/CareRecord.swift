import Foundation
import Logging
import Platform
import Synchronization

/// What is known of the care of a node's data, kept over restarts.
public struct CareRecord: Codable, Sendable, Equatable {
    /// What a path needs and nobody has.
    public struct Loss: Codable, Sendable, Hashable {
        /// In the system tree, with `/.system` in front.
        public var path: String
        public var reason: String
    }

    /// Losses that are remembered by path; there may be more.
    static let maximumLosses = 1000

    /// When the record was begun. Seconds since 1970, as all times here.
    var since: Double
    public internal(set) var lastScrub: Double?
    public internal(set) var lastCollection: Double?
    /// Of the last whole scrub: objects that did not have their hash or were gone.
    public internal(set) var damaged: UInt64 = 0
    /// Objects that came back from peers, since the record was begun.
    public internal(set) var healed: UInt64 = 0
    /// Bytes that collections have freed since then.
    public internal(set) var freedBytes: UInt64 = 0
    /// What paths need and the last scrub or verification could not bring back; the first of those paths.
    public internal(set) var lost: UInt64 = 0
    public internal(set) var losses: [Loss] = []
    /// Where a scrub that was interrupted goes on; nil if none was.
    var scrubPosition: [UInt64]?
}

/// The record in its file. What a crash loses of it is found out again.
final class CareRecordFile: Sendable {
    private let path: String
    private let record: Mutex<CareRecord>
    private let logger: Logger

    init(directory: String, now: Date, logger: Logger) {
        path = directory + "/care.json"
        self.logger = logger
        // One that cannot be read is begun anew.
        let known = (try? PrivateFile.read(path)).flatMap(\.self).flatMap { try? JSONDecoder().decode(CareRecord.self, from: Data($0)) }
        record = Mutex(known ?? CareRecord(since: now.timeIntervalSince1970))
        // The first collection and scrub are due by it, also for who never runs for as long as that.
        if known == nil { store() }
    }

    var value: CareRecord { record.withLock { $0 } }

    /// Changes the record; written down with the next `store`.
    func note(_ body: (inout CareRecord) -> Void) { record.withLock { body(&$0) } }

    /// Changes the record and writes it down. Blocks.
    func store(_ body: (inout CareRecord) -> Void = { _ in }) {
        let changed = record.withLock { record in
            body(&record)
            return record
        }
        do {
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
            try PrivateFile.write(Array(encoder.encode(changed)), to: path)
        } catch {
            logger.warning("cannot write down how the care went", metadata: ["reason": "\(Node.words(error))"])
        }
    }
}
