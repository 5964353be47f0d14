import Access
import Content
import FileDatabase
import Hummingbird
import Merkle
import Objects
import Platform

/// What changed between two states, for programs that keep a copy.
func addDiffRoutes(to routes: inout Routes) {
    routes.on(.post, "/sync/diff") { try await diff($0) }
}

/// `POST /sync/diff` `{"since": ROOT or null, "paths"?: [GLOB], "after"?, "limit"?}`.
///
/// All pages show the way to one and the same root, the one that was current when the first was asked for: the cursor
/// names it. Whatever changes meanwhile is in the next diff.
private func diff(_ call: Call) async throws -> Response {
    try call.refuseQuery()
    var fields = try await call.fields()
    let since = try fields.text("since").map { text throws(Problem) in
        guard let root = ContentHash(text) else { throw Problem(.badRequest, "'since' must be a root of 64 hexadecimal digits, or null") }
        return root
    }
    let globs = try (try fields.texts("paths") ?? []).map { try Glob($0) }
    let place = try fields.text("after").map { try DiffCursor($0) }
    let limit = try fields.integer("limit", in: 1...ServerLimits.maximumListing) ?? ServerLimits.listing
    try fields.finish()
    let (database, view) = (call.database, call.database.view)
    let (target, rules) = (place?.root ?? view.files.root, call.principal.rules)
    guard rules.rules.contains(where: { $0.allow.contains(.list) || $0.allow.contains(.read) }) else {
        throw Problem(.forbidden, "the key's rules allow to see nothing")
    }
    return try await database.threads.run {
        for root in [since, target].compactMap(\.self) where try database.storedNode(root) == nil {
            throw Problem(.gone, "the root \(root) is no longer known here; start again with \"since\": null")
        }
        // The rules speak of paths from the root. Taken for one, the root of a directory that the key may not see would show it.
        for root in [since, place?.root].compactMap(\.self) where !rules.isUnrestricted {
            guard try view.hadRoot(root, limit: ServerLimits.diffCommits) else {
                throw Problem(.gone, "the root \(root) is no longer known here; start again with \"since\": null")
            }
        }
        do {
            var walk = try TreeDiff(
                from: Subtree(root: since ?? Subtree.empty.root, aggregates: .zero), to: Subtree(root: target, aggregates: .zero),
                in: view.reader, tellsVisibility: true, after: place?.path
            ) { path in
                (globs.isEmpty || globs.contains { $0.canMatch(below: path) })
                    && (rules.mayAllow(.list, below: path) || rules.mayAllow(.read, below: path))
            }
            var page = DiffPage(limit: limit)
            while let difference = try walk.next() {
                guard globs.isEmpty || globs.contains(where: { $0.matches(difference.path) }),
                    rules.allows(.list, difference.path) || rules.allows(.read, difference.path)
                else { continue }
                if !page.add(difference) { break }
            }
            return page.response(root: target, since: since)
        } catch let error as StoreError where error.code == .missing && (since != nil || place != nil) {
            throw Problem(.gone, "a part of that state is no longer here; start again with \"since\": null")
        }
    }
}

/// Where a diff goes on: the root that it leads to, and the last path.
private struct DiffCursor {
    var root: ContentHash
    var path: TreePath

    init(_ text: String) throws {
        let bytes = try Cursor.decode(text)
        guard bytes.count > ContentHash.byteCount else { throw Cursor.malformed }
        root = bytes.withUnsafeBytes { ContentHash(UnsafeRawBufferPointer(rebasing: $0[..<ContentHash.byteCount])) }
        path = try Cursor.path(bytes[ContentHash.byteCount...])
    }

    static func encode(_ root: ContentHash, _ path: TreePath) -> String {
        Cursor.encode(root.withBytes { Array($0) } + Array(path.description.utf8))
    }
}

private struct DiffPage {
    private let limit: Int
    private var added: [FileInfo] = []
    private var modified: [FileInfo] = []
    private var deleted: [FileInfo] = []
    private var last: TreePath?
    private var isComplete = true

    init(limit: Int) {
        self.limit = limit
    }

    /// Takes a path if files and links differ there for whoever looks; directories show through what is in them.
    /// - Returns: false if the page is full.
    mutating func add(_ difference: TreeDifference) -> Bool {
        func file(_ entry: Entry) -> FileInfo? {
            FileInfo(difference.path, entry).flatMap { $0.kind == .directory ? nil : $0 }
        }
        let name = difference.path.name ?? ""
        let before = file(Entry(name: name, register: difference.before, subtree: difference.subtreeBefore))
        let after = file(Entry(name: name, register: difference.after, subtree: difference.subtreeAfter))
        if before == after { return true }
        guard added.count + modified.count + deleted.count < limit else {
            isComplete = false
            return false
        }
        switch (before, after) {
        case (nil, let after?): added.append(after)
        case (let before?, nil): deleted.append(before)
        case (_, let after?): modified.append(after)
        case (nil, nil): break
        }
        last = difference.path
        return true
    }

    func response(root: ContentHash, since: ContentHash?) -> Response {
        .json(reserving: 256 + (added.count + modified.count + deleted.count) * 384) { json in
            json.object { json in
                json.field("root", root)
                json.field("since", since)
                json.key("added")
                json.array { json in for info in added { json.item(info) } }
                json.key("modified")
                json.array { json in for info in modified { json.item(info) } }
                json.key("deleted")
                json.array { json in for info in deleted { json.item(info) } }
                json.field("next", isComplete ? nil : last.map { DiffCursor.encode(root, $0) })
            }
        }
    }
}
