import ArgumentParser
import Foundation

struct Get: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Get one file several times, and throw its bytes away.")

    @OptionGroup var server: Server

    @Option(help: "How often.")
    var runs = 3

    @Argument(help: "The path in the URL, as '/files/large.bin'.")
    var path: String

    func run() throws {
        let descriptor = try server.connect()
        defer { close(descriptor) }
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 20, alignment: 4096)
        defer { buffer.deallocate() }
        let request = "GET \(path) HTTP/1.1\r\nHost: \(server.host):\(server.port)\r\nAuthorization: Bearer \(server.token)\r\n\r\n"
        var rates: [Double] = []
        var size = 0
        let cpu = processorSeconds()
        for _ in 0..<runs {
            let start = ContinuousClock.now
            size = try get(request, descriptor, buffer)
            let duration = start.duration(to: .now).components
            rates.append(Double(size) / (Double(duration.seconds) + Double(duration.attoseconds) * 1e-18) / 1e9)
        }
        try printJSON([
            "bytes": size, "gigabytes_per_second": rates, "client_cpu_seconds": processorSeconds() - cpu,
        ])
    }

    /// - Returns: bytes of the body.
    private func get(_ request: String, _ descriptor: Int32, _ buffer: UnsafeMutableRawBufferPointer) throws -> Int {
        let bytes = Array(request.utf8)
        guard send(descriptor, bytes, bytes.count, Int32(MSG_NOSIGNAL)) == bytes.count else { throw Failure.last("send") }
        var received = 0
        var head: ResponseHead?
        var total = 0
        while head == nil || received < total {
            // The head is read into the buffer's start until it is whole; after it nothing is kept.
            let offset = head == nil ? received : 0
            let count = recv(descriptor, buffer.baseAddress! + offset, buffer.count - offset, 0)
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { throw count == 0 ? Failure("the server closed the connection") : Failure.last("receive") }
            received += count
            if head == nil {
                head = try ResponseHead(UnsafeRawBufferPointer(rebasing: buffer[..<received]))
                if let head {
                    guard head.status == 200 else { throw Failure("the server answered \(head.status)") }
                    total = head.length + head.contentLength
                }
            }
        }
        return head?.contentLength ?? 0
    }
}
