import Platform
import Synchronization

/// A transport that sends and receives no more bytes a second than it is told.
public final class LimitedTransport: Transport {
    /// What is shorter passes at once, so that heartbeats, which measure time, never wait behind content. It counts all the same.
    private static let shortest = 4096

    private let base: any Transport
    private let up: RateLimit?
    private let down: RateLimit?

    /// - Parameters:
    ///   - up: bytes a second that are sent; nil for any number.
    ///   - down: the same of those received.
    public init(_ base: any Transport, up: UInt64?, down: UInt64?, time: any TimeSource = SystemTime()) {
        self.base = base
        self.up = up.map { RateLimit(bytesPerSecond: $0, time: time) }
        self.down = down.map { RateLimit(bytesPerSecond: $0, time: time) }
    }

    public func send(_ request: TransportRequest) async throws(TransportError) -> TransportResponse {
        await up?.take(request.body.count, waits: request.body.count > LimitedTransport.shortest)
        let response = try await base.send(request)
        guard let down else { return response }
        return TransportResponse(status: response.status, body: TransportBody { () async throws(TransportError) in
            let piece = try await response.body.next()
            if let piece { await down.take(piece.count, waits: piece.count > LimitedTransport.shortest) }
            return piece
        })
    }
}

/// So many bytes a second, for all who ask together.
final class RateLimit: Sendable {
    private let bytesPerSecond: UInt64
    private let time: any TimeSource
    /// When the line is free again, in microseconds.
    private let free = Mutex<UInt64>(0)

    init(bytesPerSecond: UInt64, time: any TimeSource) {
        precondition(bytesPerSecond > 0, "a limit of nothing is a pause")
        self.bytesPerSecond = bytesPerSecond
        self.time = time
    }

    /// How long whoever wants so many bytes now has to wait, in microseconds.
    func reserve(_ count: Int) -> UInt64 {
        let now = time.monotonicMicroseconds()
        return free.withLock { free in
            free = max(free, now) + UInt64(count) * 1_000_000 / bytesPerSecond
            return free - now
        }
    }

    func take(_ count: Int, waits: Bool) async {
        let wait = reserve(count)
        // One who is cancelled goes on at once, and finds out by itself.
        if waits, wait > 0 { try? await Sleep.wait(.microseconds(Int64(clamping: wait))) }
    }
}
