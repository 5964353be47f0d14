import Access
import Causality
import Content
import FileDatabase
import HTTPTypes
import Hummingbird
import Merkle
import NIOCore
import Objects
import Platform

/// `PUT /files/{path}`: the body becomes the file; with a slash at the end and no body, a directory; with `chunks=true`, a file
/// of the chunks whose hashes are the body.
func putFile(_ call: Call) async throws -> Response {
    let place = try call.filePath()
    let path = place.path
    var query = try call.query()
    let isOfChunks = try query.flag("chunks") ?? false
    try query.finish()
    try Call.refuseView(path)
    try call.require(.write, path)
    let condition = try WriteCondition(call.request.headers)
    do {
        if place.hasSlash { return try await putDirectory(call, path, condition) }
        return isOfChunks ? try await putChunks(call, path, condition) : try await putFile(call, path, condition)
    } catch let error as DatabaseError where error.code == .preconditionFailed && !call.principal.may(.read, path) {
        // The reason names the content, which is not for everyone who may write.
        throw Problem(.preconditionFailed, "the condition does not hold", path: path)
    }
}

private func putDirectory(_ call: Call, _ path: TreePath, _ condition: WriteCondition) async throws -> Response {
    try await call.readBody { piece in
        if piece.readableBytes > 0 {
            throw Problem(.badRequest, "a path with a slash at its end is a directory, which takes no body", path: path)
        }
    }
    let result = try await call.database.put(.directory, at: path, if: condition)
    return written(result)
}

private func putFile(_ call: Call, _ path: TreePath, _ condition: WriteCondition) async throws -> Response {
    let headers = try FileHeaders(call.request.headers, name: path.name ?? "")
    let database = call.database
    let length = call.announcedLength
    let isSmall = length.map { $0 <= UInt64(Chunker.minimumSize) } ?? false
    if !isSmall || call.request.headers[.expect] != nil {
        // Better told now than after the upload. The commit checks again.
        try await database.threads.run { try database.checkPut(isDirectory: false, at: path, if: condition) }
    }
    let content: FileContent
    let objects: [PreparedObject]
    var largeUpload: FileUpload?
    defer { withExtendedLifetime(largeUpload) {} }
    if isSmall {
        // One chunk by the rules of the chunker, whatever is in it.
        let body = try await call.collectBody(limit: Chunker.minimumSize)
        let object = PreparedObject(.chunk, Array(buffer: body))
        content = FileContent(root: object.hash, height: 0, size: UInt64(body.readableBytes))
        objects = [object]
    } else {
        let upload = FileUpload(to: database)
        largeUpload = upload
        try await call.readBody { piece in
            piece.withUnsafeReadableBytes { upload.add($0) }
            try await upload.drain()
        }
        (content, objects) = try await upload.finish()
    }
    return written(try await database.put(.file(headers.value(content, database)), at: path, objects: objects, if: condition))
}

/// A file whose chunks were sent to `/bulk/objects`, so that an upload that broke off goes on where it stopped.
private func putChunks(_ call: Call, _ path: TreePath, _ condition: WriteCondition) async throws -> Response {
    let headers = try FileHeaders(call.request.headers, name: path.name ?? "")
    let database = call.database
    // What is found here stays until the file is.
    let hold = database.holdObjects()
    defer { hold.end() }
    try await database.threads.run { try database.checkPut(isDirectory: false, at: path, if: condition) }
    var list = ChunkList(call.node, call.principal)
    try await call.readBody { piece in
        list.add(piece)
        try await list.drain()
    }
    let (content, objects) = try await list.finish(path)
    return written(try await database.put(.file(headers.value(content, database)), at: path, objects: objects, if: condition))
}

private func written(_ result: WriteResult) -> Response {
    var response = Response.json(result.isNew ? .created : .ok) { $0.item(result.info) }
    if let hash = result.info.contentHash { response.headers[.eTag] = "\"\(hash)\"" }
    return response
}

/// What the headers of a PUT say of the file.
private struct FileHeaders {
    var mediaType: String
    var modifiedAt: Int64?
    var isExecutable = false

    init(_ headers: HTTPFields, name: String) throws(Problem) {
        if headers[.contentRange] != nil {
            throw Problem(.badRequest, "a part of a file cannot be put; send the whole file without 'Content-Range'")
        }
        if let encoding = headers[.contentEncoding], encoding.lowercased() != "identity" {
            throw Problem(.unsupportedMediaType, "the body is stored as it comes; send it without 'Content-Encoding'")
        }
        if let type = headers[.contentType] {
            guard MediaType.isValid(type) else { throw Problem(.badRequest, "'Content-Type' is no media type of at most 255 bytes") }
            mediaType = type
        } else {
            mediaType = MediaType.guess(fromName: name)
        }
        if let text = headers[.pandoModifiedAt] {
            guard let time = HTTPTime.nanoseconds(rfc3339: text) else {
                let fault = HTTPTime.fault(inRFC3339: text) ?? "cannot be read"
                throw Problem(.badRequest, "'Pando-Modified-At': '\(text.prefix(80))' \(fault)")
            }
            modifiedAt = time
        }
        switch headers[.pandoExecutable] {
        case nil, "false": break
        case "true": isExecutable = true
        default: throw Problem(.badRequest, "'Pando-Executable' must be true or false")
        }
    }

    func value(_ content: FileContent, _ database: FileDatabase) -> FileValue {
        FileValue(
            content: content, mediaType: mediaType, isExecutable: isExecutable, modifiedAt: modifiedAt ?? Int64(clamping: database.now) * 1000)
    }
}
