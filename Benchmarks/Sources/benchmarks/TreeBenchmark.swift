import Causality
import Content
import FileDatabase
import Foundation
import Merkle
import Objects
import Platform

/// One directory with very many entries: in memory, over the object store, and in a whole database whose disk does not sync.
struct TreeBenchmark {
    let settings: Settings

    func run(_ report: inout Report) async throws {
        for count in [10_000, 100_000, 1_000_000] where count <= max(settings.largestDirectory, 10_000) {
            let prefix = "tree/\(count)"
            var memory = MemoryNodes()
            let base = try build(count, in: &memory, prefix, &report)
            try measure(base, count, in: &memory, prefix + " in memory", goal: .atMost(1000), &report)
            try overStore(base, count, memory, prefix, &report)
            try await inDatabase(count, prefix, &report)
        }
    }

    private func build(_ count: Int, in nodes: inout MemoryNodes, _ name: String, _ report: inout Report) throws -> Subtree {
        let edits = (0..<count).map { TreeBenchmark.edit($0, generation: 0) }
        var rates: [Double] = []
        var base = Subtree.empty
        for _ in 0..<(count < 1_000_000 ? settings.runs : 1) {
            nodes = MemoryNodes()
            rates.append(Double(count) / (try seconds { base = try Subtree.empty.applying(edits, in: &nodes) }))
        }
        let bytes = nodes.nodes.values.reduce(0) { $0 + $1.bytes.count }
        report.add(name + " build", rates, "entries/s", note: "\(bytes / count) bytes an entry, \(nodes.nodes.count) nodes")
        return base
    }

    /// - Parameter flush: Called after each edit, as a part of it.
    private func measure<Nodes: NodeStore>(
        _ base: Subtree, _ count: Int, in nodes: inout Nodes, _ name: String, goal: Goal, _ report: inout Report,
        flush: (inout Nodes) throws -> Void = { _ in }
    ) throws {
        var numbers = Numbers(seed: UInt64(count))
        var edited: [Subtree] = []
        report.add(name + ": edit one", try readings(max(50, settings.scaled(1000))) {
            TreeBenchmark.edit(Int.random(in: 0..<count, using: &numbers), generation: edited.count + 1)
        } of: { edit in
            edited.append(try base.applying([edit], in: &nodes))
            try flush(&nodes)
        }, "us", goal: goal)
        report.add(name + ": edit 1,000 at once", try readings(max(3, settings.scaled(20))) {
            (0..<1000).map { TreeBenchmark.edit($0 * (count / 1000), generation: Int(numbers.next() >> 40)) }
        } of: { edits in
            keep(try base.applying(edits, in: &nodes))
            try flush(&nodes)
        }, "us")
        report.add(name + ": look up", try readings(max(5, settings.scaled(50)), operations: 1000) {
            (0..<1000).map { _ in TreeBenchmark.name(Int.random(in: 0..<count, using: &numbers)) }
        } of: { names in
            for name in names { keep(try base.entry(named: name, in: nodes)) }
        }, "us")
        var found = 0
        report.add(name + ": diff of one change", try readings(edited.count - 1) {
            edited.removeLast()
        } of: { other in
            var diff = try TreeDiff(from: base, to: other, in: nodes)
            while try diff.next() != nil { found += 1 }
        }, "us")
        precondition(found > 0, "a changed tree differs")
    }

    /// Microseconds that an operation took, reading by reading, after one that warms up. `prepare` is not measured.
    private func readings<Input>(
        _ count: Int, operations: Int = 1, _ prepare: () -> Input, of operation: (Input) throws -> Void
    ) rethrows -> [Double] {
        var times: [Double] = []
        for reading in 0...count {
            let input = prepare()
            let time = try seconds { try operation(input) }
            if reading > 0 { times.append(time * 1e6 / Double(operations)) }
        }
        return times
    }

    // MARK: Over the object store

    /// Nodes in a store, read and decoded anew each time: what an edit costs where no cache helps.
    private struct StoredNodes: NodeStore {
        let store: ObjectStore
        private var made: [ContentHash: TreeNode] = [:]

        init(_ store: ObjectStore) {
            self.store = store
        }

        func node(_ hash: ContentHash) throws -> TreeNode {
            if hash == TreeNode.empty.hash { return .empty }
            if let node = made[hash] { return node }
            return try TreeNode(store.read(hash, .tree), hash: hash)
        }

        mutating func insert(_ node: TreeNode) {
            made[node.hash] = node
        }

        mutating func flush() throws {
            try store.append(made.values.map { PreparedObject(.tree, $0.bytes, hash: $0.hash) })
            made.removeAll(keepingCapacity: true)
        }
    }

    private func overStore(_ base: Subtree, _ count: Int, _ memory: MemoryNodes, _ prefix: String, _ report: inout Report) throws {
        let scratch = try Scratch(in: settings.scratch)
        let store = try ObjectStore.empty(in: scratch.path, syncs: false)
        var nodes = StoredNodes(store)
        for node in memory.nodes.values { nodes.insert(node) }
        try nodes.flush()
        store.close()
        try measure(base, count, in: &nodes, prefix + " in a store, no cache", goal: .atMost(1000), &report) { try $0.flush() }
        store.close()
    }

    // MARK: In a database

    /// Single puts into a directory of this many entries, all that a put does but for the sync.
    private func inDatabase(_ count: Int, _ prefix: String, _ report: inout Report) async throws {
        let scratch = try Scratch(in: settings.scratch)
        let store = try ObjectStore.empty(in: scratch.path, syncs: false)
        let database = try FileDatabase(store: store, actor: .benchmark, time: SystemTime())
        defer { database.close() }
        let object = PreparedObject(.chunk, Array("the content of every file here".utf8))
        try store.append([object])
        let value = Value.file(FileValue(
            content: FileContent(root: object.hash, height: 0, size: UInt64(object.rawLength)), mediaType: "image/jpeg", modifiedAt: 0))
        let filling = try await seconds {
            for start in stride(from: 0, to: count, by: 50_000) {
                keep(try await database.put((start..<min(start + 50_000, count)).map {
                    FileDatabase.BulkItem(path: TreeBenchmark.path($0), value: value)
                }))
            }
        }
        report.add(prefix + " in a database: bulk put", [Double(count) / filling], "entries/s")
        var numbers = Numbers(seed: UInt64(count) + 7)
        var times: [Double] = []
        for _ in 0..<max(100, settings.scaled(2000)) {
            let path = TreeBenchmark.path(Int.random(in: 0..<count, using: &numbers))
            times.append(try await seconds { keep(try await database.put(value, at: path)) } * 1e6)
        }
        report.add(prefix + " in a database: put one, no sync", times, "us", goal: .atMost(1000),
                   note: String(format: "p99 %.0f us", percentile(times, 99)))
    }

    // MARK: Entries

    private static func name(_ index: Int) -> String {
        let digits = String(index)
        return "IMG_" + String(repeating: "0", count: max(0, 7 - digits.count)) + digits + ".jpg"
    }

    private static func path(_ index: Int) -> TreePath {
        TreePath.root.appending(name(index))
    }

    /// A file as another write of this generation would leave it.
    private static func edit(_ index: Int, generation: Int) -> TreeEdit {
        var numbers = Numbers(seed: UInt64(index) << 20 ^ UInt64(generation))
        let root = numbers.bytes(ContentHash.byteCount).withUnsafeBytes { ContentHash($0) }
        let file = FileValue(
            content: FileContent(root: root, height: 0, size: 4096), mediaType: "image/jpeg",
            modifiedAt: 1_700_000_000_000_000_000 + Int64(index))
        let time = Timestamp(microseconds: 1_700_000_000_000_000 + UInt64(index) + UInt64(generation))
        return TreeEdit(path(index), .set(Register(Version(
            dot: Dot(timestamp: time, actor: .benchmark), past: VersionVector(), value: .file(file)))))
    }
}
