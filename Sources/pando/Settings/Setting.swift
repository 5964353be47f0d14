import Foundation

/// What `pando serve` can be told by a flag, a variable or the configuration file.
enum Setting: String, CaseIterable {
    case data, host, port, label, join, joinToken = "join_token", joinFingerprint = "join_fingerprint", peers, syncPaths = "sync_paths", address
    case tls, tlsCert = "tls_cert", tlsKey = "tls_key", insecure, manual
    case deletionRetention = "deletion_retention"
    case gcInterval = "gc_interval", scrubInterval = "scrub_interval", careRate = "care_rate"
    case logLevel = "log_level", logFormat = "log_format"

    enum Kind: String {
        case text, number, flag, list

        var words: String {
            switch self {
            case .text: "text"
            case .number: "a whole number"
            case .flag: "true or false"
            case .list: "a list of texts"
            }
        }
    }

    var kind: Kind {
        switch self {
        case .port: .number
        case .tls, .insecure, .manual: .flag
        case .peers, .syncPaths: .list
        default: .text
        }
    }

    /// The variable of the environment that says the same.
    var variable: String { "PANDO_" + rawValue.uppercased() }
}

/// A setting's value, whoever gave it.
enum SettingValue {
    case text(String)
    case number(Int)
    case flag(Bool)
    case list([String])
}

/// Where a node's settings come from when no flag names them: the environment stands over the configuration file.
struct SettingSources {
    var environment: [String: String]
    var file: ConfigurationFile?

    func text(_ setting: Setting) -> String? {
        if let text = variable(setting) { return text }
        if case .text(let text)? = file?.values[setting] { return text }
        return nil
    }

    func number(_ setting: Setting) throws -> Int? {
        if let text = variable(setting) {
            guard let number = Int(text) else { throw Failure("\(setting.variable) is '\(text)', which is no number") }
            return number
        }
        if case .number(let number)? = file?.values[setting] { return number }
        return nil
    }

    func flag(_ setting: Setting) throws -> Bool {
        if let text = variable(setting) {
            switch text.lowercased() {
            case "0", "false", "no", "off": return false
            case "1", "true", "yes", "on": return true
            default: throw Failure("\(setting.variable) is '\(text)'; it can be 1 or 0")
            }
        }
        if case .flag(let flag)? = file?.values[setting] { return flag }
        return false
    }

    /// Of a variable, what stands between its commas.
    func list(_ setting: Setting) -> [String] {
        if let text = variable(setting) { return text.split(separator: ",").map { $0.trimmingCharacters(in: .whitespaces) } }
        if case .list(let list)? = file?.values[setting] { return list }
        return []
    }

    /// An empty variable counts as unset.
    private func variable(_ setting: Setting) -> String? {
        let value = environment[setting.variable]
        return value?.isEmpty == false ? value : nil
    }
}
