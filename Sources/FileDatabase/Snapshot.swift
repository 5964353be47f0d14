import Causality
import Content
import Foundation
import Merkle
import Objects
import Platform

/// A named state of the files, kept until it is deleted, on every full member.
public struct Snapshot: Sendable, Hashable {
    public var name: String
    public var root: ContentHash
    /// Microseconds since 1970.
    public var time: UInt64
    public var node: NodeID?
    public var files: UInt64
    public var bytes: UInt64
    /// A JSON text, as its maker gave it.
    public var metadata: String?
    /// Whether another node made one of the same name at the same time, which is kept, too, until this name is deleted.
    public var isRival = false

    /// Bytes of a name.
    public static let maximumNameLength = 128
    public static let maximumMetadataLength = 32 << 10
    /// Snapshots of a cluster: each listing shows some, and each start looks whether all are whole.
    public static let maximumCount = 10_000

    /// The rule that a name breaks; nil if it breaks none.
    public static func fault(inName name: String) -> String? {
        if let fault = TreePath.fault(inName: name) { return "the name \(fault)" }
        if name.utf8.count > maximumNameLength { return "the name is longer than \(maximumNameLength) bytes" }
        if name.unicodeScalars.contains(where: { $0.value < 0x20 || (0x7f..<0xa0).contains($0.value) }) {
            return "the name has a control character"
        }
        if name.first == " " || name.last == " " { return "the name begins or ends with a space" }
        // What follows `at=` must mean one thing.
        if ContentHash(name) != nil { return "the name looks like a commit" }
        if name == "now" || Moment.looksLikeTime(name) { return "the name looks like a time" }
        return nil
    }
}

/// The document of a snapshot in the system tree; its name is the snapshot's.
private struct SnapshotDocument: Codable {
    var root: String
    var time: UInt64
    var node: String
    var files: UInt64
    var bytes: UInt64
    var metadata: String?
}

extension FileDatabase {
    private static let snapshotsPath = TreePath.root.appending("snapshots")

    /// Names the newest state. One small commit, whatever the size of the tree.
    ///
    /// - Throws: `DatabaseError`: `invalid` for a name that is none, `conflict` where it is taken.
    public func makeSnapshot(_ name: String, metadata: String? = nil) async throws -> Snapshot {
        if let fault = Snapshot.fault(inName: name) { throw DatabaseError(.invalid, fault) }
        if let metadata, metadata.utf8.count > Snapshot.maximumMetadataLength {
            throw DatabaseError(.invalid, "the metadata is longer than \(Snapshot.maximumMetadataLength) bytes")
        }
        return try await write { draft in
            let path = FileDatabase.snapshotsPath.appending(name)
            let old = try draft.entry(at: path, in: .system)?.register
            if let old, !old.winner.value.isTombstone {
                throw DatabaseError(.conflict, "a snapshot '\(name)' exists; delete it first, or choose another name")
            }
            let directory = try draft.entry(at: FileDatabase.snapshotsPath, in: .system)
            guard directory?.aggregates.files ?? 0 < UInt64(Snapshot.maximumCount) else {
                throw DatabaseError(.conflict, "there are \(Snapshot.maximumCount) snapshots; delete some first")
            }
            let files = try draft.settled(.files)
            let snapshot = Snapshot(
                name: name, root: files.root, time: draft.time.wallMicroseconds(), node: draft.authorship.actor.node, files: files.aggregates.files,
                bytes: files.aggregates.bytes, metadata: metadata)
            let document = SnapshotDocument(
                root: snapshot.root.description, time: snapshot.time, node: draft.authorship.actor.node.description, files: snapshot.files,
                bytes: snapshot.bytes, metadata: metadata)
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
            let value = draft.document(Array(try encoder.encode(document)))
            draft.write(value, at: path, over: old, in: .system)
            draft.note(cause: "snapshot \(name)")
            return snapshot
        }
    }

    /// Forgets a snapshot, on every node.
    ///
    /// - Throws: `DatabaseError`: `notFound`.
    public func deleteSnapshot(_ name: String) async throws {
        guard TreePath.fault(inName: name) == nil else { throw FileDatabase.unknownSnapshot(name) }
        try await write { draft in
            let path = FileDatabase.snapshotsPath.appending(name)
            guard let old = try draft.entry(at: path, in: .system)?.register, !old.winner.value.isTombstone else {
                throw FileDatabase.unknownSnapshot(name)
            }
            draft.set(path, to: old.resolving(to: .tombstone, at: draft.nextDot()), in: .system)
            draft.note(cause: "delete snapshot \(name)")
        }
    }

    private static func unknownSnapshot(_ name: String) -> DatabaseError {
        DatabaseError(.notFound, "there is no snapshot '\(name.prefix(Snapshot.maximumNameLength))'; 'pando snapshot list' shows those that are")
    }

    public func snapshot(_ name: String) throws -> Snapshot {
        guard TreePath.fault(inName: name) == nil,
            let register = try view.entry(at: FileDatabase.snapshotsPath.appending(name), in: .system)?.register,
            let snapshot = try snapshot(name, register.winner)
        else { throw FileDatabase.unknownSnapshot(name) }
        return snapshot
    }

    /// All snapshots by name, rivals of the same name behind the one in force.
    public func snapshots() throws -> [Snapshot] {
        let view = self.view
        return try asDatabaseErrors {
            guard let directory = try view.entry(at: FileDatabase.snapshotsPath, in: .system)?.subtree else { return [] }
            var entries = try directory.entries(in: nodes)
            var found: [Snapshot] = []
            while let entry = try entries.next() {
                guard let register = entry.register else { continue }
                if let current = try snapshot(entry.name, register.winner) { found.append(current) }
                for version in register.losers {
                    guard var rival = try snapshot(entry.name, version), rival.root != found.last?.root else { continue }
                    rival.isRival = true
                    found.append(rival)
                }
            }
            return found
        }
    }

    /// A document that is none of a snapshot is passed over, so that no odd one hides the others.
    private func snapshot(_ name: String, _ version: Version) throws -> Snapshot? {
        guard case .file(let file) = version.value, file.content.height == 0 else { return nil }
        let bytes = try asDatabaseErrors { try store.read(file.content.root, .chunk) }
        guard let document = try? JSONDecoder().decode(SnapshotDocument.self, from: Data(bytes)),
            let root = ContentHash(document.root)
        else { return nil }
        return Snapshot(
            name: name, root: root, time: document.time, node: NodeID(document.node), files: document.files, bytes: document.bytes,
            metadata: document.metadata)
    }
}
