import Access
import Causality
import Content
import FileDatabase
import Hummingbird
import Merkle
import NIOCore
import Node
import Objects
import Platform
import Replication

/// Changes and content for one caller.
struct ScopedStreams: Sendable {
    private static let maximumGlobs = 1000

    let call: Call
    let tree: Tree

    private var rules: RuleSet { call.rules(of: tree) }

    // MARK: Changes

    /// The registers that changed since a cursor, as far as the caller may read them.
    ///
    /// - Parameter hasPrefixes: whether they may be packed after what the cursor stands for.
    func changes(_ body: ByteBuffer, isPacked: Bool, hasPrefixes: Bool) async throws -> Response {
        let bytes = Array(buffer: body)
        var decoder = CanonicalDecoder(bytes)
        let cursor = Array(bytes[try decoder.readByteString(limit: ChangeReader.maximumCursorSize)])
        var globs: [Glob] = []
        for _ in 0..<(try decoder.readCount(limit: ScopedStreams.maximumGlobs)) { globs.append(try Glob(decoder.readText(limit: Glob.maximumLength))) }
        try decoder.finish()
        let (node, caller, database, view) = (call.node, call.principal, call.database, call.database.view)
        let scope = node.scopeName(of: caller, tree: tree, wanting: globs)
        // A cursor of other rules would leave out what those did not show.
        var state: ContentHash?
        if let known = node.opened(cursor, for: caller), known.scope == scope,
            try await database.threads.run({ try database.storedNode(known.root) }) != nil
        {
            state = known.root
        }
        let (since, isWhole) = (state ?? TreeNode.empty.hash, state == nil)
        // What this node has dropped on request is not gone.
        let horizon = tree == .files && node.isWhole ? database.horizon : .zero
        let target = view.head[tree]
        let next = node.sealed(ScopeCursor(root: target.root, scope: scope), for: caller)
        let wanted = globs.isEmpty ? rules : rules.limited(to: globs)
        let known = Subtree(root: since, aggregates: .zero)
        let shared = hasPrefixes && !isWhole ? SharedRegisters(known, readableBy: wanted, in: view) : nil
        let walk = ScopedChanges(view, from: known, to: target, rules: wanted, tellsForgotten: horizon > .zero, findsMoves: shared != nil)
        return Response(status: .ok, headers: [.contentType: "application/octet-stream"], body: ResponseBody { writer in
            // What waits for a slow caller is packed, and nothing else.
            @Sendable func piece(after head: [UInt8]) throws -> (bytes: [UInt8], isLast: Bool) {
                let page = try walk.next()
                let end = page.isLast ? ChangeReader.end : []
                if let shared { return (shared.pack(head: head, page.records, end: end), page.isLast) }
                let message = head + page.records.flatMap(\.bytes) + end
                return (isPacked ? PackedRecords.pack(message) : message, page.isLast)
            }
            var head = ChangeReader.head(cursor: next, isWhole: isWhole, horizon: horizon)
            do {
                var isLast = false
                while !isLast {
                    // A short answer is one piece.
                    let bytes: [UInt8]
                    (bytes, isLast) = try await database.threads.run { [head] in try piece(after: head) }
                    try await writer.write(ByteBuffer(bytes: bytes))
                    head = []
                }
            } catch {
                // The next one who asks finds it mended.
                _ = await node.mend(after: error)
                throw error
            }
            try await writer.finish(nil)
        })
    }

    // MARK: Content

    /// The objects at places of files, in the state of the cursor.
    ///
    /// - Parameter isChecked: whether each is compared with its hash; otherwise that is left to the receiver.
    func objects(_ body: ByteBuffer, isChecked: Bool) async throws -> Response {
        let request = try ContentRequest(decoding: Array(buffer: body))
        let (database, rules, reader) = (call.database, rules, call.database.view.reader)
        // Without a state that the caller was told of there is nothing to be found.
        let root = call.node.opened(request.cursor, for: call.principal)?.root ?? TreeNode.empty.hash
        let hashes = try await database.threads.run {
            let tree = Subtree(root: root, aggregates: .zero)
            var places = ManifestPlaces(database)
            var hashes: [ContentHash] = []
            for file in request.files {
                let versions = rules.allows(.read, file.path) ? tree.files(at: file.path, root: file.root, in: reader) : []
                for place in file.places {
                    var hash: ContentHash?
                    if place.height == ContentPlace.attributes {
                        let attributes = versions.map(\.attributes)
                        hash = place.offset == 0 ? attributes.first ?? nil : attributes.first { $0.map(ContentPlace.init(attributes:)) == place } ?? nil
                    } else if let content = versions.first?.content {
                        hash = try places.object(of: content, height: place.height, offset: place.offset)
                    }
                    hashes.append(hash ?? .zero)
                }
            }
            return hashes
        }
        return ReplicationStreams(node: call.node).frames(
            of: hashes, kinds: [.chunk, .manifest, .attributes], isChecked: isChecked)
    }
}

extension Subtree {
    /// The versions of a path, winner or losers, that are files of this root; none also where that state is gone.
    fileprivate func files(at path: TreePath, root: ContentHash, in reader: some NodeReader) -> [FileValue] {
        if path.isRoot { return [] }
        return ((try? entry(at: path, in: reader))?.register?.versions ?? []).compactMap { version in
            if case .file(let file) = version.value, file.content.root == root { file } else { nil }
        }
    }
}

/// A walk through what changed within some rules, a page at a time. One task uses it, on whichever thread.
private final class ScopedChanges: @unchecked Sendable {
    private static let pageSize = 64 << 10
    /// Where moves are looked for, which are found within a page.
    private static let largePageSize = 4 << 20

    private let view: TreeView
    private let since: Subtree
    private let target: Subtree
    private var rules: RuleCursor
    private let tellsForgotten: Bool
    private let findsMoves: Bool
    private var step: (() throws -> TreeDifference?)?

    init(_ view: TreeView, from since: Subtree, to target: Subtree, rules: RuleSet, tellsForgotten: Bool, findsMoves: Bool) {
        self.view = view
        self.since = since
        self.target = target
        self.rules = RuleCursor(rules)
        self.tellsForgotten = tellsForgotten
        self.findsMoves = findsMoves
    }

    /// The next records, and whether they are the last. Blocks.
    func next() throws -> (records: [OutgoingRecord], isLast: Bool) {
        let step = try self.step ?? begin()
        self.step = step
        var records: [OutgoingRecord] = []
        var size = 0
        var isLast = false
        var contents: [(record: Int, root: ContentHash)] = []
        var gone: [ContentHash: TreePath] = [:]
        while size < (findsMoves ? ScopedChanges.largePageSize : ScopedChanges.pageSize) {
            guard let difference = try step() else {
                isLast = true
                break
            }
            guard rules.allows(.read, difference.path) else { continue }
            var record: OutgoingRecord
            if let register = difference.after {
                record = OutgoingRecord(bytes: ChangeReader.record(difference.path, register), source: nil)
                if findsMoves, register.winner.value.isTombstone {
                    record.source = difference.path
                    for case .file(let file) in (difference.before?.versions ?? []).map(\.value) { gone[file.content.root] = difference.path }
                } else if findsMoves, case .file(let file) = register.winner.value {
                    contents.append((records.count, file.content.root))
                }
            } else if tellsForgotten {
                // Full members drop deletions by themselves; the caller does not know the horizon.
                record = OutgoingRecord(bytes: ChangeReader.forgotten(difference.path), source: nil)
            } else {
                continue
            }
            size += record.bytes.count
            records.append(record)
        }
        for (record, root) in contents { records[record].source = gone[root] }
        return (records, isLast)
    }

    private func begin() throws -> () throws -> TreeDifference? {
        var diff = try TreeDiff(from: since, to: target, in: view.reader) { [unowned self] path in
            rules.mayAllow(.read, below: path)
        }
        return { try diff.next() }
    }
}
