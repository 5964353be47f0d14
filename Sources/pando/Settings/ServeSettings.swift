import ArgumentParser
import Foundation

/// What a node runs with: flags stand over `PANDO_*` variables.
struct ServeSettings {
    var directory: String
    var host: String
    var port: Int
    var label: String?
    var join: (address: String, token: String)?
    var peers: [String]
    var syncPaths: [String]?
    var address: String?
    var encryption: Encryption
    var isManual: Bool
    var logLevel: String

    /// What protects what travels.
    enum Encryption {
        case none
        /// TLS with a certificate that the node makes.
        case ownCertificate
        case files(certificate: String, key: String)

        var scheme: String { if case .none = self { "http" } else { "https" } }
    }

    /// - Throws: `ValidationError` where settings are missing or contradict each other.
    init(_ flags: Serve, environment: [String: String]) throws {
        let variables = SettingVariables(environment: environment)
        directory = flags.data ?? variables.text("DATA") ?? "./pando-data"
        host = flags.host ?? variables.text("HOST") ?? "127.0.0.1"
        port = try flags.port ?? variables.integer("PORT") ?? 6830
        guard (0...65_535).contains(port) else { throw ValidationError("a port is a number from 0 to 65535") }
        label = flags.label ?? variables.text("LABEL")
        peers = flags.peers
        syncPaths = flags.syncPaths.isEmpty ? nil : flags.syncPaths
        address = flags.address ?? variables.text("ADDRESS")
        isManual = try flags.manual || variables.flag("MANUAL")
        logLevel = flags.logLevel ?? variables.text("LOG_LEVEL") ?? "notice"
        if let url = flags.join ?? variables.text("JOIN") {
            guard let token = flags.joinToken ?? variables.text("JOIN_TOKEN") else {
                throw ValidationError("--join needs --join-token: 'pando invite' on a member makes an invitation")
            }
            join = (url, token)
        }
        encryption = try ServeSettings.encryption(
            host: host, certificate: flags.tlsCert ?? variables.text("TLS_CERT"), key: flags.tlsKey ?? variables.text("TLS_KEY"),
            isWanted: try flags.tls || variables.flag("TLS"), isInsecure: try flags.insecure || variables.flag("INSECURE"))
    }

    private static func encryption(
        host: String, certificate: String?, key: String?, isWanted: Bool, isInsecure: Bool
    ) throws -> Encryption {
        if isInsecure, isWanted || certificate != nil {
            throw ValidationError("--insecure means without TLS; it does not go together with --tls and --tls-cert")
        }
        switch (certificate, key) {
        case (let certificate?, let key?): return .files(certificate: certificate, key: key)
        case (nil, nil): break
        case (_?, nil), (nil, _?): throw ValidationError("--tls-cert and --tls-key belong together")
        }
        if isInsecure || !isWanted && Host.isLoopback(host) { return .none }
        return .ownCertificate
    }
}

/// The `PANDO_*` variables of the environment. An empty one counts as unset.
struct SettingVariables {
    var environment: [String: String]

    func text(_ name: String) -> String? {
        let value = environment["PANDO_" + name]
        return value?.isEmpty == false ? value : nil
    }

    func integer(_ name: String) throws -> Int? {
        guard let text = text(name) else { return nil }
        guard let number = Int(text) else { throw ValidationError("PANDO_\(name) is '\(text)', which is no number") }
        return number
    }

    func flag(_ name: String) throws -> Bool {
        switch text(name)?.lowercased() {
        case nil, "0", "false", "no", "off": return false
        case "1", "true", "yes", "on": return true
        case let other?: throw ValidationError("PANDO_\(name) is '\(other)'; it can be 1 or 0")
        }
    }
}
