import ArgumentParser
import Foundation

/// A load generator that leaves the processor to the server: one thread, `poll`, no allocation a request.
@main
struct HTTPLoad: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "http-load", abstract: "Puts many small files, or gets a large one, over plain HTTP/1.1.",
        discussion: "The token is taken from PANDO_TOKEN. Figures are printed as JSON.", subcommands: [Put.self, Get.self])
}

struct Failure: Error, CustomStringConvertible {
    var description: String

    init(_ description: String) {
        self.description = description
    }

    static func last(_ operation: String) -> Failure {
        Failure("\(operation): \(String(cString: strerror(errno)))")
    }
}

struct Server: ParsableArguments {
    @Option(help: "The server's address, an IPv4 one.")
    var host = "127.0.0.1"

    @Option(help: "The server's port.")
    var port: UInt16

    var token: String { ProcessInfo.processInfo.environment["PANDO_TOKEN"] ?? "" }

    /// A new connection.
    func connect() throws -> Int32 {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        guard descriptor >= 0 else { throw Failure.last("socket") }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        guard inet_pton(AF_INET, host, &address.sin_addr) == 1 else { throw Failure("\(host) is no IPv4 address") }
        let result = withUnsafePointer(to: address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                Foundation.connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard result == 0 else { throw Failure.last("connect to \(host):\(port)") }
        var on: Int32 = 1
        setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &on, socklen_t(MemoryLayout<Int32>.size))
        return descriptor
    }
}

/// The head of an answer.
struct ResponseHead {
    var status: Int
    /// Bytes of the head, the empty line included.
    var length: Int
    var contentLength: Int

    /// Nil while the head is not all there.
    init?(_ bytes: UnsafeRawBufferPointer) throws {
        guard let end = ResponseHead.end(of: bytes) else { return nil }
        length = end
        status = 0
        contentLength = 0
        var isFirst = true
        var hasLength = false
        for line in String(decoding: bytes[..<end], as: UTF8.self).split(whereSeparator: \.isNewline) {
            if isFirst {
                isFirst = false
                status = line.split(separator: " ").dropFirst().first.flatMap { Int($0) } ?? 0
            } else if line.lowercased().hasPrefix("content-length:"), let colon = line.firstIndex(of: ":") {
                contentLength = Int(line[line.index(after: colon)...].trimmingCharacters(in: .whitespaces)) ?? 0
                hasLength = true
            }
        }
        guard hasLength || status == 204 else { throw Failure("an answer without a content length") }
    }

    private static func end(of bytes: UnsafeRawBufferPointer) -> Int? {
        guard bytes.count >= 4 else { return nil }
        for index in 3..<bytes.count
        where bytes[index] == 10 && bytes[index - 1] == 13 && bytes[index - 2] == 10 && bytes[index - 3] == 13 {
            return index + 1
        }
        return nil
    }
}

/// Processor time of this program.
func processorSeconds() -> Double {
    var usage = rusage()
    getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
    return [usage.ru_utime, usage.ru_stime].reduce(0) { $0 + Double($1.tv_sec) + Double($1.tv_usec) / 1e6 }
}

func printJSON(_ values: [String: Any]) throws {
    let options: JSONSerialization.WritingOptions = [.sortedKeys, .prettyPrinted, .withoutEscapingSlashes]
    let data = try JSONSerialization.data(withJSONObject: values, options: options)
    FileHandle.standardOutput.write(data + Data("\n".utf8))
}
