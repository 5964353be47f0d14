/// What a `Range` header asks for (RFC 9110, section 14).
enum ByteRange: Equatable {
    /// The whole: no range, several ranges, or none that can be read, which are all to be answered alike.
    case whole
    case part(Range<UInt64>)
    case unsatisfiable

    init(_ header: String, size: UInt64) {
        self = .whole
        let parts = header.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
        guard parts.count == 2, parts[0].lowercased() == "bytes" else { return }
        let bounds = parts[1].filter { $0 != " " && $0 != "\t" }.split(separator: "-", omittingEmptySubsequences: false)
        guard bounds.count == 2, let first = ByteRange.number(bounds[0]), let last = ByteRange.number(bounds[1]) else { return }
        switch (first, last) {
        case (nil, nil): return
        case (nil, let length?):
            self = length == 0 || size == 0 ? .unsatisfiable : .part((size - min(length, size))..<size)
        case (let first?, let last):
            if let last, last < first { return }
            self = first >= size ? .unsatisfiable : .part(first..<(last.map { min($0, size - 1) } ?? size - 1) + 1)
        }
    }

    /// A number; nil inside for no digits, nil for what is no number. Ones of more than 64 bits are beyond every file.
    private static func number(_ digits: Substring) -> UInt64?? {
        if digits.isEmpty { return .some(nil) }
        guard digits.utf8.allSatisfy({ $0 >= UInt8(ascii: "0") && $0 <= UInt8(ascii: "9") }) else { return nil }
        return .some(UInt64(digits) ?? .max)
    }
}
