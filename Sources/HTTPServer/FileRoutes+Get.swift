import Access
import Causality
import Content
import FileDatabase
import HTTPTypes
import Hummingbird
import Merkle
import NIOCore
import Node
import Platform

/// `GET /files/{path}`: a file's bytes, a directory's listing, or a link's target.
func getFile(_ call: Call) async throws -> Response {
    let place = try call.filePath()
    let query = try GetQuery(call)
    let isView = place.path.names.first == TreeView.conflictsName
    // What may not be known is not looked for, so that not even the time taken tells.
    if !isView, !call.mayKnow(place.path) { throw Problem.notFound(place.path) }
    let database = call.database
    // One trip to the threads for everything that may wait for the disk; the bytes of a small file come along.
    if let moment = query.moment {
        return try await database.threads.run {
            try answer(at: moment, for: place.path, database) { try getFile(call, place, query, $0) }
        }
    }
    let view = database.view
    return try await database.threads.run { try getFile(call, place, query, view) }
}

/// The same, of a state of the tree.
private func getFile(_ call: Call, _ place: FilePath, _ query: GetQuery, _ view: TreeView) throws -> Response {
    let database = call.database
    guard let info = try view.info(at: place.path) else { throw Problem.notFound(place.path) }
    try checkRules(call, info, view)
    if info.kind == .directory {
        guard !query.showsChunks else { throw Problem(.badRequest, "'chunks' is for files; this is a directory", path: place.path) }
        return try listing(of: place.path, query, view, call)
    }
    if place.hasSlash { throw Problem(.notFound, "is a \(info.kind.rawValue), not a directory; leave the last slash away", path: place.path) }
    guard !query.isListing else { throw Problem(.badRequest, "this is a file; only directories are listed", path: place.path) }
    if query.showsChunks { return try chunkList(info, database) }
    return try bytes(of: info, call)
}

/// The rules are those of the path, also for a losing version of it.
private func checkRules(_ call: Call, _ info: FileInfo, _ view: TreeView) throws {
    var path = info.path
    if path.names.first == TreeView.conflictsName {
        path = info.place
        if info.kind != .directory { path = path.parent ?? path }
        // A directory of the view stands for conflicts, of which there must be one to show.
        if info.kind == .directory, !path.isRoot, !call.principal.rules.isUnrestricted, !call.principal.may(.read, path) {
            guard try view.hasConflict(at: path, rules: call.principal.rules) else { throw Problem.notFound(info.path) }
        }
    }
    if info.kind == .directory ? call.mayList(path) : call.principal.may(.read, path) { return }
    if info.path.names.first == TreeView.conflictsName, info.kind == .directory, call.principal.may(.read, path) { return }
    throw info.kind != .directory && call.principal.may(.list, path)
        ? Problem(.forbidden, "the key's rules do not allow to read this", path: info.path) : .notFound(info.path)
}

// MARK: - Bytes

private func bytes(of info: FileInfo, _ call: Call) throws -> Response {
    let request = call.request
    guard let hash = info.contentHash else { throw Problem.notFound(info.path) }
    var headers = HTTPFields()
    headers.reserveCapacity(16)
    let modified = HTTPTime.seconds(info.modifiedAt ?? 0)
    headers[.eTag] = "\"\(hash)\""
    headers[.lastModified] = HTTPTime.imfFixdate(modified)
    describe(info, in: &headers)
    if let status = try failedCondition(request.headers, hash, modified, info.path) { return Response(status: status, headers: headers) }

    headers[.acceptRanges] = "bytes"
    headers[.contentType] = info.file?.mediaType ?? "text/plain; charset=utf-8"
    BrowserSafety.mark(&headers)
    var status = HTTPResponse.Status.ok
    var range = 0..<info.size
    if request.method == .get, let header = request.headers[.range], isRangeWanted(request.headers, hash, modified) {
        switch ByteRange(header, size: info.size) {
        case .whole: break
        case .part(let part):
            status = .partialContent
            range = part
            headers[.contentRange] = "bytes \(part.lowerBound)-\(part.upperBound - 1)/\(info.size)"
        case .unsatisfiable:
            var problem = Problem(.rangeNotSatisfiable, "the file has \(info.size) bytes", path: info.path)
            problem.headers[.contentRange] = "bytes */\(info.size)"
            throw problem
        }
    }
    headers[.contentLength] = String(range.upperBound - range.lowerBound)
    if request.method == .head { return Response(status: status, headers: headers) }
    return Response(status: status, headers: headers, body: try body(of: info, range, call.node))
}

private func body(of info: FileInfo, _ range: Range<UInt64>, _ node: Node) throws -> ResponseBody {
    let database = node.database
    if let target = info.symlinkTarget {
        return ResponseBody(byteBuffer: ByteBuffer(bytes: Array(target.utf8)[Int(range.lowerBound)..<Int(range.upperBound)]))
    }
    guard let content = info.file?.content else { return ResponseBody() }
    if content.height == 0 {
        let bytes = try database.chunk(of: content)
        return ResponseBody(byteBuffer: ByteBuffer(bytes: bytes[Int(range.lowerBound)..<Int(range.upperBound)]))
    }
    // The size is what a writer said, which may be more than there can ever be.
    return ResponseBody(contentLength: Int(clamping: range.upperBound - range.lowerBound)) { writer in
        // An error in here ends the connection before the announced length: the only way left to tell the client.
        try await node.read(content, range) { try await writer.write(ByteBuffer(bytes: $0)) }
        try await writer.finish(nil)
    }
}

/// The headers that tell of a path.
private func describe(_ info: FileInfo, in headers: inout HTTPFields) {
    if let version = info.version {
        headers[.pandoVersion] = version.dot.description
        headers[.pandoNode] = version.dot.actor.node.description
    }
    if let time = info.modifiedAt { headers[.pandoModifiedAt] = HTTPTime.rfc3339(time, digits: 9) }
    if info.conflicts > 0 { headers[.pandoConflicts] = String(info.conflicts) }
    if info.file?.isExecutable == true { headers[.pandoExecutable] = "true" }
    if info.kind != .file { headers[.pandoKind] = info.kind.rawValue }
    if let target = info.symlinkTarget { headers[.pandoSymlinkTarget] = PercentDecoding.encode(target) }
}

// MARK: - Conditions

/// RFC 9110, section 13.2.2.
/// - Returns: 304 if the client has what it asks for; nil to go on.
private func failedCondition(
    _ headers: HTTPFields, _ hash: ContentHash, _ modified: Int64, _ path: TreePath
) throws -> HTTPResponse.Status? {
    if let tags = try EntityTags(.ifMatch, in: headers) {
        guard tags.matchesStrongly(hash) else { throw Problem(.preconditionFailed, "the content is now \(hash)", path: path) }
    } else if let date = headers[.ifUnmodifiedSince].flatMap(HTTPTime.seconds(httpDate:)) {
        guard modified <= date else { throw Problem(.preconditionFailed, "it was modified after that time", path: path) }
    }
    if let tags = try EntityTags(.ifNoneMatch, in: headers) { return tags.matchesWeakly(hash) ? .notModified : nil }
    if let date = headers[.ifModifiedSince].flatMap(HTTPTime.seconds(httpDate:)), modified <= date { return .notModified }
    return nil
}

/// `If-Range`: the range only if the rest, which the client has, is still of the same content.
private func isRangeWanted(_ headers: HTTPFields, _ hash: ContentHash, _ modified: Int64) -> Bool {
    guard let condition = headers[.ifRange] else { return true }
    if condition.contains("\"") { return EntityTags(condition)?.matchesStrongly(hash) ?? false }
    return HTTPTime.seconds(httpDate: condition) == modified
}

// MARK: - Chunks

/// `?chunks=true`: where the file is cut, so that a reader fetches only the ranges that it lacks.
private func chunkList(_ info: FileInfo, _ database: FileDatabase) throws -> Response {
    guard let content = info.file?.content else { throw Problem(.badRequest, "a link has no chunks", path: info.path) }
    let chunks = try database.chunks(of: content, limit: ServerLimits.chunkList)
    return .json(reserving: 256 + chunks.count * 96) { json in
        json.object { json in
            json.field("content_hash", content.root)
            json.field("height", content.height)
            json.field("size", content.size)
            json.key("chunks")
            json.array { json in
                for chunk in chunks {
                    json.object { json in
                        json.field("hash", chunk.hash)
                        json.field("size", chunk.size)
                    }
                }
            }
        }
    }
}

// MARK: - Listings

private func listing(of path: TreePath, _ query: GetQuery, _ view: TreeView, _ call: Call) throws -> Response {
    let rules = call.principal.rules
    let isUnrestricted = rules.isUnrestricted
    var options = try query.listOptions(path)
    if !isUnrestricted { options.rules = rules }
    let page = try view.list(path, options)
    var cursor = RuleCursor(rules)
    func shown(_ info: FileInfo) -> JSONWriter.Shown {
        if isUnrestricted || info.kind != .directory { return .everything }
        if cursor.allowsAll(.list, below: info.place) { return .everything }
        return cursor.allows(.list, info.place) ? .withoutSums : .name
    }
    var response = Response.json(reserving: 256 + page.items.count * 384) { json in
        json.object { json in
            json.field("path", path.description)
            json.key("items")
            json.array { json in
                for info in page.items { json.item(info, shown(info)) }
            }
            json.field("next", page.next.map(Cursor.encode))
        }
    }
    response.headers[.pandoKind] = FileInfo.Kind.directory.rawValue
    return response
}

extension FileInfo {
    /// The path that the rules speak of: of a directory of `/.conflicts/`, the one whose conflicts it shows.
    fileprivate var place: TreePath {
        path.names.first == TreeView.conflictsName ? TreePath.root.appending(path.names.dropFirst()) : path
    }
}

/// The parameters of a GET.
private struct GetQuery: Sendable {
    var showsChunks = false
    var isListing = false
    /// Of the state to show; nil for the present.
    var moment: Moment?
    private var limit = ServerLimits.listing
    private var after: TreePath?
    private var isRecursive = false
    private var glob: String?

    init(_ call: Call) throws {
        if call.rawQuery.isEmpty { return }
        var query = try call.query()
        moment = try query.moment("at")
        showsChunks = try query.flag("chunks") ?? false
        let bounds = try query.integer("limit", in: 1...ServerLimits.maximumListing)
        let cursor = try query.cursor()
        let recursive = try query.flag("recursive")
        glob = query.text("glob")
        try query.finish()
        isListing = bounds != nil || cursor != nil || recursive != nil || glob != nil
        limit = bounds ?? limit
        after = try cursor.map { try Cursor.path($0) }
        isRecursive = recursive ?? false
    }

    func listOptions(_ path: TreePath) throws -> ListOptions {
        var options = ListOptions()
        options.limit = limit
        options.after = after
        options.recursive = isRecursive
        guard let glob else { return options }
        let isDeep = glob.contains("/") || glob.contains("**")
        options.recursive = isRecursive || isDeep
        if glob.hasPrefix("/") || glob.isEmpty {
            options.glob = try Glob(asked: glob)
        } else {
            // A lone name with `recursive` is looked for at every depth.
            let prefix = path.isRoot ? "/" : path.description + "/"
            options.glob = try Glob(asked: prefix + (isRecursive && !isDeep ? "**/" : "") + glob)
        }
        return options
    }
}
