import Foundation

#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

/// A TCP connection on loopback that sends whatever it is told to, HTTP or not.
final class Connection {
    private let descriptor: Int32
    private var buffer: [UInt8] = []
    /// What came of a body in chunks and is not read yet.
    private var unchunked: [UInt8] = []

    /// - Parameter patience: seconds until a silent server counts as hanging.
    init(port: Int, patience: Int = 60) throws {
        #if canImport(Glibc)
        let kind = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
        #else
        let kind = SOCK_STREAM
        #endif
        descriptor = socket(AF_INET, kind, 0)
        guard descriptor >= 0 else { throw TestFailure("no socket: \(String(cString: strerror(errno)))") }
        var timeout = timeval(tv_sec: patience, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &timeout, socklen_t(MemoryLayout<timeval>.size))
        setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &timeout, socklen_t(MemoryLayout<timeval>.size))
        var address = sockaddr_in.loopback(port: port)
        let result = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) }
        }
        guard result == 0 else {
            let reason = String(cString: strerror(errno))
            close(descriptor)
            throw TestFailure("cannot connect to port \(port): \(reason)")
        }
    }

    deinit {
        close(descriptor)
    }

    /// - Throws: `TestFailure` where the other side has closed.
    func send(_ bytes: [UInt8]) throws {
        var sent = 0
        while sent < bytes.count {
            let count = bytes.withUnsafeBytes {
                Glibc.send(descriptor, $0.baseAddress! + sent, bytes.count - sent, Int32(MSG_NOSIGNAL))
            }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { throw TestFailure("cannot send: \(String(cString: strerror(errno)))") }
            sent += count
        }
    }

    func send(_ text: String) throws { try send(Array(text.utf8)) }

    /// Says that nothing more comes, and still reads.
    func finishSending() { shutdown(descriptor, Int32(SHUT_WR)) }

    /// Ends the connection at once, with a reset: how it looks when a program is killed or a cable is cut.
    func reset() {
        var option = linger(l_onoff: 1, l_linger: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &option, socklen_t(MemoryLayout<linger>.size))
        shutdown(descriptor, Int32(SHUT_RDWR))
    }

    /// The next bytes; none at the end.
    private func receive() throws -> [UInt8] {
        var piece = [UInt8](repeating: 0, count: 256 << 10)
        while true {
            let count = piece.withUnsafeMutableBytes { recv(descriptor, $0.baseAddress, $0.count, 0) }
            if count < 0, errno == EINTR { continue }
            if count < 0, errno == ECONNRESET { return [] }
            guard count >= 0 else { throw TestFailure("no answer: \(String(cString: strerror(errno)))") }
            return Array(piece[..<count])
        }
    }

    /// Everything until the other side closes.
    func readToEnd() throws -> [UInt8] {
        while case let piece = try receive(), !piece.isEmpty { buffer += piece }
        defer { buffer = [] }
        return buffer
    }

    /// The next answer; nil if the connection ends first. Interim answers (1xx) are passed over.
    func readAnswer(isHead: Bool = false) throws -> Answer? {
        while true {
            guard var answer = try readHead() else { return nil }
            if answer.status < 200 { continue }
            if isHead || answer.status == 204 || answer.status == 304 { return answer }
            if let length = answer["content-length"].flatMap({ Int($0) }) {
                answer.body = try take(length) ?? []
                answer.isComplete = answer.body.count == length
            } else if answer["transfer-encoding"] == "chunked" {
                answer.isComplete = try readChunks(into: &answer.body)
            } else {
                answer.body = try readToEnd()
            }
            return answer
        }
    }

    /// Only the next head, with interim ones.
    func readHead() throws -> Answer? {
        guard let head = try line(until: "\r\n\r\n") else { return nil }
        var lines = String(decoding: head, as: UTF8.self).components(separatedBy: "\r\n")[...]
        let words = (lines.popFirst() ?? "").split(separator: " ", maxSplits: 2)
        guard words.count >= 2, words[0] == "HTTP/1.1", let status = Int(words[1]) else {
            throw TestFailure("this is no answer: \(String(decoding: head.prefix(200), as: UTF8.self))")
        }
        var answer = Answer(status: status)
        for line in lines {
            let pair = line.split(separator: ":", maxSplits: 1)
            guard pair.count == 2 else { throw TestFailure("this is no header field: \(line)") }
            answer.fields.append((pair[0].lowercased(), pair[1].trimmingCharacters(in: .whitespaces)))
        }
        return answer
    }

    private func readChunks(into body: inout [UInt8]) throws -> Bool {
        while true {
            guard let size = try line(until: "\r\n"), let count = Int(String(decoding: size, as: UTF8.self), radix: 16),
                let chunk = try take(count), chunk.count == count, try take(2)?.count == 2
            else { return false }
            if count == 0 { return true }
            body += chunk
        }
    }

    /// The next line of a body that comes in chunks, whatever the chunks; nil at the end.
    func readChunkedLine() throws -> String? {
        while true {
            if let end = unchunked.firstIndex(of: UInt8(ascii: "\n")) {
                defer { unchunked.removeFirst(end + 1) }
                return String(decoding: unchunked[..<end], as: UTF8.self)
            }
            guard let size = try line(until: "\r\n"), let count = Int(String(decoding: size, as: UTF8.self), radix: 16), count > 0,
                let chunk = try take(count + 2), chunk.count == count + 2
            else { return nil }
            unchunked += chunk.dropLast(2)
        }
    }

    /// The bytes before the mark, which is taken too; nil if the connection ends first.
    private func line(until mark: String) throws -> [UInt8]? {
        let mark = Array(mark.utf8)
        var searched = 0
        while true {
            if let index = buffer[searched...].firstRange(of: mark)?.lowerBound {
                defer { buffer.removeFirst(index + mark.count) }
                return Array(buffer[..<index])
            }
            searched = max(0, buffer.count - mark.count)
            let piece = try receive()
            if piece.isEmpty { return nil }
            buffer += piece
        }
    }

    /// The next bytes of a body that does not come in chunks; fewer if the connection ends first.
    func readToEnd(count: Int) throws -> [UInt8] { try take(count) ?? [] }

    /// The next bytes; fewer if the connection ends first.
    private func take(_ count: Int) throws -> [UInt8]? {
        while buffer.count < count, case let piece = try receive(), !piece.isEmpty { buffer += piece }
        let taken = Array(buffer.prefix(count))
        buffer.removeFirst(taken.count)
        return taken
    }
}

extension sockaddr_in {
    static func loopback(port: Int) -> sockaddr_in {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = UInt16(port).bigEndian
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        return address
    }
}

/// What a server answers.
struct Answer {
    var status: Int
    var fields: [(name: String, value: String)] = []
    var body: [UInt8] = []
    /// Whether all of the body came.
    var isComplete = true

    init(status: Int) {
        self.status = status
    }

    /// A header field, by its name in lower case.
    subscript(_ name: String) -> String? { fields.first { $0.name == name }?.value }

    var text: String { String(decoding: body, as: UTF8.self) }
    var json: Document { Document(json: body) }
}
