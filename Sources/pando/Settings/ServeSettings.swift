import ArgumentParser
import Content
import Foundation
import Logging
import Node

/// What a node runs with: flags stand over `PANDO_*` variables, and those over the configuration file.
struct ServeSettings {
    var directory: String
    var host: String
    var port: Int
    var label: String?
    var join: (address: String, token: String, fingerprint: String?)?
    var peers: [String]
    var syncPaths: [String]?
    var address: String?
    var encryption: Encryption
    var isManual: Bool
    /// How long deletions are kept, if not for the usual time.
    var deletionRetention: Duration?
    /// How often the node collects garbage and scrubs by itself.
    var care: CareSchedule
    var logLevel: Logger.Level
    var logFormat: LogFormat

    /// What protects what travels.
    enum Encryption {
        case none
        /// TLS with a certificate that the node makes.
        case ownCertificate
        case files(certificate: String, key: String)

        var scheme: String { if case .none = self { "http" } else { "https" } }
    }

    /// - Throws: `ValidationError` or `Failure` where settings are missing, contradict each other or make no sense.
    init(_ flags: Serve, environment: [String: String]) throws {
        let variable = environment["PANDO_CONFIG"].flatMap { $0.isEmpty ? nil : $0 }
        let sources = SettingSources(environment: environment, file: try ConfigurationFile.find(flags.config ?? variable))
        directory = flags.data ?? sources.text(.data) ?? "./pando-data"
        host = flags.host ?? sources.text(.host) ?? "127.0.0.1"
        port = try flags.port ?? sources.number(.port) ?? 6830
        guard (0...65_535).contains(port) else { throw ValidationError("a port is a number from 0 to 65535") }
        label = flags.label ?? sources.text(.label)
        peers = flags.peers.isEmpty ? sources.list(.peers) : flags.peers
        let paths = flags.syncPaths.isEmpty ? sources.list(.syncPaths) : flags.syncPaths
        syncPaths = paths.isEmpty ? nil : paths
        address = flags.address ?? sources.text(.address)
        isManual = try flags.manual || sources.flag(.manual)
        deletionRetention = try (flags.deletionRetention ?? sources.text(.deletionRetention)).map(TimeSpan.parse)
        care = try ServeSettings.care(
            collection: flags.gcInterval ?? sources.text(.gcInterval), scrub: flags.scrubInterval ?? sources.text(.scrubInterval),
            rate: flags.careRate ?? sources.text(.careRate))
        let level = flags.logLevel ?? sources.text(.logLevel) ?? "notice"
        guard let known = Logger.Level(rawValue: level) else {
            throw ValidationError("'\(level)' is no log level; use trace, debug, info, notice, warning or error")
        }
        logLevel = known
        let format = flags.logFormat ?? sources.text(.logFormat) ?? "text"
        guard let logFormat = LogFormat(rawValue: format) else { throw ValidationError("'\(format)' is no log format; use text or json") }
        self.logFormat = logFormat
        if let url = flags.join ?? sources.text(.join) {
            guard let token = flags.joinToken ?? sources.text(.joinToken) else {
                throw ValidationError("--join needs --join-token: 'pando invite' on a member makes an invitation")
            }
            let fingerprint = flags.joinFingerprint ?? sources.text(.joinFingerprint)
            guard fingerprint.map({ NodeID($0) != nil }) ?? true else {
                throw ValidationError("--join-fingerprint is a node's id: 64 lower-case hexadecimal digits, as 'pando status' shows them")
            }
            join = (url, token, fingerprint)
        }
        encryption = try ServeSettings.encryption(
            host: host, certificate: flags.tlsCert ?? sources.text(.tlsCert), key: flags.tlsKey ?? sources.text(.tlsKey),
            isWanted: try flags.tls || sources.flag(.tls), isInsecure: try flags.insecure || sources.flag(.insecure))
    }

    private static func care(collection: String?, scrub: String?, rate: String?) throws -> CareSchedule {
        func interval(_ text: String?, _ standard: Duration?) throws -> Duration? {
            guard let text else { return standard }
            return text == "off" ? nil : try TimeSpan.parse(text)
        }
        func bytes(_ text: String) throws -> UInt64 {
            guard let rate = ByteRate(argument: text) else { throw ValidationError("'\(text)' is no rate; write bytes a second like 64M or 500K") }
            return rate.bytes
        }
        return CareSchedule(
            collection: try interval(collection, CareSchedule.standard.collection), scrub: try interval(scrub, CareSchedule.standard.scrub),
            rate: try rate.map(bytes) ?? CareSchedule.standard.rate)
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
