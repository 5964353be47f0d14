import Foundation

/// JSON between nodes: snake_case names, times as RFC 3339.
public enum JSON {
    public static func decode<Value: Decodable>(_ type: Value.Type, _ bytes: [UInt8]) throws -> Value {
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .custom { path in
            JSONName(path[path.count - 1].stringValue.fromSnakeCase)
        }
        return try decoder.decode(type, from: Data(bytes))
    }

    public static func encode(_ value: some Encodable) throws -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.withoutEscapingSlashes]
        encoder.keyEncodingStrategy = .custom { path in JSONName(path[path.count - 1].stringValue.toSnakeCase) }
        return Array(try encoder.encode(value))
    }
}

private struct JSONName: CodingKey {
    var stringValue: String
    var intValue: Int? { nil }
    init(_ text: String) { stringValue = text }
    init?(stringValue: String) { self.stringValue = stringValue }
    init?(intValue: Int) { nil }
}

extension String {
    /// `node_id` to `nodeID`, the way this project spells abbreviations.
    fileprivate var fromSnakeCase: String {
        guard utf8.contains(underscore) else { return self }
        return utf8.split(separator: underscore, omittingEmptySubsequences: false).enumerated().map { index, part in
            let word = String(Substring(part))
            if index == 0 { return word }
            return word == "id" ? "ID" : word.prefix(1).uppercased() + word.dropFirst()
        }.joined()
    }

    /// `nodeID` to `node_id`. Names of properties are ASCII.
    fileprivate var toSnakeCase: String {
        guard utf8.contains(where: upperCase.contains) else { return self }
        var bytes: [UInt8] = []
        var wasUpper = true
        for byte in utf8 {
            let isUpper = upperCase.contains(byte)
            if isUpper, !wasUpper { bytes.append(underscore) }
            wasUpper = isUpper
            bytes.append(isUpper ? byte | 0x20 : byte)
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}

private let underscore = UInt8(ascii: "_")
private let upperCase = UInt8(ascii: "A")...UInt8(ascii: "Z")
