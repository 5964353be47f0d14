import Foundation
import HTTPClient
import Logging

/// How the log is written.
enum LogFormat: String {
    /// For people.
    case text
    /// One JSON document a line, for programs.
    case json
}

/// Writes each message as one line of JSON on standard error: `time`, `level`, `message`, and its metadata by name.
struct JSONLogHandler: LogHandler {
    var logLevel: Logger.Level = .notice
    var metadata: Logger.Metadata = [:]

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        var fields: [String: JSONValue] = [:]
        for (name, value) in metadata.merging(event.metadata ?? [:], uniquingKeysWith: { $1 }) { fields[name] = .string("\(value)") }
        // Last, so that no metadata takes their places.
        fields["time"] = .string(RFC3339.format(nanoseconds: Int64(Date().timeIntervalSince1970 * 1e9)))
        fields["level"] = .string(event.level.rawValue)
        fields["message"] = .string("\(event.message)")
        guard let line = try? Output.encoder.encode(fields) else { return }
        // In one piece, so that lines of several threads do not mix.
        (Array(line) + [UInt8(ascii: "\n")]).withUnsafeBytes { Output.write($0, to: 2) }
    }
}
