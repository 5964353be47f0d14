import Content
import NIOCore

/// Writes JSON (RFC 8259) straight into a buffer: answers are small and many, and a general encoder would cost more than
/// the database does.
///
/// Keys are this program's own and need no escaping.
struct JSONWriter {
    private(set) var buffer: ByteBuffer
    private var needsComma = false

    init(reserving capacity: Int = 512) {
        buffer = ByteBufferAllocator().buffer(capacity: capacity)
    }

    // MARK: Structure

    mutating func object(_ body: (inout JSONWriter) throws -> Void) rethrows {
        open("{")
        try body(&self)
        close("}")
    }

    mutating func array(_ body: (inout JSONWriter) throws -> Void) rethrows {
        open("[")
        try body(&self)
        close("]")
    }

    mutating func key(_ key: StaticString) {
        separate()
        buffer.writeInteger(UInt8(ascii: "\""))
        buffer.writeStaticString(key)
        buffer.writeStaticString("\":")
        needsComma = false
    }

    /// A key that somebody else has chosen.
    private mutating func key(text: String) {
        value(text)
        buffer.writeInteger(UInt8(ascii: ":"))
        needsComma = false
    }

    private mutating func open(_ bracket: Unicode.Scalar) {
        separate()
        buffer.writeInteger(UInt8(ascii: bracket))
        needsComma = false
    }

    private mutating func close(_ bracket: Unicode.Scalar) {
        buffer.writeInteger(UInt8(ascii: bracket))
        needsComma = true
    }

    private mutating func separate() {
        if needsComma { buffer.writeInteger(UInt8(ascii: ",")) }
        needsComma = true
    }

    // MARK: Values

    /// A value that was read, as it was.
    mutating func value(_ value: JSONValue) {
        switch value {
        case .null: null()
        case .bool(let flag): self.value(flag)
        case .number(let digits):
            separate()
            buffer.writeString(digits)
        case .string(let text): self.value(text)
        case .array(let values): array { json in for value in values { json.value(value) } }
        case .object(let fields):
            object { json in
                for field in fields {
                    json.key(text: field.name)
                    json.value(field.value)
                }
            }
        }
    }

    mutating func null() {
        separate()
        buffer.writeStaticString("null")
    }

    mutating func value(_ value: Bool) {
        separate()
        buffer.writeStaticString(value ? "true" : "false")
    }

    mutating func value(_ value: some BinaryInteger) {
        separate()
        buffer.writeString(String(value))
    }

    /// Lower-case hexadecimal digits.
    mutating func value(_ hash: ContentHash) {
        separate()
        buffer.writeInteger(UInt8(ascii: "\""))
        buffer.writeString(hash.description)
        buffer.writeInteger(UInt8(ascii: "\""))
    }

    /// A time, in nanoseconds since 1970.
    mutating func value(time nanoseconds: Int64) {
        separate()
        buffer.writeInteger(UInt8(ascii: "\""))
        HTTPTime.writeRFC3339(nanoseconds, digits: 3, to: &buffer)
        buffer.writeInteger(UInt8(ascii: "\""))
    }

    mutating func value(_ text: String) {
        separate()
        var text = text
        buffer.writeInteger(UInt8(ascii: "\""))
        text.withUTF8 { bytes in
            if bytes.allSatisfy({ $0 >= 0x20 && $0 != UInt8(ascii: "\"") && $0 != UInt8(ascii: "\\") && $0 != 0x7f }) {
                buffer.writeBytes(bytes)
            } else {
                for byte in bytes { writeEscaped(byte) }
            }
        }
        buffer.writeInteger(UInt8(ascii: "\""))
    }

    private mutating func writeEscaped(_ byte: UInt8) {
        switch byte {
        case UInt8(ascii: "\""): buffer.writeStaticString("\\\"")
        case UInt8(ascii: "\\"): buffer.writeStaticString("\\\\")
        case UInt8(ascii: "\n"): buffer.writeStaticString("\\n")
        case UInt8(ascii: "\r"): buffer.writeStaticString("\\r")
        case UInt8(ascii: "\t"): buffer.writeStaticString("\\t")
        case 0..<0x20, 0x7f:
            buffer.writeStaticString("\\u00")
            for digit in [byte >> 4, byte & 15] {
                buffer.writeInteger(digit < 10 ? UInt8(ascii: "0") + digit : UInt8(ascii: "a") + digit - 10)
            }
        default: buffer.writeInteger(byte)
        }
    }
}

// MARK: - Fields

extension JSONWriter {
    mutating func field(_ key: StaticString, _ value: String?) {
        self.key(key)
        if let value { self.value(value) } else { null() }
    }

    mutating func field(_ key: StaticString, _ value: ContentHash?) {
        self.key(key)
        if let value { self.value(value) } else { null() }
    }

    mutating func field(_ key: StaticString, _ value: Bool) {
        self.key(key)
        self.value(value)
    }

    mutating func field(_ key: StaticString, _ value: (some BinaryInteger)?) {
        self.key(key)
        if let value { self.value(value) } else { null() }
    }

    mutating func field(_ key: StaticString, time nanoseconds: Int64?) {
        self.key(key)
        if let nanoseconds { value(time: nanoseconds) } else { null() }
    }
}
