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
        let parts = split(separator: "_", omittingEmptySubsequences: false)
        return parts.enumerated().map { index, part in
            if index == 0 { return String(part) }
            return part == "id" ? "ID" : part.prefix(1).uppercased() + part.dropFirst()
        }.joined()
    }

    /// `nodeID` to `node_id`.
    fileprivate var toSnakeCase: String {
        var result = ""
        var wasUpper = true
        for character in self {
            if character.isUppercase, !wasUpper { result.append("_") }
            wasUpper = character.isUppercase
            result += character.lowercased()
        }
        return result
    }
}
