import Access
import AsyncHTTPClient
import Content
import Foundation
import NIOCore
import NIOSSL
import Node
import Synchronization

/// Why what answers over TLS is not believed.
struct TLSFault: Error, CustomStringConvertible {
    var description: String

    init(_ description: String) {
        self.description = description
    }
}

/// The certificate of a connection is not the one that was proven; the node may have a new one.
struct CertificateChanged: Error {}

/// An `https` address at which one certain node has to answer.
///
/// The node's word for its certificate, which it gives without being asked who is asking, stands in the place of an
/// authority's. Once it is given, connections are let through by the certificate alone: looking at it costs nothing.
final class SecureAddress: Sendable {
    private struct Proven {
        var node: NodeID
        var certificate: [UInt8]
        var expiresAt: Date
    }

    let address: String
    private let expected: NodeID?
    private let proven = Mutex<Proven?>(nil)

    /// - Parameter node: who has to answer; nil for whoever does first, and nobody else from then on.
    init(_ address: String, expecting node: NodeID?) {
        self.address = address
        expected = node
    }

    static func isSecure(_ address: String) -> Bool { address.lowercased().hasPrefix("https://") }

    /// Who has proven that they answer here.
    var node: NodeID? { proven.withLock { $0?.node } }
    /// SHA-256 of the certificate that was proven, in hexadecimal.
    var fingerprint: String? { proven.withLock { $0.map { CertificateProof.fingerprint(of: $0.certificate).description } } }

    /// Sees to it that it is known which certificate the node has.
    func ensureProven() async throws {
        if proven.withLock({ $0 == nil }) { try await prove() }
    }

    /// Connects, looks at the certificate, and asks whose it is.
    /// - Throws: `TLSFault`, or whatever kept the connection from being made.
    func prove() async throws {
        let seen = Mutex<NIOSSLCertificate?>(nil)
        let http = HTTPClient.overTLS(connectTimeout: .seconds(5), readTimeout: .seconds(10)) { certificate in
            seen.withLock { $0 = certificate }
        }
        let body: [UInt8]
        do {
            // The only request on this client, and so on a connection of its own.
            let response = try await http.execute(HTTPClientRequest(url: address + "/sync/identity"), timeout: .seconds(10))
            body = Array(try await response.body.collect(upTo: 64 << 10).readableBytesView)
            try? await http.shutdown()
        } catch {
            try? await http.shutdown()
            throw error
        }
        guard let shown = seen.withLock({ $0 }) else { throw TLSFault("it shows no certificate") }
        let certificate = (der: try shown.toDERBytes(), notAfter: shown.notValidAfter)
        guard let identity = try? JSON.decode(NodeIdentity.self, body) else {
            throw TLSFault("it speaks TLS, but is no Pando node")
        }
        let isKnown = expected ?? node
        guard let node = identity.prover(of: certificate.der) else {
            let name = isKnown.map { "node \($0.short)" } ?? "the node that it says it is"
            throw TLSFault("its certificate is not \(name)'s: somebody may be in between, or something that ends TLS before the node")
        }
        if let isKnown, node != isKnown {
            throw TLSFault("node \(node.short) answers there, where node \(isKnown.short) is expected; it was told nothing")
        }
        let expiresAt = Date(timeIntervalSince1970: TimeInterval(certificate.notAfter))
        guard expiresAt > Date() else {
            throw TLSFault("the certificate of node \(node.short) has expired on \(RFC3339.format(nanoseconds: Int64(certificate.notAfter) * 1_000_000_000)), by this machine's clock")
        }
        proven.withLock { $0 = Proven(node: node, certificate: certificate.der, expiresAt: expiresAt) }
    }

    /// Refuses a connection whose certificate is not the one that was proven, or is not good any more.
    func check(_ certificate: NIOSSLCertificate?) throws {
        guard let certificate, let proven = proven.withLock({ $0 }), proven.expiresAt > Date(),
            try certificate.toDERBytes() == proven.certificate
        else { throw CertificateChanged() }
    }

    /// Sends something, and once more where the node has a new certificate meanwhile and can prove it. Nothing is sent on a
    /// connection that is refused, so nothing is sent twice.
    func send<Answer: Sendable>(_ body: () async throws -> Answer) async throws -> Answer {
        try await ensureProven()
        do {
            return try await body()
        } catch is CertificateChanged {
            try await prove()
            return try await body()
        }
    }
}

extension HTTPClient {
    /// A client for HTTP/1.1 over TLS that asks no authority about certificates, but `check`: once for each connection,
    /// before anything is sent on it.
    static func overTLS(
        connectTimeout: TimeAmount, readTimeout: TimeAmount?, connections: Int = 16,
        check: @escaping @Sendable (NIOSSLCertificate?) throws -> Void
    ) -> HTTPClient {
        var configuration = Configuration.plain(connectTimeout: connectTimeout, readTimeout: readTimeout, connections: connections)
        var tls = TLSConfiguration.makeClientConfiguration()
        // That the other end has the certificate's key is looked at all the same.
        tls.certificateVerification = .none
        tls.minimumTLSVersion = .tlsv12
        configuration.tlsConfiguration = tls
        configuration.http1_1ConnectionDebugInitializer = { channel in
            channel.nioSSL_peerCertificate().flatMapThrowing { try check($0) }.flatMapErrorThrowing { error in
                channel.close(promise: nil)
                throw error
            }.flatMap { channel.readLargePieces() }
        }
        return HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
    }
}

extension HTTPClient.Configuration {
    /// What all connections to nodes have in common.
    static func plain(connectTimeout: TimeAmount, readTimeout: TimeAmount?, connections: Int = 16) -> HTTPClient.Configuration {
        var configuration = HTTPClient.Configuration()
        configuration.httpVersion = .http1Only
        configuration.redirectConfiguration = .disallow
        configuration.timeout.connect = connectTimeout
        configuration.timeout.read = readTimeout
        configuration.connectionPool.concurrentHTTP1ConnectionsPerHostSoftLimit = connections
        configuration.connectionPool.retryConnectionEstablishment = false
        configuration.http1_1ConnectionDebugInitializer = { $0.readLargePieces() }
        return configuration
    }
}

extension Channel {
    /// Reads up to this at once where as much has come, since each piece has a long way through the library.
    private static var largestPiece: Int { 256 << 10 }

    fileprivate func readLargePieces() -> EventLoopFuture<Void> {
        setOption(.recvAllocator, value: AdaptiveRecvByteBufferAllocator(minimum: 1024, initial: 16 << 10, maximum: Self.largestPiece))
    }
}
