import ArgumentParser
import Foundation

struct Put: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Put small files, each at a path of its own.")

    @OptionGroup var server: Server

    @Option(help: "Connections, each with one request under way.")
    var connections = 64

    @Option(help: "Files in all.")
    var count = 50_000

    @Option(help: "Bytes of each file, which nothing can compress.")
    var size = 4096

    @Option(help: "The directory that they go into.")
    var prefix = "/load"

    func validate() throws {
        guard connections > 0, count >= connections, size >= 0 else { throw ValidationError("give more files than connections") }
    }

    func run() throws {
        var run = try PutRun(self)
        let cpu = processorSeconds()
        let start = ContinuousClock.now
        try run.run()
        let duration = start.duration(to: .now).components
        let seconds = Double(duration.seconds) + Double(duration.attoseconds) * 1e-18
        let times = run.times.sorted()
        func percentile(_ percent: Int) -> Double { Double(times[min(times.count - 1, times.count * percent / 100)]) / 1000 }
        try printJSON([
            "files": times.count, "errors": run.errors, "seconds": seconds, "files_per_second": Double(times.count) / seconds,
            "p50_ms": percentile(50), "p99_ms": percentile(99), "client_cpu_seconds": processorSeconds() - cpu,
        ])
        if run.errors > 0 { throw ExitCode.failure }
    }
}

/// One run: all connections under one `poll`.
private struct PutRun {
    private struct Connection {
        let descriptor: Int32
        /// The request's head and body; each request overwrites the digits of the path and the body.
        let request: UnsafeMutableRawBufferPointer
        var sent = 0
        let response: UnsafeMutableRawBufferPointer
        var received = 0
        var startedAt: UInt64 = 0
        var isBusy = false
    }

    private static let digits = 10
    private static let responseSize = 16 << 10

    private let put: Put
    private let pathOffset: Int
    private let headLength: Int
    private var connections: [Connection] = []
    private var next = 0
    private var random: UInt64 = UInt64(getpid()) << 32 ^ UInt64(time(nil))
    /// Microseconds of each answered request.
    private(set) var times: [UInt32] = []
    private(set) var errors = 0

    init(_ put: Put) throws {
        self.put = put
        // A directory takes a thousand files: /PREFIX/DDDDD/FFFFF, each digit at its fixed place.
        let start = "PUT /files\(put.prefix)/"
        let head = start + "00000/00000 HTTP/1.1\r\nHost: \(put.server.host):\(put.server.port)\r\n"
            + "Authorization: Bearer \(put.server.token)\r\nContent-Type: application/octet-stream\r\n"
            + "Content-Length: \(put.size)\r\n\r\n"
        pathOffset = start.utf8.count
        headLength = head.utf8.count
        times.reserveCapacity(put.count)
        for _ in 0..<put.connections {
            let descriptor = try put.server.connect()
            guard fcntl(descriptor, F_SETFL, O_NONBLOCK) == 0 else { throw Failure.last("fcntl") }
            let request = UnsafeMutableRawBufferPointer.allocate(byteCount: headLength + put.size, alignment: 8)
            request.copyBytes(from: head.utf8)
            connections.append(Connection(
                descriptor: descriptor, request: request,
                response: .allocate(byteCount: PutRun.responseSize, alignment: 8)))
        }
    }

    mutating func run() throws {
        var polls = connections.map { pollfd(fd: $0.descriptor, events: Int16(POLLIN), revents: 0) }
        for index in connections.indices { try begin(index) }
        while times.count + errors < put.count {
            for index in connections.indices {
                let wantsToSend = connections[index].isBusy && connections[index].sent < connections[index].request.count
                polls[index].events = Int16(POLLIN) | (wantsToSend ? Int16(POLLOUT) : 0)
            }
            guard poll(&polls, nfds_t(polls.count), 30_000) > 0 else { throw Failure("no answer for 30 seconds") }
            for index in connections.indices where polls[index].revents != 0 {
                if polls[index].revents & Int16(POLLOUT) != 0 { try send(index) }
                if polls[index].revents & ~Int16(POLLOUT) != 0 { try receive(index) }
            }
        }
        for connection in connections {
            close(connection.descriptor)
            connection.request.deallocate()
            connection.response.deallocate()
        }
    }

    private mutating func begin(_ index: Int) throws {
        guard next < put.count else { return }
        let number = next
        next += 1
        let request = connections[index].request
        write(number / 1000, at: pathOffset, to: request)
        write(number % 1000, at: pathOffset + 6, to: request)
        fillBody(request)
        connections[index].sent = 0
        connections[index].received = 0
        connections[index].isBusy = true
        connections[index].startedAt = PutRun.now()
        try send(index)
    }

    private func write(_ number: Int, at offset: Int, to request: UnsafeMutableRawBufferPointer) {
        var rest = number
        for place in stride(from: offset + 4, through: offset, by: -1) {
            request[place] = UInt8(ascii: "0") + UInt8(rest % 10)
            rest /= 10
        }
    }

    /// SplitMix64, eight bytes at a time.
    private mutating func fillBody(_ request: UnsafeMutableRawBufferPointer) {
        var offset = headLength
        while offset < request.count {
            random &+= 0x9e37_79b9_7f4a_7c15
            var value = random
            value = (value ^ value >> 30) &* 0xbf58_476d_1ce4_e5b9
            value = (value ^ value >> 27) &* 0x94d0_49bb_1331_11eb
            value ^= value >> 31
            withUnsafeBytes(of: value) { bytes in
                let count = min(8, request.count - offset)
                UnsafeMutableRawBufferPointer(rebasing: request[offset..<offset + count]).copyMemory(
                    from: UnsafeRawBufferPointer(rebasing: bytes[..<count]))
            }
            offset += 8
        }
    }

    private mutating func send(_ index: Int) throws {
        let request = connections[index].request
        while connections[index].sent < request.count {
            let rest = UnsafeRawBufferPointer(rebasing: request[connections[index].sent...])
            let count = Foundation.send(connections[index].descriptor, rest.baseAddress, rest.count, Int32(MSG_NOSIGNAL))
            if count < 0 {
                if errno == EAGAIN { return }
                if errno == EINTR { continue }
                throw Failure.last("send")
            }
            connections[index].sent += count
        }
    }

    private mutating func receive(_ index: Int) throws {
        let response = connections[index].response
        let room = UnsafeMutableRawBufferPointer(rebasing: response[connections[index].received...])
        let count = recv(connections[index].descriptor, room.baseAddress, room.count, 0)
        if count < 0, errno == EAGAIN || errno == EINTR { return }
        guard count > 0 else { throw count == 0 ? Failure("the server closed a connection") : Failure.last("receive") }
        connections[index].received += count
        let bytes = UnsafeRawBufferPointer(rebasing: response[..<connections[index].received])
        guard let head = try ResponseHead(bytes) else { return }
        guard head.length + head.contentLength <= response.count else { throw Failure("an answer of \(head.contentLength) bytes") }
        guard bytes.count >= head.length + head.contentLength else { return }
        if head.status == 201 || head.status == 200 {
            times.append(UInt32(clamping: (PutRun.now() - connections[index].startedAt) / 1000))
        } else {
            if errors == 0 { FileHandle.standardError.write(Data(bytes)) }
            errors += 1
        }
        connections[index].isBusy = false
        try begin(index)
    }

    private static func now() -> UInt64 {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
    }
}
