import Foundation
import NIOSSL
import Node
import TestSupport
import Testing

@testable import HTTPServer

@Suite("The server's certificate")
struct ServerCertificateTests {
    private func mode(_ path: String) throws -> Int {
        try #require(FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int)
    }

    @Test("Is made once, kept, and made anew for other names")
    func own() throws {
        let directory = try TemporaryDirectory()
        let hosts = ["127.0.0.1", "::1", "localhost"]
        let first = try ServerCertificate(directory: directory.path, name: "Pando node", hosts: hosts)
        #expect(try ServerCertificate(directory: directory.path, name: "Pando node", hosts: hosts).leaf == first.leaf)
        #expect(try SelfSignedCertificate.hosts(of: first.leaf) == Set(hosts))
        #expect(try ServerCertificate(directory: directory.path, name: "Pando node", hosts: ["::1"]).leaf == first.leaf)
        #expect(try ServerCertificate(directory: directory.path, name: "Pando node", hosts: hosts + ["10.1.2.3"]).leaf != first.leaf)
        #expect(first.expiresAt > Date() + 300 * 86_400)
        #expect(try mode(directory.path + "/tls-key.pem") == 0o600)
    }

    @Test("Is made anew before it expires, and when its files are damaged")
    func renewed() throws {
        let directory = try TemporaryDirectory()
        let old = try SelfSignedCertificate(name: "old", hosts: ["localhost"], now: Date() - SelfSignedCertificate.lifetime + 20 * 86_400)
        try Data(old.certificatePEM.utf8).write(to: URL(filePath: directory.path + "/tls-certificate.pem"))
        try Data(old.keyPEM.utf8).write(to: URL(filePath: directory.path + "/tls-key.pem"))
        let made = try ServerCertificate(directory: directory.path, name: "new", hosts: ["localhost"])
        #expect(made.expiresAt > Date() + 300 * 86_400)
        #expect(try !made.refresh())
        try Data("nonsense".utf8).write(to: URL(filePath: directory.path + "/tls-key.pem"))
        #expect(try made.refresh())
    }

    @Test("Files are read again when they change; those that cannot be used are refused with the reason, and change nothing")
    func files() throws {
        let directory = try TemporaryDirectory()
        let (certificate, key) = (directory.path + "/c.pem", directory.path + "/k.pem")
        func write(_ made: SelfSignedCertificate, keyOf other: SelfSignedCertificate? = nil) throws {
            try Data(made.certificatePEM.utf8).write(to: URL(filePath: certificate))
            try Data((other ?? made).keyPEM.utf8).write(to: URL(filePath: key))
        }
        func refusal() -> String {
            do {
                _ = try ServerCertificate(certificateFile: certificate, keyFile: key)
                return "none"
            } catch {
                return "\(error)"
            }
        }
        #expect(refusal().contains("there is no file"))
        let first = try SelfSignedCertificate(name: "a", hosts: ["a"])
        try write(first)
        let loaded = try ServerCertificate(certificateFile: certificate, keyFile: key)
        #expect(try !loaded.refresh())
        try write(SelfSignedCertificate(name: "b", hosts: ["b"]))
        #expect(try loaded.refresh())
        let leaf = loaded.leaf

        try write(SelfSignedCertificate(name: "c", hosts: ["c"]), keyOf: first)
        #expect(refusal().contains("is not the one of"))
        #expect(throws: NodeError.self) { try loaded.refresh() }
        #expect(loaded.leaf == leaf)
        try write(SelfSignedCertificate(name: "d", hosts: ["d"], now: Date() - 500 * 86_400))
        #expect(refusal().contains("has expired"))
        try Data("nonsense".utf8).write(to: URL(filePath: certificate))
        #expect(refusal().contains("holds no certificate"))
    }
}
