import HTTPTypes
import HummingbirdCore
import Logging
import NIOCore
import NIOSSL

/// Sets up connections over TLS: each with the certificate that is the newest when it comes.
struct TLSChannel: ServerChildChannel {
    typealias Value = ConnectionChannel.Value

    let connections: ConnectionChannel
    let certificate: ServerCertificate

    func setup(channel: any Channel, logger: Logger) -> EventLoopFuture<Value> {
        channel.eventLoop.makeCompletedFuture {
            try channel.pipeline.syncOperations.addHandlers(PlainRequestRefusal(), NIOSSLServerHandler(context: certificate.context))
        }.flatMap {
            connections.setup(channel: channel, logger: logger)
        }
    }

    func handle(value: Value, logger: Logger) async {
        await connections.handle(value: value, logger: logger)
    }
}

/// Tells whoever speaks plain HTTP to a port for TLS so, in plain HTTP, instead of hanging up on them.
final class PlainRequestRefusal: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    /// The first byte of a TLS handshake (RFC 8446, section 5.1).
    private static let handshake: UInt8 = 22
    private var isRefused = false

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let bytes = unwrapInboundIn(data)
        if isRefused { return }
        guard let first = bytes.getInteger(at: bytes.readerIndex, as: UInt8.self) else { return }
        if first == PlainRequestRefusal.handshake {
            context.fireChannelRead(data)
            context.pipeline.syncOperations.removeHandler(self, promise: nil)
            return
        }
        isRefused = true
        let problem = Problem(.badRequest, "this port speaks TLS: the address begins with https://, not http://").document
        var answer = ByteBuffer(string: "HTTP/1.1 400 Bad Request\r\n")
        for field in problem.head.headerFields { answer.writeString("\(field.name): \(field.value)\r\n") }
        answer.writeString("Connection: close\r\n\r\n")
        answer.writeImmutableBuffer(problem.body)
        context.writeAndFlush(wrapOutboundOut(answer), promise: nil)
        context.close(mode: .output, promise: nil)
        // As with other refusals: closing with unread input would take the answer away.
        let channel = context.channel
        context.eventLoop.assumeIsolated().scheduleTask(in: ServerLimits.linger) { channel.close(promise: nil) }
    }
}

@available(*, unavailable)
extension PlainRequestRefusal: Sendable {}
