import Foundation
import Synchronization

#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

/// Stands between two nodes. Passes requests on and answers back, until it is told to lie.
final class LyingPeer: Sendable {
    struct Request: Sendable {
        var head: String
        var body: [UInt8]
        /// With the query.
        var target: String { String(head.split(separator: " ", maxSplits: 2)[1]) }
    }

    enum Lie: Sendable {
        /// These bytes on the wire, and the end of the connection.
        case raw([UInt8])
        /// A body of its own.
        case body([UInt8], status: Int = 200)
        /// The true body, changed.
        case changed(@Sendable ([UInt8]) -> [UInt8])
        /// A body without an end: first this, then that again and again.
        case endless(first: [UInt8], then: [UInt8])
        /// Nothing at all.
        case silence
    }

    private struct State {
        var lie: (@Sendable (Request) -> Lie?)?
        var running = 0
        var told = 0
        var descriptors: Set<Int32> = []
    }

    private let target: Int
    private let state = Mutex(State())
    private let listener = Mutex<Listener?>(nil)

    init(to port: Int = 0) throws {
        target = port
        let listener = try Listener { [weak self] in self?.serve($0) }
        self.listener.withLock { $0 = listener }
    }

    deinit { tell(nil) }

    var url: String { listener.withLock { $0?.url ?? "" } }
    /// Lies that were told since the last `tell`.
    var told: Int { state.withLock { $0.told } }
    /// Answers that are being given right now.
    var running: Int { state.withLock { $0.running } }

    /// From now on answers as `lie` says, and truly where it says nothing. Ends what is under way.
    func tell(_ lie: (@Sendable (Request) -> Lie?)?) {
        state.withLock { state in
            state.lie = lie
            state.told = 0
            for descriptor in state.descriptors { shutdown(descriptor, Int32(SHUT_RDWR)) }
        }
    }

    private func serve(_ client: Int32) {
        _ = state.withLock { $0.descriptors.insert(client) }
        var buffer: [UInt8] = []
        while let request = nextRequest(client, &buffer) {
            let lie = state.withLock { state -> Lie? in
                let lie = state.lie?(request)
                state.running += 1
                if lie != nil { state.told += 1 }
                return lie
            }
            let goesOn = answer(request, lie, client)
            state.withLock { $0.running -= 1 }
            if !goesOn { break }
        }
        _ = state.withLock { $0.descriptors.remove(client) }
        close(client)
    }

    /// - Returns: whether the connection can go on.
    private func answer(_ request: Request, _ lie: Lie?, _ client: Int32) -> Bool {
        func send(_ body: [UInt8], status: Int, type: String = "application/octet-stream") -> Bool {
            let head = "HTTP/1.1 \(status) X\r\nContent-Type: \(type)\r\nContent-Length: \(body.count)\r\n\r\n"
            return sendAll(Array(head.utf8) + body, to: client)
        }
        func truth() -> Answer? {
            guard let connection = try? Connection(port: target) else { return nil }
            try? connection.send(Array(request.head.utf8) + request.body)
            return try? connection.readAnswer()
        }
        switch lie {
        case nil:
            guard let answer = truth() else { return false }
            return send(answer.body, status: answer.status, type: answer["content-type"] ?? "")
        case .raw(let bytes):
            _ = sendAll(bytes, to: client)
            return false
        case .body(let bytes, let status):
            return send(bytes, status: status)
        case .changed(let change):
            guard let answer = truth() else { return false }
            return send(change(answer.body), status: answer.status)
        case .endless(let first, let then):
            let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
            func chunk(_ bytes: [UInt8]) -> [UInt8] { Array("\(String(bytes.count, radix: 16))\r\n".utf8) + bytes + Array("\r\n".utf8) }
            guard sendAll(Array(head.utf8) + (first.isEmpty ? [] : chunk(first)), to: client) else { return false }
            let piece = chunk(then)
            while sendAll(piece, to: client) {}
            return false
        case .silence:
            var byte: UInt8 = 0
            while recv(client, &byte, 1, 0) > 0 {}
            return false
        }
    }

    private func nextRequest(_ client: Int32, _ buffer: inout [UInt8]) -> Request? {
        let mark = Array("\r\n\r\n".utf8)
        var piece = [UInt8](repeating: 0, count: 64 << 10)
        func receive() -> Bool {
            let count = piece.withUnsafeMutableBytes { recv(client, $0.baseAddress, $0.count, 0) }
            if count > 0 { buffer += piece[..<count] }
            return count > 0
        }
        while buffer.firstRange(of: mark) == nil { guard receive() else { return nil } }
        guard let end = buffer.firstRange(of: mark)?.upperBound else { return nil }
        let head = String(decoding: buffer[..<end], as: UTF8.self)
        let length = head.lowercased().firstMatch(of: /content-length: (\d+)/).flatMap { Int($0.1) } ?? 0
        while buffer.count < end + length { guard receive() else { return nil } }
        let body = Array(buffer[end..<end + length])
        buffer.removeFirst(end + length)
        return Request(head: head, body: body)
    }
}
