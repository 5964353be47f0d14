import Access
import Causality
import Content
import FileDatabase
import HTTPTypes
import Hummingbird
import Merkle
import NIOCore
import Platform

/// History, snapshots, restore and retention.
func addVersionRoutes(to routes: inout Routes) {
    routes.on(.get, "/versions/history/{path...}") { try await history($0) }
    routes.on(.get, "/versions/history") { try await history($0) }
    routes.on(.get, "/versions/diff") { try await diffMoments($0) }
    routes.on(.post, "/versions/restore") { try await restore($0) }
    addSnapshotRoutes(to: &routes)
    addRetentionRoutes(to: &routes)
}

/// `GET /versions/history/{path}`: the kept versions of a path, the latest arrival first. Of a directory, those of everything at
/// and below it.
private func history(_ call: Call) async throws -> Response {
    let path = try call.filePath().path
    var query = try call.query()
    let limit = try query.limit()
    let place = try query.cursor().map { bytes throws(Problem) in
        guard let place = HistoryPage.Place(bytes) else { throw Cursor.malformed }
        return place
    }
    try query.finish()
    try Call.refuseViewed(path)
    if !call.mayKnow(path) { throw Problem.notFound(path) }
    let (database, rules) = (call.database, call.principal.rules)
    return try await database.threads.run {
        let entry = try database.view.entry(at: path)
        let isDirectory = path.isRoot || entry?.isDirectory == true || entry?.register == nil && entry?.subtree != nil
        let page: HistoryPage
        if isDirectory {
            let shown = ShownChanges(rules)
            page = try database.history(below: path, from: place, limit: limit) { shown.isShown($0) }
        } else {
            try call.require(.read, path)
            page = try database.history(of: path, from: place, limit: limit)
        }
        if page.items.isEmpty, place == nil, !path.isRoot, entry == nil { throw Problem(.notFound, "nothing is or was there", path: path) }
        return .json(reserving: 256 + page.items.count * 768) { json in
            json.object { json in
                json.field("path", path.description)
                json.field("kind", isDirectory ? "directory" : "file")
                json.key("items")
                json.array { json in for item in page.items { json.historyItem(item, showsCommit: rules.isUnrestricted) } }
                json.field("next", page.next.map { Cursor.encode($0.encoded) })
            }
        }
    }
}

extension JSONWriter {
    /// - Parameter showsCommit: whether the commit may be told of, which other paths can be a part of.
    fileprivate mutating func historyItem(_ item: HistoryItem, showsCommit: Bool) {
        let loserPath = item.status == .conflict ? TreeView.conflictsPath(of: item.version, at: item.path) : item.path
        version(item.version, path: loserPath) { json in
            json.field("commit", showsCommit ? item.commit.hash : nil)
            json.field("arrived_at", time: Int64(clamping: item.commit.time.microseconds) * 1000)
            json.field("cause", showsCommit ? item.commit.cause : nil)
            json.field("status", item.status.rawValue)
            json.field("reason", item.reason)
        }
    }

    /// The first paths that a restore changes, and its sums.
    fileprivate mutating func restoreResult(_ result: RestoreResult, isPreview: Bool) {
        object { json in
            json.field("preview", isPreview)
            json.field("restored", result.restored)
            json.field("reverted", result.reverted)
            json.field("deleted", result.deleted)
            json.field("bytes", result.bytes)
            json.field("before", result.before)
            json.field("commit", result.commit)
            json.key("paths")
            json.array { json in
                for (path, change) in result.paths {
                    json.object { json in
                        json.field("path", path.description)
                        json.field("change", change.rawValue)
                    }
                }
            }
        }
    }
}

// MARK: - Restore

/// `POST /versions/restore` `{"path", "at" or "version", "preview"?}`.
private func restore(_ call: Call) async throws -> Response {
    try call.refuseQuery()
    var fields = try await call.fields()
    let path = try Call.filePath(try fields.requiredText("path"))
    let moment = try fields.moment("at")
    let version = try fields.text("version")
    let isPreview = try fields.flag("preview") ?? false
    try fields.finish()
    try Call.refuseViewed(path)
    if !call.mayKnow(path) { throw Problem.notFound(path) }
    guard (moment == nil) != (version == nil) else {
        throw Problem(.badRequest, "give 'at' (a snapshot, a commit or a time) or 'version', one of them")
    }
    // What is put back can be anything that was there, and what was made since is deleted.
    let permissions: [Permission] = isPreview ? [.read] : [.read, .write, .delete]
    for permission in permissions { try call.require(permission, path) }
    let past: PastView? = if let moment {
        try await call.database.threads.run { [database = call.database] in try database.view(at: moment, for: path) }
    } else {
        nil
    }
    if !call.principal.rules.isUnrestricted {
        let views = [call.database.view] + (past.map { [$0.view] } ?? [])
        // Of a file, now and then, nothing lies below that could change.
        let isDirectory = try await call.database.threads.run { try views.contains { try $0.info(at: path)?.kind == .directory } }
        if isDirectory { for permission in permissions { try call.require(permission, below: path) } }
    }
    let result: RestoreResult
    if let version {
        result = try await call.database.restore(path, toVersion: version, isPreview: isPreview)
    } else if let past {
        do {
            result = try await call.database.restore(path, to: past.view, isPreview: isPreview)
        } catch let error as DatabaseError where error.code == .damaged {
            throw Problem.collected(path, error)
        }
    } else {
        preconditionFailure("one of the two was given")
    }
    return .json(reserving: 256 + result.paths.count * 128) { $0.restoreResult(result, isPreview: isPreview) }
}

// MARK: - Retention

private func addRetentionRoutes(to routes: inout Routes) {
    routes.on(.get, "/versions/retention") { call in
        try call.refuseQuery()
        try call.requireOwner()
        return try await retention(call.database)
    }
    routes.on(.put, "/versions/retention") { call in
        try call.refuseQuery()
        try call.requireOwner()
        var fields = try await call.fields()
        guard let values = try fields.array("rules") else { throw Problem(.badRequest, "the field 'rules' is missing") }
        let rules = try values.enumerated().map { index, value in
            var fields = try JSONFields(value, place: "rules[\(index)]")
            func days(_ name: String) throws -> Int? {
                // Absent is none, null is for ever: to forget a field must not mean to keep everything, nor the reverse.
                guard fields.contains(name) else { throw Problem(.badRequest, "the field 'rules[\(index)].\(name)' is missing; null is for ever, 0 is none") }
                return try fields.integer(name, in: 0...RetentionPolicy.maximumDays)
            }
            let rule = RetentionPolicy.Rule(
                path: try fields.requiredText("path"), allDays: try days("all_days"), dailyDays: try days("daily_days"),
                weeklyDays: try days("weekly_days"))
            try fields.finish()
            return rule
        }
        try fields.finish()
        try await call.database.setRetention(RetentionPolicy(rules: rules))
        return try await retention(call.database)
    }
}

private func retention(_ database: FileDatabase) async throws -> Response {
    let settings = try await database.threads.run { try database.retention() }
    return .json { json in
        json.object { json in
            json.setting(settings.current)
            json.key("rivals")
            json.array { json in for rival in settings.rivals { json.object { $0.setting(rival) } } }
        }
    }
}

extension JSONWriter {
    fileprivate mutating func setting(_ setting: RetentionSettings.Setting) {
        key("rules")
        array { json in
            for rule in setting.policy.rules {
                json.object { json in
                    json.field("path", rule.path)
                    json.field("all_days", rule.allDays)
                    json.field("daily_days", rule.dailyDays)
                    json.field("weekly_days", rule.weeklyDays)
                }
            }
        }
        field("is_default", setting.version == nil)
        field("version", setting.version?.dot.description)
        field("node", setting.version?.dot.actor.node.hash)
        field("set_at", time: setting.version?.dot.timestamp.nanoseconds)
    }
}
