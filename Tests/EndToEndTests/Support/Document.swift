import Foundation

/// A JSON value whose parts are asked for by name; what is not there is null.
struct Document: CustomStringConvertible {
    private let value: Any?

    init(_ value: Any?) {
        self.value = value is NSNull ? nil : value
    }

    init(json bytes: [UInt8]) {
        self.init(try? JSONSerialization.jsonObject(with: Data(bytes), options: .fragmentsAllowed))
    }

    init(json text: String) {
        self.init(json: Array(text.utf8))
    }

    subscript(_ name: String) -> Document { Document((value as? [String: Any])?[name]) }
    subscript(_ index: Int) -> Document {
        guard let values = value as? [Any], values.indices.contains(index) else { return Document(nil) }
        return Document(values[index])
    }

    var isNull: Bool { value == nil }
    var text: String? { value as? String }
    var number: Int? { (value as? NSNumber)?.intValue }
    var flag: Bool? { value as? Bool }
    var items: [Document] { (value as? [Any] ?? []).map { Document($0) } }
    var names: Set<String> { Set((value as? [String: Any] ?? [:]).keys) }

    var description: String {
        guard let value else { return "null" }
        let data = try? JSONSerialization.data(withJSONObject: value, options: [.fragmentsAllowed, .sortedKeys, .withoutEscapingSlashes])
        return data.map { String(decoding: $0, as: UTF8.self) } ?? "\(value)"
    }
}

/// Text as the value of a JSON field.
func quoted(_ text: String) -> String {
    let data = try? JSONSerialization.data(withJSONObject: text, options: [.fragmentsAllowed, .withoutEscapingSlashes])
    return data.map { String(decoding: $0, as: UTF8.self) } ?? "\"\""
}

/// Bytes that do not compress and differ with the seed.
func noise(_ count: Int, seed: UInt64) -> [UInt8] {
    var state = seed &* 0x9e37_79b9_7f4a_7c15 | 1
    var bytes: [UInt8] = []
    bytes.reserveCapacity(count + 8)
    while bytes.count < count {
        state ^= state << 13
        state ^= state >> 7
        state ^= state << 17
        withUnsafeBytes(of: state) { bytes.append(contentsOf: $0) }
    }
    return Array(bytes.prefix(count))
}
