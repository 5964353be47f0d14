import Access
import Foundation
import Logging
import NIOCore
import NIOSSL
import Node
import Platform
import Synchronization

/// The certificate that a server shows over TLS, and its key: the node's own work, or files of its owner's. Either is looked
/// at again while the server runs, and taken anew where it has to be.
public final class ServerCertificate: Sendable {
    private enum Source: Sendable {
        /// Made and kept in the data directory.
        case own(directory: String, name: String, hosts: [String])
        /// Somebody else looks after them.
        case files(certificate: String, key: String)
    }

    private struct Loaded {
        var context: NIOSSLContext
        /// DER-encoded.
        var leaf: [UInt8]
        var expiresAt: Date
        /// The files' bytes, so that it is seen when they change.
        var certificatePEM: [UInt8]
        var keyPEM: [UInt8]
    }

    private let source: Source
    private let loaded: Mutex<Loaded>

    /// A certificate of the node's own making. Blocks.
    ///
    /// - Parameters:
    ///   - directory: the data directory, which keeps it and its key.
    ///   - name: what people see in it.
    ///   - hosts: the names and addresses by which the node is reached.
    public init(directory: String, name: String, hosts: [String]) throws {
        source = .own(directory: directory, name: name, hosts: hosts)
        loaded = Mutex(try ServerCertificate.makeOrLoad(directory: directory, name: name, hosts: hosts))
    }

    /// A certificate from files in PEM: the node's first, then those that lead to its authority. Blocks.
    /// - Throws: `NodeError` where they cannot be used, with the reason.
    public init(certificateFile: String, keyFile: String) throws {
        source = .files(certificate: certificateFile, key: keyFile)
        loaded = Mutex(try ServerCertificate.load(certificateFile: certificateFile, keyFile: keyFile))
    }

    var context: NIOSSLContext { loaded.withLock { $0.context } }
    /// What connections show, DER-encoded.
    public var leaf: [UInt8] { loaded.withLock { $0.leaf } }
    public var expiresAt: Date { loaded.withLock { $0.expiresAt } }

    /// Takes the certificate anew where it is about to expire or its files have changed. Connections that are open keep theirs.
    /// Blocks.
    /// - Returns: whether there is a new one.
    func refresh() throws -> Bool {
        let before = loaded.withLock { $0 }
        let now: Loaded
        switch source {
        case .own(let directory, let name, let hosts):
            now = try ServerCertificate.makeOrLoad(directory: directory, name: name, hosts: hosts)
        case .files(let certificate, let key):
            let bytes = (try PrivateFile.read(certificate), try PrivateFile.read(key))
            if bytes.0 == before.certificatePEM, bytes.1 == before.keyPEM { return false }
            now = try ServerCertificate.load(certificateFile: certificate, keyFile: key)
        }
        guard now.leaf != before.leaf else { return false }
        loaded.withLock { $0 = now }
        return true
    }

    // MARK: Loading

    private static func makeOrLoad(directory: String, name: String, hosts: [String]) throws -> Loaded {
        let certificateFile = directory + "/tls-certificate.pem"
        let keyFile = directory + "/tls-key.pem"
        // One that cannot be read is no loss: nobody trusts it but by the node's word.
        if let known = try? load(certificateFile: certificateFile, keyFile: keyFile),
            known.expiresAt > Date() + SelfSignedCertificate.renewal,
            try SelfSignedCertificate.hosts(of: known.leaf).isSuperset(of: hosts) {
            return known
        }
        let made = try SelfSignedCertificate(name: name, hosts: hosts)
        try PrivateFile.write(Array(made.keyPEM.utf8), to: keyFile)
        try PrivateFile.write(Array(made.certificatePEM.utf8), to: certificateFile)
        return try load(certificateFile: certificateFile, keyFile: keyFile)
    }

    private static func load(certificateFile: String, keyFile: String) throws -> Loaded {
        func read(_ path: String) throws -> [UInt8] {
            do {
                if let bytes = try PrivateFile.read(path) { return bytes }
            } catch {
                throw NodeError(.invalid, "cannot read \(path): \(error)")
            }
            throw NodeError(.invalid, "there is no file \(path)")
        }
        let certificatePEM = try read(certificateFile)
        let keyPEM = try read(keyFile)
        guard let chain = try? NIOSSLCertificate.fromPEMBytes(certificatePEM), let leaf = chain.first else {
            throw NodeError(.invalid, "\(certificateFile) holds no certificate in PEM")
        }
        guard let key = try? NIOSSLPrivateKey(bytes: keyPEM, format: .pem) else {
            throw NodeError(.invalid, "\(keyFile) holds no private key in PEM, or one with a passphrase, which a server cannot type")
        }
        let expiresAt = Date(timeIntervalSince1970: TimeInterval(leaf.notValidAfter))
        guard expiresAt > Date() else {
            throw NodeError(.invalid, "the certificate in \(certificateFile) has expired on \(HTTPTime.rfc3339(Int64(leaf.notValidAfter) * 1_000_000_000))")
        }
        var configuration = TLSConfiguration.makeServerConfiguration(
            certificateChain: chain.map { .certificate($0) }, privateKey: .privateKey(key))
        configuration.minimumTLSVersion = .tlsv12
        configuration.applicationProtocols = ["http/1.1"]
        guard let context = try? NIOSSLContext(configuration: configuration) else {
            throw NodeError(.invalid, "the key in \(keyFile) is not the one of the first certificate in \(certificateFile)")
        }
        return Loaded(
            context: context, leaf: try leaf.toDERBytes(), expiresAt: expiresAt, certificatePEM: certificatePEM, keyPEM: keyPEM)
    }
}
