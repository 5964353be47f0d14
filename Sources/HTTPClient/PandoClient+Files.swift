import AsyncHTTPClient
import NIOCore
import NIOHTTP1

/// Where in time a path is read: a snapshot's name, a commit's hash, an RFC 3339 time, or nil for now.
public typealias When = String

/// A file on its way from the node.
public struct Download: Sendable {
    public var head: FileHead
    /// Bytes that will come, where the node said so.
    public var length: UInt64?
    public var body: ByteStream
}

extension PandoClient {
    static func target(ofFile path: String, _ query: [(String, String?)] = []) -> String {
        "/files" + PercentEncoding.path(path) + PercentEncoding.query(query)
    }

    /// The headers of a path.
    public func head(_ path: String, at when: When? = nil) async throws -> FileHead {
        let response: HTTPClientResponse
        do {
            response = try await send(.HEAD, PandoClient.target(ofFile: path, [("at", when)]))
        } catch var error as ClientError where error.status == 404 {
            // An answer to HEAD has no body that could say it.
            error.detail = when == nil ? "nothing is there" : "nothing was there, or there is no such time"
            error.path = path
            throw error
        }
        try await discard(response)
        return PandoClient.head(of: response, path: path)
    }

    /// What stands at a path, or nil where nothing does.
    public func kind(of path: String, at when: When? = nil) async throws -> FileKind? {
        do {
            return try await head(path, at: when).kind
        } catch let error as ClientError where error.status == 404 {
            return nil
        }
    }

    /// The bytes of a file, or a range of them.
    public func get(_ path: String, range: Range<UInt64>? = nil, at when: When? = nil, ifMatch hash: String? = nil) async throws -> Download {
        precondition(range?.isEmpty != true, "a range has a byte")
        var headers: [(String, String)] = []
        if let range { headers.append(("Range", "bytes=\(range.lowerBound)-\(range.upperBound - 1)")) }
        if let hash { headers.append(("If-Match", "\"\(hash)\"")) }
        let response = try await send(.GET, PandoClient.target(ofFile: path, [("at", when)]), headers: headers)
        if range != nil, response.status != .partialContent {
            throw ClientError(title: "unexpected answer", detail: "the node sent all of \(path) where a part was asked for")
        }
        return Download(
            head: PandoClient.head(of: response, path: path),
            length: response.headers.first(name: "Content-Length").flatMap { UInt64($0) },
            body: ByteStream(body: response.body, url: url))
    }

    /// Writes a file from pieces that come once; a lost connection is not retried.
    ///
    /// - Parameter length: bytes in all the pieces.
    public func put<Pieces: AsyncSequence & Sendable>(
        _ path: String, _ pieces: Pieces, length: Int64, contentType: String? = nil, ifMatch hash: String? = nil,
        onlyIfAbsent: Bool = false
    ) async throws -> WrittenFile where Pieces.Element == [UInt8] {
        var headers: [(String, String)] = []
        if let contentType { headers.append(("Content-Type", contentType)) }
        if let hash { headers.append(("If-Match", "\"\(hash)\"")) }
        if onlyIfAbsent { headers.append(("If-None-Match", "*")) }
        let response = try await send(
            .PUT, PandoClient.target(ofFile: path), headers: headers,
            body: { .stream(PieceBody(pieces: pieces), length: .known(length)) }, isRepeatable: false)
        return try await decode(WrittenFile.self, from: response)
    }

    /// Makes an empty directory.
    public func makeDirectory(_ path: String) async throws {
        let name = path.hasSuffix("/") ? path : path + "/"
        try await discard(try await send(.PUT, PandoClient.target(ofFile: name)))
    }

    /// One page of a directory.
    public func list<Item: Decodable & Sendable>(
        _ path: String, recursive: Bool = false, glob: String? = nil, at when: When? = nil, after cursor: String? = nil,
        limit: Int = 1000, as type: Item.Type = ListItem.self
    ) async throws -> Page<Item> {
        try await document(
            .GET,
            PandoClient.target(ofFile: path, [
                ("recursive", recursive ? "true" : nil), ("glob", glob), ("at", when), ("after", cursor), ("limit", "\(limit)"),
            ]))
    }

    /// The chunks of a file.
    public func chunks(of path: String, at when: When? = nil) async throws -> ChunkList {
        try await document(.GET, PandoClient.target(ofFile: path, [("chunks", "true"), ("at", when)]))
    }

    public func delete(_ path: String, recursive: Bool) async throws {
        let query = [("recursive", recursive ? "true" : nil)]
        try await discard(try await send(.DELETE, PandoClient.target(ofFile: path, query)))
    }

    /// Moves a file or a whole directory at once.
    public func move(_ path: String, to target: String, replace: Bool) async throws -> JSONValue {
        struct Move: Encodable {
            var to: String
            var replace: Bool?
        }
        return try await document(
            .PATCH, PandoClient.target(ofFile: path), body: Move(to: target, replace: replace ? true : nil), isRepeatable: false)
    }

    /// Copies by reference: no content moves.
    public func copy(_ path: String, to target: String) async throws -> JSONValue {
        try await document(.POST, "/files/copy", body: ["from": path, "to": target])
    }

    private static func head(of response: HTTPClientResponse, path: String) -> FileHead {
        let headers = response.headers
        let tag = headers.first(name: "ETag").map { $0.filter { $0 != "\"" } }
        // A directory has no content and so no tag, whatever else a node says of it.
        let kind = headers.first(name: "Pando-Kind").flatMap { FileKind(rawValue: $0) } ?? (tag == nil ? .directory : .file)
        var size = headers.first(name: "Content-Length").flatMap { UInt64($0) }
        if let total = headers.first(name: "Content-Range")?.split(separator: "/").last { size = UInt64(total) }
        var head = FileHead(
            path: path, kind: kind, conflicts: headers.first(name: "Pando-Conflicts").flatMap { UInt64($0) } ?? 0,
            executable: headers.first(name: "Pando-Executable") == "true")
        head.size = kind == .directory ? nil : size
        head.contentType = headers.first(name: "Content-Type")
        head.contentHash = tag
        head.modifiedAt = headers.first(name: "Pando-Modified-At") ?? headers.first(name: "Last-Modified")
        head.version = headers.first(name: "Pando-Version")
        head.target = headers.first(name: "Pando-Symlink-Target")
        return head
    }
}
