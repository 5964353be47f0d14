import HTTPTypes
import Hummingbird
import NIOCore
import NIOHTTP1

extension Call {
    /// The body's length as the sender announced it; nil if it comes in chunks. No length and no chunks is no body.
    var announcedLength: UInt64? {
        if let length = request.headers[.contentLength] { return UInt64(length) }
        return request.headers[.transferEncoding] == nil ? 0 : nil
    }

    /// Gives the body to `take`, piece by piece, and returns when it has come in full.
    ///
    /// The next piece is read when `take` has returned, so a slow taker holds the sender back.
    /// - Throws: `Problem` 400 if the body ends early, and what `take` throws.
    func readBody(_ take: (ByteBuffer) async throws -> Void) async throws {
        if request.headers[.expect] != nil { channel.triggerUserOutboundEvent(BodyWanted(), promise: nil) }
        var received: UInt64 = 0
        var pieces = request.body.makeAsyncIterator()
        while let piece = try await next(&pieces) {
            received += UInt64(piece.readableBytes)
            try await take(piece)
        }
        if let length = announcedLength, received != length { throw Call.cutOff }
    }

    private func next(_ pieces: inout RequestBody.AsyncIterator) async throws -> ByteBuffer? {
        do {
            return try await pieces.next()
        } catch let error as HTTPParserError where error != .invalidEOFState {
            throw Problem(.badRequest, "the body is not what its header announced: \(error)")
        } catch {
            throw Call.cutOff
        }
    }

    private static let cutOff = Problem(.badRequest, "the body ended before its announced end; nothing was changed")

    /// The whole body.
    /// - Throws: `Problem` 413 if it is longer than `limit`.
    func collectBody(limit: Int) async throws -> ByteBuffer {
        func tooLarge() -> Problem { Problem(.contentTooLarge, "the body has more than \(limit) bytes") }
        if let length = announcedLength {
            if length > UInt64(limit) { throw tooLarge() }
            if length == 0 { return ByteBuffer() }
        }
        var body: ByteBuffer?
        try await readBody { piece in
            guard (body?.readableBytes ?? 0) + piece.readableBytes <= limit else { throw tooLarge() }
            if body == nil {
                body = piece
            } else {
                body?.writeImmutableBuffer(piece)
            }
        }
        return body ?? ByteBuffer()
    }

    /// The fields of a JSON object in the body; none where there is no body and that is allowed.
    func fields(orNone: Bool = false) async throws -> JSONFields {
        let body = try await collectBody(limit: ServerLimits.jsonBody)
        if orNone, body.readableBytes == 0 { return try JSONFields(.object([])) }
        let value: JSONValue
        do throws(JSONReader.Malformed) {
            value = try JSONReader.read(Array(buffer: body))
        } catch {
            throw Problem(.badRequest, "the body is not valid JSON: \(error.reason), at byte \(error.offset)")
        }
        return try JSONFields(value)
    }
}
