import Access
import Content
import Foundation
import NIOCore
import NIOPosix
import Platform
import Testing

@testable import HTTPClient
@testable import HTTPServer

@Suite("A node's requests over TLS")
struct TLSTransportTests {
    private let key = NodeKey()

    private func certificate(now: Date = Date()) throws -> SelfSignedCertificate {
        try SelfSignedCertificate(name: "test", hosts: ["127.0.0.1"], now: now)
    }

    /// Sends a request with a token; the node that answered, or why it was not sent.
    private func send(to address: String, expecting node: NodeID?, on transport: HTTPTransport) async -> Result<NodeID?, TransportError> {
        do throws(TransportError) {
            let response = try await transport.send(TransportRequest(.post, "/sync/x", at: address, node: node, token: "secret", body: .bytes([1, 2])))
            _ = try await response.body.collect(limit: 100)
            return .success(response.node)
        } catch {
            return .failure(error)
        }
    }

    private func refusal(_ result: Result<NodeID?, TransportError>) -> TransportError? {
        if case .failure(let error) = result { error } else { nil }
    }

    @Test("The node that is meant gets its requests, on a connection that was looked at once")
    func proven() async throws {
        let end = try await TLSEnd(.init(of: key, showing: certificate()))
        let transport = HTTPTransport()
        for _ in 0..<3 {
            guard case .success(key.id) = await send(to: end.address, expecting: key.id, on: transport) else {
                Issue.record("refused")
                break
            }
        }
        // Whoever does not know whom to expect is told who it was.
        guard case .success(key.id) = await send(to: end.address, expecting: nil, on: transport) else {
            Issue.record("refused")
            return
        }
        #expect(end.asked.filter { $0.target == "/sync/identity" } .count == 2)
        #expect(end.asked.filter { $0.token == "Bearer secret" }.count == 4)
        await transport.shutdown()
    }

    @Test("Whoever is somebody else, or passes on another's word, is told nothing")
    func impostors() async throws {
        let other = NodeKey()
        let victim = try certificate()
        let (sound, relay) = (try certificate(), try certificate())
        let ends: [(TLSEnd, String)] = [
            // Proves to be a node, but another one.
            (try await TLSEnd(.init(of: other, showing: sound)), "is expected"),
            // Has the word that the node gave for its own certificate, and shows one whose key it has.
            (try await TLSEnd(.init(of: key, showing: relay, vouched: victim)), "in between"),
            // The node itself, with a certificate from a year ago.
            (try await TLSEnd(.init(of: key, showing: certificate(now: Date() - 400 * 86_400))), "has expired"),
        ]
        let transport = HTTPTransport()
        for (end, word) in ends {
            let error = try #require(refusal(await send(to: end.address, expecting: key.id, on: transport)))
            #expect(error.reason.contains(word), "\(error.reason)")
            #expect(error.reason.contains(key.id.short), "names who was expected: \(error.reason)")
            // It is no use to try again and again.
            #expect(!error.isUnreachable)
            #expect(end.asked.allSatisfy { $0 == TLSEnd.Asked(target: "/sync/identity") })
        }
        await transport.shutdown()
    }

    @Test("A new certificate is taken where the node gives its word for it, and not otherwise")
    func renewal() async throws {
        let end = try await TLSEnd(.init(of: key, showing: certificate()))
        let transport = HTTPTransport()
        #expect(refusal(await send(to: end.address, expecting: key.id, on: transport)) == nil)
        try await end.become(.init(of: key, showing: certificate()))
        try await eventually { refusal(await send(to: end.address, expecting: key.id, on: transport)) == nil }

        let stolen = end.asked.count
        try await end.become(.init(of: key, showing: certificate(), vouched: certificate()))
        let error = try #require(refusal(try await settled { await send(to: end.address, expecting: key.id, on: transport) }))
        #expect(error.reason.contains("in between"), "\(error.reason)")
        #expect(end.asked[stolen...].allSatisfy { $0.token == nil })

        // Another node at the same address, which is whom the next one asks for, or whoever it is.
        let other = NodeKey()
        try await end.become(.init(of: other, showing: certificate()))
        try await eventually { refusal(await send(to: end.address, expecting: other.id, on: transport)) == nil }
        let third = NodeKey()
        try await end.become(.init(of: third, showing: certificate()))
        try await eventually {
            if case .success(third.id) = await send(to: end.address, expecting: nil, on: transport) { true } else { false }
        }
        await transport.shutdown()
    }

    @Test("What speaks no TLS is said to, at once")
    func plain() async throws {
        let listener = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture { try channel.pipeline.syncOperations.addHandler(PlainAnswer()) }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        let transport = HTTPTransport()
        let address = "https://127.0.0.1:\(listener.localAddress?.port ?? 0)"
        let error = try #require(refusal(await send(to: address, expecting: key.id, on: transport)))
        #expect(error.reason.contains("does not speak TLS"), "\(error.reason)")
        try await listener.close()
        let gone = try #require(refusal(await send(to: address, expecting: key.id, on: transport)))
        #expect(gone.isUnreachable, "\(gone.reason)")
        await transport.shutdown()
    }

    /// A connection that has just been closed may still be in the pool: its end is no answer.
    private func settled(_ send: () async -> Result<NodeID?, TransportError>) async throws -> Result<NodeID?, TransportError> {
        for _ in 0..<100 {
            let result = await send()
            if refusal(result)?.isUnreachable != true { return result }
        }
        return await send()
    }

    private func eventually(_ condition: () async throws -> Bool) async throws {
        for _ in 0..<100 { if try await condition() { return } }
        Issue.record("never")
    }
}

private final class PlainAnswer: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        context.writeAndFlush(wrapOutboundOut(ByteBuffer(string: "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")), promise: nil)
    }
}
