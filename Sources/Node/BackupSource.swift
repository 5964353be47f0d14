import Causality
import Content
import FileDatabase
import Foundation
import Merkle
import Objects
import Platform
import Replication
import Synchronization

/// Writes a backup: finds its objects in their fixed order, and reads and checks them a few megabytes ahead.
///
/// Memory grows with the number of objects, by their hashes alone.
public struct BackupSource: Sendable {
    /// Bytes that are read and checked together.
    private static let pieceSize = 4 << 20
    /// Pieces that are read and checked while one is written.
    private static let readAhead = 8

    public let description: BackupDescription
    private let database: FileDatabase
    /// The states are kept for as long as somebody writes them.
    private let holds: [RootHold]

    /// - Throws: `BackupError` where the states are not known here.
    public init(_ database: FileDatabase, _ description: BackupDescription) throws {
        self.database = database
        self.description = description
        holds = [database.hold(.commit(description.commit))] + [description.files, description.base].compactMap(\.self).map { database.hold(.tree($0)) }
        guard try database.store.contains(description.commit) else {
            throw BackupError("the commit \(description.commit) is not known here any more")
        }
        for root in [description.files, description.base].compactMap(\.self) where root != TreeNode.empty.hash {
            guard try database.storedNode(root) != nil else { throw BackupError("the state \(root) is not known here any more") }
        }
    }

    /// Writes the backup from a byte on.
    public func write(from start: UInt64 = 0, to sink: ([UInt8]) async throws -> Void) async throws {
        defer { withExtendedLifetime(holds) {} }
        let walk = Mutex(try BackupWalk(database, description))
        let threads = database.threads
        var ahead: [Task<[UInt8], any Error>] = []
        var isAtEnd = false
        defer { for task in ahead { task.cancel() } }
        while true {
            while !isAtEnd, ahead.count < BackupSource.readAhead {
                // The walk itself goes on in order; only reading and checking is done beside it.
                guard let piece = try await threads.run({ try walk.withLock { try $0.next(BackupSource.pieceSize) } }) else {
                    isAtEnd = true
                    break
                }
                if piece.end <= start { continue }
                ahead.append(Task { [database] in
                    try await threads.run { Array(try piece.read(database.store).dropFirst(Int(start - min(start, piece.start)))) }
                })
            }
            guard !ahead.isEmpty else { return }
            try await sink(ahead.removeFirst().value)
        }
    }
}

/// Consecutive bytes of a backup.
private struct BackupPiece: Sendable {
    var start: UInt64
    var end: UInt64
    /// Before the objects.
    var head: [UInt8] = []
    var objects: [(hash: ContentHash, location: Location)] = []
    /// Behind them.
    var tail: [UInt8] = []

    /// Blocks. What is damaged here must not go into a backup as if it were whole.
    func read(_ store: ObjectStore) throws -> [UInt8] {
        var bytes = head
        bytes.reserveCapacity(Int(end - start))
        for (hash, location) in objects {
            location.frameHeader(hash).encode(to: &bytes)
            let start = bytes.count
            bytes.append(contentsOf: repeatElement(0, count: Int(location.storedLength)))
            try bytes.withUnsafeMutableBytes { bytes in
                let stored = UnsafeMutableRawBufferPointer(rebasing: bytes[start...])
                try store.readStored(location, hash: hash, into: stored)
                guard PreparedObject.isWhole(
                    UnsafeRawBufferPointer(stored), hash, location.kind, location.codec, rawLength: Int(location.rawLength))
                else {
                    throw BackupError("\(location.kind) \(hash) is damaged here; run 'pando verify', and heal it from a peer before the backup")
                }
            }
        }
        bytes += tail
        return bytes
    }
}

extension Location {
    fileprivate func frameHeader(_ hash: ContentHash) -> ObjectFrame.Header {
        ObjectFrame.Header(
            kind: kind, codec: codec == .zstd ? .zstd : .raw, rawLength: Int(rawLength), storedLength: Int(storedLength), hash: hash)
    }
}

/// The objects of a backup in their order: the commit, then for each path that differs from the base, in the order of a walk, the tree nodes
/// on the way to it and the content of its versions. First the system tree, whole, then the files.
private final class BackupWalk {
    private let database: FileDatabase
    private let recorder: NodeRecorder
    private var differences: [() throws -> TreeDifference?]
    private var pending: [ContentHash]
    private var seen: Set<ContentHash> = [TreeNode.empty.hash]
    private var digest: BackupDigest
    private var offset: UInt64
    private var head: [UInt8]
    private var isAtEnd = false

    init(_ database: FileDatabase, _ description: BackupDescription) throws {
        self.database = database
        recorder = NodeRecorder()
        let commit = try Commit(decoding: database.store.read(description.commit, .commit))
        head = description.encoded()
        digest = BackupDigest(head)
        offset = 0
        pending = [description.commit]
        seen.insert(description.commit)
        let reader = RecordingNodes(reader: database.view.reader, recorder: recorder)
        let roots = [
            (Subtree.empty.root, commit.system.root), (description.base ?? Subtree.empty.root, description.files),
        ]
        differences = try roots.map { before, after in
            var diff = try TreeDiff(
                from: Subtree(root: before, aggregates: .zero), to: Subtree(root: after, aggregates: .zero), in: reader)
            return { try diff.next() }
        }
    }

    /// The next piece of about so many bytes; nil at the end.
    func next(_ size: Int) throws -> BackupPiece? {
        if isAtEnd { return nil }
        var piece = BackupPiece(start: offset, end: offset)
        piece.head = head
        offset += UInt64(head.count)
        head = []
        while offset - piece.start < UInt64(size) {
            if pending.isEmpty, try !advance() { break }
            let hashes = pending.prefix(1024)
            pending.removeFirst(hashes.count)
            for (hash, location) in zip(hashes, try database.store.locations(of: Array(hashes))) {
                guard let location else { throw BackupError("object \(hash) is missing here; run 'pando verify'") }
                let header = location.frameHeader(hash)
                digest.add(header)
                offset += UInt64(ObjectFrame.Header.byteCount + header.storedLength)
                piece.objects.append((hash, location))
            }
        }
        if offset - piece.start < UInt64(size) {
            isAtEnd = true
            piece.tail = [ObjectFrame.end]
            piece.tail += digest.trailer(length: offset + 1)
            offset += UInt64(piece.tail.count)
        }
        piece.end = offset
        return piece
    }

    /// Finds the objects of the next difference.
    /// - Returns: false at the end of all.
    private func advance() throws -> Bool {
        while pending.isEmpty {
            guard let next = differences.first else { return false }
            let difference = try next()
            for hash in recorder.take() { need(hash) }
            guard let difference else {
                differences.removeFirst()
                continue
            }
            var known: Set<ContentHash> = []
            let before = difference.before?.versions.map(\.value) ?? []
            for version in difference.after?.versions ?? [] where !before.contains(version.value) {
                guard case .file(let file) = version.value else { continue }
                // An edit of a large file shares nearly all of its chunks with what was there before.
                if known.isEmpty {
                    for case .file(let file) in before { try BackupWalk.visit(file.content, in: database) { known.insert($0).inserted } }
                }
                if let attributes = file.attributes { need(attributes) }
                try BackupWalk.visit(file.content, in: database) { known.contains($0) ? false : need($0) }
            }
        }
        return true
    }

    @discardableResult
    private func need(_ hash: ContentHash) -> Bool {
        guard seen.insert(hash).inserted else { return false }
        pending.append(hash)
        return true
    }

    /// Goes through a file's manifest nodes and chunks, and into those nodes for which `visit` says so.
    private static func visit(_ content: FileContent, in database: FileDatabase, _ visit: (ContentHash) -> Bool) throws {
        var stack = [(hash: content.root, height: content.height, size: content.size, isRoot: true, isLast: true)]
        while let place = stack.popLast() {
            guard visit(place.hash), place.height > 0 else { continue }
            let node = try ManifestNode(
                decoding: database.store.read(place.hash, .manifest), height: place.height, size: place.size, isRoot: place.isRoot,
                isLast: place.isLast)
            for (index, child) in node.children.enumerated().reversed() {
                stack.append((child.hash, place.height - 1, child.size, false, place.isLast && index == node.children.count - 1))
            }
        }
    }
}

/// Remembers which nodes a walk reads: of two trees, those that are not in both.
private final class NodeRecorder: Sendable {
    private let hashes = Mutex<[ContentHash]>([])

    func note(_ hash: ContentHash) { hashes.withLock { $0.append(hash) } }

    func take() -> [ContentHash] {
        hashes.withLock { hashes in
            defer { hashes = [] }
            return hashes
        }
    }
}

private struct RecordingNodes<Reader: NodeReader>: NodeReader {
    let reader: Reader
    let recorder: NodeRecorder

    func node(_ hash: ContentHash) throws -> TreeNode {
        recorder.note(hash)
        return try reader.node(hash)
    }
}
