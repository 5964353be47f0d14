import Access
import Content
import Foundation
import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL
import Synchronization

@testable import HTTPServer

/// The TLS end of an address: shows a certificate, tells who it says it is, and notes what it was asked.
final class TLSEnd: Sendable {
    struct Identity {
        var certificate: SelfSignedCertificate
        /// The answer of `/sync/identity`.
        var document: String

        /// - Parameters:
        ///   - prover: the node that gives its word for the certificate.
        ///   - vouched: the certificate that the word is for, if it is not the one that is shown.
        init(of prover: NodeKey, showing certificate: SelfSignedCertificate, vouched: SelfSignedCertificate? = nil) throws {
            self.certificate = certificate
            let der = try NIOSSLCertificate(bytes: Array((vouched ?? certificate).certificatePEM.utf8), format: .pem).toDERBytes()
            let proof = try prover.proof(of: der)
            document = """
                {"node_id": "\(prover.id)", "version": "0", "instance": "i", "time": 1, "public_key": "\(prover.publicKey.hex)",
                "certificate": "\(proof.fingerprint)", "certificate_signature": "\(proof.signature.hex)"}
                """
        }
    }

    struct Asked: Equatable {
        var target: String
        var token: String?
    }

    private struct State {
        var identity: Identity
        var context: NIOSSLContext
        var asked: [Asked] = []
        var channels: [any Channel] = []
    }

    private let state: Mutex<State>
    private let listener: Mutex<(any Channel)?> = Mutex(nil)

    init(_ identity: Identity) async throws {
        state = Mutex(State(identity: identity, context: try TLSEnd.context(identity)))
        let channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .childChannelInitializer { [weak self] channel in
                guard let self else { return channel.eventLoop.makeFailedFuture(ChannelError.eof) }
                let context = state.withLock { state in
                    state.channels.append(channel)
                    return state.context
                }
                return channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(NIOSSLServerHandler(context: context))
                    try channel.pipeline.syncOperations.configureHTTPServerPipeline()
                    try channel.pipeline.syncOperations.addHandler(Responder(end: self))
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        listener.withLock { $0 = channel }
    }

    deinit { listener.withLock { $0 }?.close(promise: nil) }

    var address: String { "https://127.0.0.1:\(listener.withLock { $0?.localAddress?.port } ?? 0)" }
    var asked: [Asked] { state.withLock { $0.asked } }

    /// Shows another certificate from now on; open connections end.
    func become(_ identity: Identity) async throws {
        let context = try TLSEnd.context(identity)
        let channels = state.withLock { state in
            state.identity = identity
            state.context = context
            defer { state.channels = [] }
            return state.channels
        }
        for channel in channels { try? await channel.close() }
    }

    fileprivate func answer(_ asked: Asked) -> String {
        state.withLock { state in
            state.asked.append(asked)
            return asked.target == "/sync/identity" ? state.identity.document : "{}"
        }
    }

    private static func context(_ identity: Identity) throws -> NIOSSLContext {
        let certificate = try NIOSSLCertificate(bytes: Array(identity.certificate.certificatePEM.utf8), format: .pem)
        let key = try NIOSSLPrivateKey(bytes: Array(identity.certificate.keyPEM.utf8), format: .pem)
        return try NIOSSLContext(configuration: .makeServerConfiguration(certificateChain: [.certificate(certificate)], privateKey: .privateKey(key)))
    }
}

private final class Responder: ChannelInboundHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundOut = HTTPServerResponsePart

    private let end: TLSEnd
    private var asked = TLSEnd.Asked(target: "")

    init(end: TLSEnd) {
        self.end = end
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head): asked = TLSEnd.Asked(target: head.uri, token: head.headers.first(name: "Authorization"))
        case .body: break
        case .end:
            let body = ByteBuffer(string: end.answer(asked))
            let head = HTTPResponseHead(version: .http1_1, status: .ok, headers: ["Content-Length": "\(body.readableBytes)"])
            context.write(wrapOutboundOut(.head(head)), promise: nil)
            context.write(wrapOutboundOut(.body(.byteBuffer(body))), promise: nil)
            context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
        }
    }
}
