/// Percent-encoding (RFC 3986, section 2.1), strictly.
enum PercentDecoding {
    /// The text; nil for a broken escape and for bytes that are not UTF-8.
    ///
    /// - Parameter plusIsSpace: as forms, and so most clients, write queries.
    static func decode(_ text: Substring, plusIsSpace: Bool = false) -> String? {
        // Mostly there is nothing to decode. A replacement character stands where the request line was not UTF-8.
        let bytes = text.utf8
        guard bytes.contains(where: { $0 == UInt8(ascii: "%") || $0 >= 0x80 || plusIsSpace && $0 == UInt8(ascii: "+") }) else {
            return String(text)
        }
        if text.unicodeScalars.contains("\u{fffd}") { return nil }
        var decoded: [UInt8] = []
        decoded.reserveCapacity(bytes.count)
        var index = bytes.startIndex
        while index < bytes.endIndex {
            var byte = bytes[index]
            index = bytes.index(after: index)
            if byte == UInt8(ascii: "%") {
                guard index < bytes.endIndex, let high = digit(bytes[index]) else { return nil }
                index = bytes.index(after: index)
                guard index < bytes.endIndex, let low = digit(bytes[index]) else { return nil }
                index = bytes.index(after: index)
                byte = high << 4 | low
            } else if plusIsSpace, byte == UInt8(ascii: "+") {
                byte = UInt8(ascii: " ")
            }
            decoded.append(byte)
        }
        return String(validating: decoded, as: UTF8.self)
    }

    /// Text as a header can carry it: whatever is not visible ASCII is escaped, and so is '%'.
    static func encode(_ text: String) -> String {
        let digits = Array("0123456789ABCDEF".utf8)
        var encoded: [UInt8] = []
        for byte in text.utf8 {
            if byte > 0x20, byte < 0x7f, byte != UInt8(ascii: "%") {
                encoded.append(byte)
            } else {
                encoded += [UInt8(ascii: "%"), digits[Int(byte >> 4)], digits[Int(byte & 15)]]
            }
        }
        return String(decoding: encoded, as: UTF8.self)
    }

    private static func digit(_ byte: UInt8) -> UInt8? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
        case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
        case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
        default: nil
        }
    }
}
