import ArgumentParser
import Crypto
import Foundation
import Hummingbird
import NIOCore

/// A server that does the least there is to do with bytes, on the same HTTP stack as a node: the limit for transfers.
@main
struct HTTPBare: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "http-bare",
        abstract: "PUT /hash hashes the body and forgets it; GET /bytes/COUNT sends so many bytes from memory.")

    @Option(help: "The port on the loopback address; 0 for any.")
    var port = 0

    func run() async throws {
        let router = Router()
        router.put("/hash") { request, _ -> String in
            var hasher = SHA256()
            for try await piece in request.body {
                piece.withUnsafeReadableBytes { hasher.update(bufferPointer: $0) }
            }
            return hasher.finalize().map { String($0, radix: 16) }.joined() + "\n"
        }
        let block = ByteBuffer(repeating: 0xa5, count: 256 << 10)
        router.get("/bytes/:count") { _, context -> Response in
            let count = try context.parameters.require("count", as: Int.self)
            return Response(status: .ok, body: ResponseBody(contentLength: count) { writer in
                var rest = count
                while rest > 0 {
                    let piece = block.getSlice(at: 0, length: min(rest, block.readableBytes)) ?? block
                    try await writer.write(piece)
                    rest -= piece.readableBytes
                }
                try await writer.finish(nil)
            })
        }
        let application = Application(
            router: router, configuration: .init(address: .hostname("127.0.0.1", port: port)),
            onServerRunning: { channel in
                FileHandle.standardOutput.write(Data("listens at \(channel.localAddress?.port ?? 0)\n".utf8))
            })
        try await application.runService()
    }
}
