import Foundation
import Synchronization

#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

/// A network that breaks: passes bytes on to a port until so many have gone one way, and then nothing until it is mended.
final class CuttingProxy: Sendable {
    private struct State {
        /// Bytes that may still pass; nil for any number.
        var requestsLeft: Int?
        var answersLeft: Int?
        var isCut = false
        var descriptors: Set<Int32> = []
        var passed = 0
    }

    private let state = Mutex(State())
    private let target: Mutex<Int>
    // Set once, before the first connection can come.
    private let listener = Mutex<Listener?>(nil)

    init(to port: Int) throws {
        target = Mutex(port)
        let listener = try Listener { [weak self] in self?.serve($0) }
        self.listener.withLock { $0 = listener }
    }

    var url: String { listener.withLock { $0?.url ?? "" } }
    /// Bytes that came back since the proxy was last set.
    var passed: Int { state.withLock { $0.passed } }

    /// Lets so many bytes through, and then cuts all connections. Nil lets everything through.
    func set(requests: Int? = nil, answers: Int? = nil) {
        cutAll()
        state.withLock { state in
            state.requestsLeft = requests
            state.answersLeft = answers
            state.isCut = false
            state.passed = 0
        }
    }

    /// Leads to another port from now on; what is under way is cut.
    func point(to port: Int) {
        target.withLock { $0 = port }
        set()
    }

    private func cutAll() {
        state.withLock { state in
            state.isCut = true
            for descriptor in state.descriptors { shutdown(descriptor, Int32(SHUT_RDWR)) }
        }
    }

    private func serve(_ client: Int32) {
        #if canImport(Glibc)
        let kind = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
        #else
        let kind = SOCK_STREAM
        #endif
        let server = socket(AF_INET, kind, 0)
        var address = sockaddr_in.loopback(port: target.withLock { $0 })
        let isConnected = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { connect(server, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0 }
        }
        let isOpen = state.withLock { state in
            guard !state.isCut, isConnected else { return false }
            state.descriptors.formUnion([client, server])
            return true
        }
        if isOpen {
            let isDone = DispatchSemaphore(value: 0)
            Thread.detachNewThread {
                self.pump(from: client, to: server, isAnswer: false)
                isDone.signal()
            }
            pump(from: server, to: client, isAnswer: true)
            isDone.wait()
        }
        state.withLock { $0.descriptors.subtract([client, server]) }
        close(client)
        close(server)
    }

    private func pump(from source: Int32, to target: Int32, isAnswer: Bool) {
        var buffer = [UInt8](repeating: 0, count: 16 << 10)
        defer {
            shutdown(source, Int32(SHUT_RDWR))
            shutdown(target, Int32(SHUT_RDWR))
        }
        while true {
            let count = buffer.withUnsafeMutableBytes { recv(source, $0.baseAddress, $0.count, 0) }
            if count <= 0 { return }
            let allowed = state.withLock { state -> Int in
                if state.isCut { return 0 }
                let allowed = min(count, (isAnswer ? state.answersLeft : state.requestsLeft) ?? count)
                if isAnswer { state.answersLeft? -= allowed } else { state.requestsLeft? -= allowed }
                if isAnswer { state.passed += allowed }
                return allowed
            }
            guard sendAll(buffer[..<allowed], to: target) else { return }
            if allowed < count { return cutAll() }
        }
    }
}

/// Sends bytes on a socket; false if it is closed.
func sendAll(_ bytes: some Collection<UInt8>, to descriptor: Int32) -> Bool {
    let bytes = Array(bytes)
    var sent = 0
    while sent < bytes.count {
        let count = bytes.withUnsafeBytes { send(descriptor, $0.baseAddress! + sent, bytes.count - sent, Int32(MSG_NOSIGNAL)) }
        if count < 0, errno == EINTR { continue }
        if count <= 0 { return false }
        sent += count
    }
    return true
}
