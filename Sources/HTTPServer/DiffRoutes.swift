import Access
import Content
import FileDatabase
import Hummingbird
import Merkle
import Node
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
    let name = try fields.text("since")
    let since = try name.map { try call.root(named: $0) }
    let globs = try (try fields.texts("paths") ?? []).map { try Glob(asked: $0) }
    guard globs.count <= Node.maximumSyncPaths else { throw Problem(.badRequest, "'paths' has more than \(Node.maximumSyncPaths) patterns") }
    let place = try fields.text("after").map { try DiffCursor($0, call) }
    let limit = try fields.integer("limit", in: 1...ServerLimits.maximumListing) ?? ServerLimits.listing
    try fields.finish()
    let (database, view) = (call.database, call.database.view)
    let (target, rules) = (place?.root ?? view.files.root, call.principal.rules)
    guard rules.rules.contains(where: { $0.allow.contains(.list) || $0.allow.contains(.read) }) else {
        throw Problem(.forbidden, "the key's rules allow to see nothing")
    }
    return try await database.threads.run {
        for root in [since, target].compactMap(\.self) where try database.storedNode(root) == nil { throw Problem.unknownRoot }
        do {
            let shown = ShownChanges(rules, globs: globs)
            var walk = try TreeDiff(
                from: Subtree(root: since ?? Subtree.empty.root, aggregates: .zero), to: Subtree(root: target, aggregates: .zero),
                in: view.reader, tellsVisibility: true, after: place?.path
            ) { shown.isShown(below: $0) }
            var page = DiffPage(limit: limit)
            while let difference = try walk.next() {
                if shown.isShown(difference.path), !page.add(difference) { break }
            }
            return page.response(call, root: target, since: name)
        } catch let error as StoreError where error.code == .missing && (since != nil || place != nil) {
            throw Problem.unknownRoot
        }
    }
}

extension Problem {
    fileprivate static let unknownRoot = Problem(.gone, "that root is no longer known here; start again with \"since\": null")
}

extension Call {
    /// What a root is called in a diff. It names the whole state, so those who may not see all of that get a sealed name, which holds
    /// as long as their rules do.
    fileprivate func name(of root: ContentHash) -> String {
        if principal.rules.isUnrestricted { return root.description }
        return Cursor.encode(node.sealed(ScopeCursor(root: root, scope: node.scopeName(of: principal)), .difference, for: principal))
    }

    fileprivate func root(named name: String) throws -> ContentHash {
        if principal.rules.isUnrestricted {
            guard let root = ContentHash(name) else { throw Problem(.badRequest, "'since' must be a root of 64 hexadecimal digits, or null") }
            return root
        }
        guard let cursor = node.opened(try Cursor.decode(name), .difference, for: principal), cursor.scope == node.scopeName(of: principal)
        else { throw Problem.unknownRoot }
        return cursor.root
    }
}

/// Where a diff goes on: the root that it leads to, and the last path.
private struct DiffCursor {
    var root: ContentHash
    var path: TreePath

    init(_ text: String, _ call: Call) throws {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 2 else { throw Cursor.malformed }
        root = try call.root(named: String(parts[0]))
        path = try Cursor.path(Cursor.decode(String(parts[1])))
    }

    static func encode(_ root: String, _ path: TreePath) -> String { "\(root).\(Cursor.encode(path))" }
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

    func response(_ call: Call, root: ContentHash, since: String?) -> Response {
        let root = call.name(of: root)
        return .json(reserving: 256 + (added.count + modified.count + deleted.count) * 384) { json in
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
