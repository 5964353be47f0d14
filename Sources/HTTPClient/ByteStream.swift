import AsyncHTTPClient
import NIOCore

/// The body of an answer, as it arrives.
public struct ByteStream: AsyncSequence, Sendable {
    public typealias Element = [UInt8]

    let body: HTTPClientResponse.Body
    let url: String

    public struct AsyncIterator: AsyncIteratorProtocol {
        var base: HTTPClientResponse.Body.AsyncIterator
        let url: String

        public mutating func next() async throws -> [UInt8]? {
            do {
                guard let buffer = try await base.next() else { return nil }
                return Array(buffer.readableBytesView)
            } catch {
                throw ClientError.unanswered(error, url: url)
            }
        }
    }

    public func makeAsyncIterator() -> AsyncIterator {
        AsyncIterator(base: body.makeAsyncIterator(), url: url)
    }
}

/// Parts of an array, sent in buffers small enough that a slow connection holds no second copy of the whole.
struct RangedBody: AsyncSequence, Sendable {
    typealias Element = ByteBuffer

    static let pieceLength = 512 << 10

    let bytes: [UInt8]
    let ranges: [Range<Int>]
    /// Sent after the ranges.
    let end: [UInt8]

    var length: Int64 { Int64(ranges.reduce(end.count) { $0 + $1.count }) }

    struct AsyncIterator: AsyncIteratorProtocol {
        let body: RangedBody
        var index = 0
        var position: Int?
        var isDone = false

        // Called for every piece; many small ranges share a buffer.
        mutating func next() async -> ByteBuffer? {
            guard !isDone else { return nil }
            var buffer = ByteBufferAllocator().buffer(capacity: RangedBody.pieceLength)
            while index < body.ranges.count, buffer.readableBytes < RangedBody.pieceLength {
                let range = body.ranges[index]
                let start = position ?? range.lowerBound
                let stop = Swift.min(range.upperBound, start + RangedBody.pieceLength - buffer.readableBytes)
                body.bytes.withUnsafeBytes { _ = buffer.writeBytes(UnsafeRawBufferPointer(rebasing: $0[start..<stop])) }
                if stop == range.upperBound {
                    index += 1
                    position = nil
                } else {
                    position = stop
                }
            }
            if index == body.ranges.count {
                isDone = true
                buffer.writeBytes(body.end)
            }
            return buffer.readableBytes > 0 ? buffer : nil
        }
    }

    func makeAsyncIterator() -> AsyncIterator { AsyncIterator(body: self) }
}

/// Turns pieces from a caller into what the HTTP library sends.
struct PieceBody<Pieces: AsyncSequence & Sendable>: AsyncSequence, Sendable where Pieces.Element == [UInt8] {
    typealias Element = ByteBuffer

    let pieces: Pieces

    struct AsyncIterator: AsyncIteratorProtocol {
        var base: Pieces.AsyncIterator

        mutating func next() async throws -> ByteBuffer? {
            try await base.next().map { ByteBuffer(bytes: $0) }
        }
    }

    func makeAsyncIterator() -> AsyncIterator { AsyncIterator(base: pieces.makeAsyncIterator()) }
}
