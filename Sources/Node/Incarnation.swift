import Causality
import Content
import FileDatabase
import Foundation
import Platform
import Synchronization

/// Which life of the node a data directory is in, and by what it is known that the directory is no copy.
///
/// A node that goes on from an old copy has forgotten writes that others have. Version vectors cover everything of an actor up
/// to its largest timestamp, so its next write would pass for having seen them. A fresh incarnation is another actor.
struct Incarnation: Codable, Sendable, Equatable {
    var number: UInt32
    /// Of `node.key`, which is written once.
    var key: FileMark
    /// The newest segment of the log, which a copy that is put in its place would replace.
    var segment: Segment?

    struct Segment: Codable, Sendable, Equatable {
        var name: String
        var inode: UInt64
    }

    /// How the processes began that have met no peer. What they wrote may be over writes that the log, an image of an older disk, does not have.
    struct Lone: Codable, Sendable, Equatable {
        /// The oldest of more are given up.
        private static let maximumGaps = 32

        /// One for each, ascending.
        private var gaps: [WriteGap]
        /// What was there when the first one began: roots.
        private var files: String
        private var system: String

        init(_ beginning: Beginning) {
            gaps = beginning.gaps
            (files, system) = (beginning.files.description, beginning.system.description)
        }

        /// Takes the next process in.
        mutating func add(_ next: Beginning) {
            // Where nothing was written since, or by a clock that was set back since, the last gap says no more, or what is wrong.
            if let last = gaps.last, let new = next.gaps.first, new.start == last.start || new.start < last.first { gaps.removeLast() }
            if gaps.isEmpty { return self = Lone(next) }
            gaps = (gaps + next.gaps).suffix(Lone.maximumGaps)
        }

        /// Says that the last process writes by an earlier time than it began with: its clock was set back.
        mutating func setBack(to time: Timestamp) {
            guard let last = gaps.last else { return }
            gaps[gaps.count - 1].first = max(last.start.next, min(last.first, time))
        }

        /// All of them but so many at the end; nil if there are none, or the file makes no sense.
        func beginning(but count: Int) -> Beginning? {
            let gaps = Array(gaps.dropLast(count))
            let starts = [.zero] + gaps.map(\.start)
            guard !gaps.isEmpty, zip(starts, starts.dropFirst()).allSatisfy({ $0 < $1 }),
                gaps.allSatisfy({ $0.start < $0.first && $0.first <= .latestAllowed }),
                let files = ContentHash(files), let system = ContentHash(system)
            else { return nil }
            return Beginning(gaps: gaps, files: files, system: system)
        }
    }

    /// Since a peer was met; nil if there is none.
    var lone: Lone?

    /// What was found at a start.
    struct Finding: Sendable {
        var incarnation: Incarnation
        /// How the processes before this one began that met no peer.
        var earlier: Beginning?
        /// Why it is a fresh one, in words; nil if it goes on.
        var reason: String?
        /// Whether the log was exchanged and the rest of the directory was not, so that nothing else in it can be relied on.
        var isLogAlone = false
    }

    private static func path(in directory: String) -> String { directory + "/incarnation.json" }

    /// Looks at a directory whose lock is held, and writes down what it finds; durable on return.
    ///
    /// - Parameters:
    ///   - isNew: whether the node's key was made at this start.
    ///   - loss: why the newest state that was found may not be the last that was acknowledged, in words; nil if it is.
    ///   - beginning: how this process begins; nil where there is nobody to meet.
    static func find(in directory: String, isNew: Bool, loss: String?, beginning: Beginning?, randomness: any Randomness) throws -> Finding {
        guard let key = try FileMark.of(directory + "/node.key") else {
            throw NodeError(.unavailable, "\(directory)/node.key went away; start again")
        }
        let segment = try newestSegment(in: directory)
        var known: Incarnation?
        if let bytes = try PrivateFile.read(path(in: directory)) {
            // One that cannot be read says nothing, and then it is safe to begin anew.
            known = try? JSONDecoder().decode(Incarnation.self, from: Data(bytes))
        }
        var finding = Finding(incarnation: known ?? Incarnation(number: 0, key: key))
        if let known {
            if known.key != key {
                finding.reason = "the data directory is a copy or was restored"
            } else if let old = known.segment, let inode = try FileMark.of(directory + "/segments/" + old.name)?.inode, inode != old.inode {
                finding.reason = "the log was replaced by a copy"
                finding.isLogAlone = true
            } else if let loss, known.segment != nil {
                finding.reason = loss
                finding.isLogAlone = true
            } else if let old = known.segment, segment?.name ?? "" < old.name {
                finding.reason = "the newest part of the log is gone"
                finding.isLogAlone = true
            }
        } else if !isNew {
            finding.reason = "the data directory does not say which incarnation it is of"
        }
        if finding.reason != nil {
            finding.incarnation.number = fresh(after: finding.incarnation.number, randomness)
            finding.incarnation.lone = nil
        }
        finding.incarnation.key = key
        finding.incarnation.segment = segment
        if let beginning, finding.incarnation.lone?.add(beginning) == nil { finding.incarnation.lone = Lone(beginning) }
        finding.earlier = finding.incarnation.lone?.beginning(but: beginning == nil ? 0 : 1)
        if finding.incarnation != known {
            do {
                try finding.incarnation.write(in: directory)
            } catch let error as DiskError where error.code == .full && known != nil && finding.reason == nil {
                // What it says of an older segment is still true, and a full disk is no reason not to start.
            }
        }
        return finding
    }

    /// A number that was never used: at random, because what was forgotten includes the numbers that were counted up to. Even of
    /// a thousand restores, two get the same with a chance of one in eight thousand; and dots would still have to meet.
    static func fresh(after number: UInt32, _ randomness: any Randomness) -> UInt32 {
        while true {
            let new = randomness.bytes(4).reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
            if new != 0, new != number { return new }
        }
    }

    /// Writes down another number for the directory; durable on return. A database that has none does not need it.
    static func change(to number: UInt32, in directory: String) throws {
        try change(in: directory) { incarnation in
            incarnation.number = number
            incarnation.lone = nil
        }
    }

    /// Writes down that the clock was set back before a peer was met; durable on return.
    static func noteSetBack(to time: Timestamp, in directory: String) throws { try change(in: directory) { $0.lone?.setBack(to: time) } }

    /// Writes down that a peer has been met; durable on return.
    static func noteMet(in directory: String) throws { try change(in: directory) { $0.lone = nil } }

    private static func change(in directory: String, _ body: (inout Incarnation) -> Void) throws {
        guard !directory.isEmpty else { return }
        try changes.withLock { _ in
            guard let bytes = try PrivateFile.read(path(in: directory)) else { return }
            var incarnation = try JSONDecoder().decode(Incarnation.self, from: Data(bytes))
            body(&incarnation)
            try incarnation.write(in: directory)
        }
    }

    /// One change at a time, or a number could be lost.
    private static let changes = Mutex(())

    private func write(in directory: String) throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys]
        try PrivateFile.write(Array(encoder.encode(self)), to: Incarnation.path(in: directory))
    }

    private static func newestSegment(in directory: String) throws -> Segment? {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: directory + "/segments")) ?? []
        guard let name = names.filter({ $0.hasSuffix(".segment") }).max(),
            let mark = try FileMark.of(directory + "/segments/" + name)
        else { return nil }
        return Segment(name: name, inode: mark.inode)
    }
}
