import Content
import Foundation
@testable import Objects
import Platform
import TestSupport

/// The two indexes that a store can have.
enum IndexKind: CaseIterable {
    case memory, lmdb
}

/// A store over a faulty disk, and how to open it anew.
struct StoreFixture {
    static let smallSegments: UInt64 = 4096
    static let firstSegment = "00000001.segment"

    var disk: FaultyDisk
    let kind: IndexKind
    let directory: TemporaryDirectory
    private var memory = MemoryIndex()
    private var generation = 0
    private let opened = Opened()

    private final class Opened {
        weak var store: ObjectStore?
    }

    init(_ kind: IndexKind, disk: FaultyDisk = FaultyDisk()) throws {
        self.kind = kind
        self.disk = disk
        directory = try TemporaryDirectory()
    }

    /// The index as it was left.
    func index() throws -> any ObjectIndex {
        switch kind {
        case .memory: memory
        case .lmdb: try LMDBIndex(directory: directory.directory("index\(generation)"))
        }
    }

    mutating func loseIndex() {
        memory = MemoryIndex()
        generation += 1
    }

    func open(segmentSize: UInt64 = LogLimits.segmentSize) throws -> ObjectStore {
        // LMDB forbids an environment to be open twice in a process, and a flush on its own thread may still hold the last.
        while kind == .lmdb, opened.store != nil { Thread.sleep(forTimeInterval: 0.001) }
        let store = try ObjectStore(disk: disk, index: index(), segmentSize: segmentSize)
        opened.store = store
        return store
    }

    var indexPath: String { directory.path + "/index\(generation)" }
}

extension PreparedObject {
    /// Bytes that compress, or do not, of up to a few hundred.
    static func random(_ random: inout SplitMix64) -> PreparedObject {
        let kind = random.pick([ObjectKind.chunk, .manifest, .tree, .attributes])
        let bytes = random.bytes(random.below(300))
        return PreparedObject(kind, random.once(in: 3) ? Array(repeating: UInt8(random.below(256)), count: 50 + bytes.count) + bytes : bytes)
    }

    /// A commit that names everything it needs, in the way of a test.
    static func commit(_ number: Int, _ objects: [ContentHash]) -> PreparedObject {
        PreparedObject(.commit, Array("commit \(number)".utf8) + objects.flatMap { hash in hash.withBytes { Array($0) } })
    }
}

extension ObjectStore {
    func has(_ object: PreparedObject) throws -> Bool {
        try read(object.hash, object.kind) == object.raw()
    }
}
