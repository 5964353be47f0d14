import AsyncHTTPClient
import Foundation
import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL

/// Why there was no answer, in words for people: the libraries' errors say more than they need.
public enum ConnectionFault {
    /// Whether a port cannot be listened at because somebody else does.
    public static func isAddressInUse(_ error: any Error) -> Bool { (error as? IOError)?.errnoCode == EADDRINUSE }

    static func words(_ error: any Error) -> String {
        switch error {
        case let error as TLSFault: error.description
        case is CertificateChanged: "its certificate changes again and again"
        case let error as NIOSSLError: words(error)
        case let error as NIOSSLExtraError where error == .failedToValidateHostname: "its certificate is for another name"
        case let error as HTTPClientError: words(error)
        case let error as NIOConnectionError:
            error.connectionErrors.first.map { words($0.error) } ?? "the name '\(error.host)' is not known"
        case is HTTPParserError: "what it sends is no HTTP"
        case let error as IOError: String(cString: strerror(error.errnoCode)).lowercased()
        case is ChannelError: "the connection was closed"
        default: "\(error)"
        }
    }

    /// Whether somebody answered, but not the one who should or not as it should. Another try alone changes nothing.
    static func isDistrust(_ error: any Error) -> Bool {
        if case NIOSSLError.handshakeFailed(let cause)? = error as? NIOSSLError { return cause != .sslError([.eofDuringHandshake]) }
        return error is TLSFault || error is NIOSSLExtraError || error is CertificateChanged
    }

    private static func words(_ error: HTTPClientError) -> String {
        switch error {
        case .connectTimeout, .getConnectionFromPoolTimeout: "connecting took too long"
        case .tlsHandshakeTimeout: "it does not answer the TLS handshake; is its address http:// and not https://?"
        case .readTimeout, .writeTimeout, .deadlineExceeded: "it took too long"
        case .remoteConnectionClosed: "it closed the connection"
        default: error.shortDescription
        }
    }

    private static func words(_ error: NIOSSLError) -> String {
        switch error {
        case .handshakeFailed(let cause):
            let text = "\(cause)"
            // What BoringSSL calls the first bytes of an answer that is no TLS.
            if text.contains("WRONG_VERSION_NUMBER") || text.contains("HTTP_REQUEST") || text.contains("UNEXPECTED_RECORD") {
                return "it does not speak TLS; is its address http:// and not https://?"
            }
            if text.contains("CERTIFICATE_VERIFY_FAILED") {
                return "no authority that this machine trusts vouches for its certificate; 'pando login' knows nodes by their own keys"
            }
            if text.contains("EOF during handshake") { return "it closed the connection in the TLS handshake" }
            if text.contains("PROTOCOL_VERSION") || text.contains("UNSUPPORTED_PROTOCOL") { return "it speaks no TLS from 1.2 on" }
            return "the TLS handshake failed: \(text)"
        case .uncleanShutdown: return "it closed the connection"
        default: return "TLS failed: \(error)"
        }
    }
}
