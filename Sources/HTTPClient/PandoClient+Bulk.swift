import AsyncHTTPClient
import Causality
import Content
import NIOCore
import NIOHTTP1
import Replication

/// One path of a bulk commit.
public struct BulkWrite: Sendable {
    public var path: String
    public var value: Value
    /// Refuse the commit if something is there already.
    public var onlyIfAbsent: Bool

    public init(path: String, value: Value, onlyIfAbsent: Bool = false) {
        self.path = path
        self.value = value
        self.onlyIfAbsent = onlyIfAbsent
    }
}

/// What a bulk commit did.
public struct BulkCommit: Codable, Sendable {
    public var created: Int
    public var replaced: Int
    public var unchanged: Int
    public var commit: String?
}

extension PandoClient {
    /// How many hashes one question, and how many paths one commit may have.
    public static let maximumBulkCount = 65_536

    /// Which of the objects the node lacks, in the order asked.
    public func missing(_ hashes: [ContentHash]) async throws -> [ContentHash] {
        precondition(hashes.count <= PandoClient.maximumBulkCount, "too many hashes for one question")
        if hashes.isEmpty { return [] }
        var body: [UInt8] = []
        body.reserveCapacity(hashes.count * ContentHash.byteCount)
        for hash in hashes { hash.withBytes { body.append(contentsOf: $0) } }
        let response = try await send(.POST, "/bulk/missing", headers: PandoClient.binary, body: PandoClient.source(body))
        let answer = try await bytes(of: response)
        guard answer.count % ContentHash.byteCount == 0, answer.count <= body.count else {
            throw ClientError(
                title: "unexpected answer", detail: "the node answered \(answer.count) bytes that are no list of hashes")
        }
        return answer.withUnsafeBytes { bytes in
            stride(from: 0, to: bytes.count, by: ContentHash.byteCount).map {
                ContentHash(UnsafeRawBufferPointer(rebasing: bytes[$0..<$0 + ContentHash.byteCount]))
            }
        }
    }

    /// Sends objects.
    ///
    /// - Parameters:
    ///   - frames: object frames, one after another, without the byte that ends them.
    ///   - ranges: which parts of `frames` to send; whole frames.
    public func send(objects frames: [UInt8], ranges: [Range<Int>]) async throws {
        let body = RangedBody(bytes: frames, ranges: ranges, end: [ObjectFrame.end])
        let response = try await send(
            .POST, "/bulk/objects", headers: PandoClient.binary,
            body: { .stream(body, length: .known(body.length)) })
        try await discard(response)
    }

    /// Writes many paths at once: all of them or none.
    public func commit(_ writes: some Collection<BulkWrite>) async throws -> BulkCommit {
        precondition(writes.count <= PandoClient.maximumBulkCount, "too many paths for one commit")
        var encoder = CanonicalEncoder(reserving: writes.count * 128)
        encoder.write(writes.count)
        for write in writes {
            encoder.write(write.path)
            encoder.write(byte: write.onlyIfAbsent ? 1 : 0)
            write.value.encode(to: &encoder)
        }
        let response = try await send(
            .POST, "/bulk/commit", headers: PandoClient.binary, body: PandoClient.source(encoder.bytes))
        return try await decode(BulkCommit.self, from: response)
    }

    private static let binary = [("Content-Type", "application/octet-stream")]

    private static func source(_ bytes: [UInt8]) -> BodySource {
        let buffer = ByteBuffer(bytes: bytes)
        return { .bytes(buffer) }
    }
}
