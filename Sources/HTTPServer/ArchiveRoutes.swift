import Access
import FileDatabase
import Foundation
import HTTPTypes
import Hummingbird
import Merkle
import NIOCore
import Platform

/// Many files and directories as one download. `POST /archives` says which; the answer's URL fetches them, for as long as the
/// order is kept, by whoever gave it. Two steps, because a browser saves only what it fetches by a plain GET, whose URL has no
/// room for thousands of paths.
func addArchiveRoutes(to routes: inout Routes) {
    let orders = ArchiveOrders()
    routes.on(.post, "/archives") { try await orderArchive($0, orders) }
    routes.on(.get, "/archives/{id}/{name}", access: .tokenOrSession) { try await sendArchive($0, orders) }
}

private func orderArchive(_ call: Call, _ orders: ArchiveOrders) async throws -> Response {
    try call.refuseQuery()
    var fields = try await call.fields()
    guard let texts = try fields.texts("paths"), !texts.isEmpty else {
        throw Problem(.badRequest, "the field 'paths' is missing: a list of the files and directories to pack")
    }
    guard texts.count <= ServerLimits.archivePaths else {
        throw Problem(.badRequest, "'paths' has \(texts.count) paths; at most \(ServerLimits.archivePaths) can be packed at once")
    }
    let formatName = try fields.text("format") ?? ArchiveFormat.zip.rawValue
    guard let format = ArchiveFormat(rawValue: formatName) else {
        throw Problem(.badRequest, "'format' is '\(formatName.prefix(80))'; zip and tar are known")
    }
    let moment = try fields.moment("at")
    try fields.finish()
    var paths: [TreePath] = []
    // What lies below another would be packed twice.
    for path in try texts.map({ try Call.filePath($0) }).sorted() where paths.last.map({ path.isWithin($0) }) != true {
        try Call.refuseViewed(path)
        paths.append(path)
    }
    try await call.database.threads.run { [paths, database = call.database] in
        let view = try database.view(at: moment ?? .now).view
        for path in paths {
            guard call.mayKnow(path), let info = try view.info(at: path) else { throw Problem.notFound(path) }
            if info.kind != .directory { try call.require(.read, path) }
        }
    }
    let id = orders.add(ArchiveOrders.Order(paths: paths, format: format, moment: moment, identity: call.principal.identity))
    let name = (paths.count == 1 ? paths[0].name : paths[0].parent?.name) ?? "files"
    return .json(.created) { json in
        json.object { json in
            json.field("url", "/archives/\(id)/\(PercentDecoding.encode(name)).\(format.rawValue)")
            json.field("expires_in", Int(ArchiveOrders.lifetime.components.seconds))
        }
    }
}

private func sendArchive(_ call: Call, _ orders: ArchiveOrders) async throws -> Response {
    try call.refuseQuery()
    guard let order = orders[try call.capture(0)], order.identity == call.principal.identity else {
        throw Problem(.notFound, "no such archive was ordered, or too long ago; order it again with POST /archives")
    }
    let (database, rules) = (call.database, call.principal.rules)
    let view = try await database.threads.run { try database.view(at: order.moment ?? .now).view }
    let walk = ArchiveWalk(order.paths, in: view, of: database, rules: rules)
    var headers: HTTPFields = [
        .contentType: order.format == .zip ? "application/zip" : "application/x-tar", .cacheControl: "no-store",
        .xContentTypeOptions: "nosniff", .contentDisposition: "attachment",
    ]
    headers[.contentSecurityPolicy] = "sandbox; default-src 'none'"
    return Response(status: .ok, headers: headers, body: ResponseBody { writer in
        // An error in here ends the connection before the last chunk: the only way left to tell the client.
        switch order.format {
        case .zip: try await sendZip(walk, database, to: &writer)
        case .tar: try await sendTar(walk, database, to: &writer)
        }
        try await writer.finish(nil)
    })
}

// MARK: - The two formats

/// Two walks over the same state: the contents, then the directory of the archive. Only sums stay in memory between them.
private func sendZip(_ walk: ArchiveWalk, _ database: FileDatabase, to writer: inout any ResponseBodyWriter) async throws {
    var offset: UInt64 = 0
    var sums: [UInt32] = []
    func send(_ bytes: [UInt8], _ writer: inout any ResponseBodyWriter) async throws {
        try await writer.write(ByteBuffer(bytes: bytes))
        offset += UInt64(bytes.count)
    }
    var contents = walk
    while let item = try await contents.next() {
        try await send(ZipFormat.localHeader(item), &writer)
        var sum = CRC32()
        try await item.read(from: database) { piece in
            sum.add(piece)
            try await writer.write(ByteBuffer(bytes: piece))
        }
        offset += item.size
        sums.append(sum.value)
        try await send(ZipFormat.descriptor(item, sum: sum.value), &writer)
    }
    let start = offset
    var place: UInt64 = 0
    var records = walk
    for sum in sums {
        guard let item = try await records.next() else { break }
        try await send(ZipFormat.centralRecord(item, sum: sum, offset: place), &writer)
        place += ZipFormat.length(item)
    }
    let length = offset - start
    try await send(ZipFormat.end(count: UInt64(sums.count), offset: start, length: length), &writer)
}

private func sendTar(_ walk: ArchiveWalk, _ database: FileDatabase, to writer: inout any ResponseBodyWriter) async throws {
    var walk = walk
    while let item = try await walk.next() {
        try await writer.write(ByteBuffer(bytes: TarFormat.header(item)))
        if item.kind != .file { continue }
        try await item.read(from: database) { try await writer.write(ByteBuffer(bytes: $0)) }
        let padding = TarFormat.padding(after: item.size)
        if padding > 0 { try await writer.write(ByteBuffer(repeating: 0, count: padding)) }
    }
    try await writer.write(ByteBuffer(repeating: 0, count: 2 * TarFormat.blockSize))
}
