/// A value of a JSON body.
enum JSONValue: Equatable {
    case null
    case bool(Bool)
    /// As it was written; whoever wants a number says of which kind.
    case number(String)
    case string(String)
    case array([JSONValue])
    case object([(name: String, value: JSONValue)])

    static func == (left: JSONValue, right: JSONValue) -> Bool {
        switch (left, right) {
        case (.null, .null): true
        case (.bool(let left), .bool(let right)): left == right
        case (.number(let left), .number(let right)), (.string(let left), .string(let right)): left == right
        case (.array(let left), .array(let right)): left == right
        case (.object(let left), .object(let right)): left.elementsEqual(right) { $0 == $1 }
        default: false
        }
    }
}

/// Reads JSON strictly as RFC 8259 has it, and refuses a name that comes twice. Small and exact, so that an error can say
/// what is wrong and where.
struct JSONReader {
    struct Malformed: Error {
        var reason: String
        var offset: Int
    }

    private let bytes: [UInt8]
    private var offset = 0

    static func read(_ bytes: [UInt8]) throws(Malformed) -> JSONValue {
        guard String(validating: bytes, as: UTF8.self) != nil else { throw Malformed(reason: "it is not UTF-8", offset: 0) }
        var reader = JSONReader(bytes: bytes)
        let value = try reader.value(depth: 0)
        reader.skipSpace()
        guard reader.offset == bytes.count else { throw reader.malformed("there is more after the value") }
        return value
    }

    private init(bytes: [UInt8]) {
        self.bytes = bytes
    }

    private func malformed(_ reason: String) -> Malformed { Malformed(reason: reason, offset: offset) }

    private var current: UInt8? { offset < bytes.count ? bytes[offset] : nil }

    private mutating func skipSpace() {
        while let byte = current, [0x20, 0x09, 0x0a, 0x0d].contains(byte) { offset += 1 }
    }

    private mutating func skip(_ character: Unicode.Scalar) -> Bool {
        skipSpace()
        guard current == UInt8(ascii: character) else { return false }
        offset += 1
        return true
    }

    private mutating func value(depth: Int) throws(Malformed) -> JSONValue {
        guard depth < ServerLimits.jsonDepth else { throw malformed("it is nested more than \(ServerLimits.jsonDepth) deep") }
        skipSpace()
        guard let first = current else { throw malformed("it ends where a value should be") }
        switch first {
        case UInt8(ascii: "{"): return try object(depth)
        case UInt8(ascii: "["): return try array(depth)
        case UInt8(ascii: "\""): return .string(try string())
        case UInt8(ascii: "t"): return try word("true", .bool(true))
        case UInt8(ascii: "f"): return try word("false", .bool(false))
        case UInt8(ascii: "n"): return try word("null", .null)
        case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): return .number(try number())
        default: throw malformed("there is no value here")
        }
    }

    private mutating func word(_ word: String, _ value: JSONValue) throws(Malformed) -> JSONValue {
        guard bytes[offset...].starts(with: word.utf8) else { throw malformed("there is no value here") }
        offset += word.utf8.count
        return value
    }

    private mutating func object(_ depth: Int) throws(Malformed) -> JSONValue {
        offset += 1
        var fields: [(name: String, value: JSONValue)] = []
        var names: Set<String> = []
        if skip("}") { return .object([]) }
        repeat {
            skipSpace()
            guard current == UInt8(ascii: "\"") else { throw malformed("a field's name in quotes should be here") }
            let name = try string()
            guard names.insert(name).inserted else { throw malformed("the field '\(name.prefix(80))' comes twice") }
            guard skip(":") else { throw malformed("a ':' should be here") }
            fields.append((name, try value(depth: depth + 1)))
        } while skip(",")
        guard skip("}") else { throw malformed("a ',' or '}' should be here") }
        return .object(fields)
    }

    private mutating func array(_ depth: Int) throws(Malformed) -> JSONValue {
        offset += 1
        var values: [JSONValue] = []
        if skip("]") { return .array([]) }
        repeat { values.append(try value(depth: depth + 1)) } while skip(",")
        guard skip("]") else { throw malformed("a ',' or ']' should be here") }
        return .array(values)
    }

    private mutating func number() throws(Malformed) -> String {
        let start = offset
        func isDigit(_ byte: UInt8?) -> Bool { byte.map { $0 >= UInt8(ascii: "0") && $0 <= UInt8(ascii: "9") } ?? false }
        if current == UInt8(ascii: "-") { offset += 1 }
        if current == UInt8(ascii: "0") { offset += 1 } else {
            guard isDigit(current) else { throw malformed("a digit should be here") }
            while isDigit(current) { offset += 1 }
        }
        if current == UInt8(ascii: ".") {
            offset += 1
            guard isDigit(current) else { throw malformed("a digit should be here") }
            while isDigit(current) { offset += 1 }
        }
        if current == UInt8(ascii: "e") || current == UInt8(ascii: "E") {
            offset += 1
            if current == UInt8(ascii: "+") || current == UInt8(ascii: "-") { offset += 1 }
            guard isDigit(current) else { throw malformed("a digit should be here") }
            while isDigit(current) { offset += 1 }
        }
        return String(decoding: bytes[start..<offset], as: UTF8.self)
    }

    private mutating func string() throws(Malformed) -> String {
        offset += 1
        var text: [UInt8] = []
        while let byte = current {
            offset += 1
            switch byte {
            case UInt8(ascii: "\""): return String(decoding: text, as: UTF8.self)
            case UInt8(ascii: "\\"): text.append(contentsOf: try escape())
            case 0..<0x20: throw malformed("a control character in a string must be escaped")
            default: text.append(byte)
            }
        }
        throw malformed("a string is not closed")
    }

    private mutating func escape() throws(Malformed) -> [UInt8] {
        guard let byte = current else { throw malformed("a string is not closed") }
        offset += 1
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): return [byte]
        case UInt8(ascii: "b"): return [0x08]
        case UInt8(ascii: "f"): return [0x0c]
        case UInt8(ascii: "n"): return [0x0a]
        case UInt8(ascii: "r"): return [0x0d]
        case UInt8(ascii: "t"): return [0x09]
        case UInt8(ascii: "u"):
            var code = UInt32(try codeUnit())
            if (0xd800..<0xdc00).contains(code), current == UInt8(ascii: "\\"), offset + 1 < bytes.count, bytes[offset + 1] == UInt8(ascii: "u") {
                offset += 2
                let low = UInt32(try codeUnit())
                guard (0xdc00..<0xe000).contains(low) else { throw malformed("a surrogate stands alone") }
                code = 0x10000 + (code - 0xd800) << 10 + (low - 0xdc00)
            }
            guard let scalar = Unicode.Scalar(code) else { throw malformed("a surrogate stands alone") }
            return Array(String(Character(scalar)).utf8)
        default: throw malformed("there is no such escape")
        }
    }

    private mutating func codeUnit() throws(Malformed) -> UInt16 {
        guard offset + 4 <= bytes.count,
            bytes[offset..<offset + 4].allSatisfy({ Unicode.Scalar($0).properties.isASCIIHexDigit }),
            let code = UInt16(String(decoding: bytes[offset..<offset + 4], as: UTF8.self), radix: 16)
        else { throw malformed("four hexadecimal digits should be here") }
        offset += 4
        return code
    }
}
