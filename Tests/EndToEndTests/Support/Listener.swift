import Foundation
import Synchronization

#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

/// A port on loopback that hands each connection to a thread of its own.
final class Listener: Sendable {
    let port: Int
    private let descriptor: Int32

    /// - Parameter serve: owns the descriptor, and closes it.
    init(_ serve: @escaping @Sendable (Int32) -> Void) throws {
        #if canImport(Glibc)
        let kind = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
        #else
        let kind = SOCK_STREAM
        #endif
        let descriptor = socket(AF_INET, kind, 0)
        var address = sockaddr_in.loopback(port: 0)
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let result = withUnsafeMutablePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, length) | listen(descriptor, 128) | getsockname(descriptor, $0, &length)
            }
        }
        guard descriptor >= 0, result == 0 else { throw TestFailure("cannot listen: \(String(cString: strerror(errno)))") }
        self.descriptor = descriptor
        port = Int(UInt16(bigEndian: address.sin_port))
        Thread.detachNewThread {
            while true {
                var waiting = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
                if poll(&waiting, 1, -1) < 0, errno == EINTR { continue }
                // No process may start in between: it would hold the connection open.
                let client = ChildProcess.starting.withLock { _ in
                    let client = accept(descriptor, nil, nil)
                    if client >= 0 { _ = fcntl(client, F_SETFD, FD_CLOEXEC) }
                    return client
                }
                if client < 0, errno == EINTR || errno == ECONNABORTED { continue }
                if client < 0 { break }
                Thread.detachNewThread { serve(client) }
            }
            close(descriptor)
        }
    }

    /// Takes no more connections.
    func stop() { shutdown(descriptor, Int32(SHUT_RDWR)) }

    deinit { stop() }

    var url: String { "http://127.0.0.1:\(port)" }
}
