import Foundation

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// Writes to standard output and standard error.
enum Output {
    static let isTerminal = isatty(1) != 0
    static let errorIsTerminal = isatty(2) != 0

    /// A line on standard output.
    static func line(_ text: String) {
        write(Array((text + "\n").utf8))
    }

    /// Bytes on standard output, as they are.
    static func write(_ bytes: [UInt8]) {
        bytes.withUnsafeBytes { write($0, to: 1) }
    }

    /// A line on standard error.
    static func note(_ text: String) {
        notePart(text + "\n")
    }

    /// Text on standard error, as it is.
    static func notePart(_ text: String) {
        Array(text.utf8).withUnsafeBytes { write($0, to: 2) }
    }

    /// An error or a warning on standard error.
    static func complain(_ text: String) {
        note("pando: " + text)
    }

    /// A JSON document on standard output.
    static func json(_ value: some Encodable) throws {
        write(Array(try encoder.encode(value)) + [UInt8(ascii: "\n")])
    }

    static var encoder: JSONEncoder {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return encoder
    }

    static func write(_ bytes: UnsafeRawBufferPointer, to file: Int32) {
        var rest = bytes
        while !rest.isEmpty {
            #if canImport(Glibc)
                let count = Glibc.write(file, rest.baseAddress, rest.count)
            #elseif canImport(Musl)
                let count = Musl.write(file, rest.baseAddress, rest.count)
            #else
                let count = Darwin.write(file, rest.baseAddress, rest.count)
            #endif
            if count < 0 {
                if errno == EINTR { continue }
                if file != 1 { return }
                // Whoever read the output has had enough (as `head` does): nothing is left to do.
                if errno == EPIPE { exit(0) }
                complain("cannot write the output: \(LocalFile.reason())")
                exit(1)
            }
            rest = UnsafeRawBufferPointer(rebasing: rest[count...])
        }
    }

    // MARK: For people

    /// A name as it can be shown: on a terminal, control characters would be commands.
    static func shown(_ name: String, isTerminal: Bool = Output.isTerminal) -> String {
        guard isTerminal, name.unicodeScalars.contains(where: isControl) else { return name }
        var text = ""
        for scalar in name.unicodeScalars {
            switch scalar {
            case "\n": text += "\\n"
            case "\t": text += "\\t"
            case "\r": text += "\\r"
            case let scalar where isControl(scalar): text += "\\u{\(String(scalar.value, radix: 16))}"
            default: text.unicodeScalars.append(scalar)
            }
        }
        return text
    }

    private static func isControl(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        case 0..<0x20, 0x7f..<0xa0: true
        // Marks that turn the writing direction can make a name look like another.
        case 0x202a...0x202e, 0x2066...0x2069: true
        default: false
        }
    }

    /// A number of bytes: `512 B`, `4.0 KiB`, `1.5 GiB`.
    static func size(_ bytes: UInt64) -> String {
        if bytes < 1024 { return "\(bytes) B" }
        var value = Double(bytes) / 1024
        for unit in ["KiB", "MiB", "GiB", "TiB", "PiB"] {
            if value < 1023.95 { return fixed(value) + " " + unit }
            value /= 1024
        }
        return fixed(value) + " EiB"
    }

    /// One digit after the point.
    static func fixed(_ value: Double) -> String {
        let tenths = Int64((value * 10).rounded())
        return (tenths < 0 ? "-" : "") + "\(abs(tenths) / 10).\(abs(tenths) % 10)"
    }

    /// `2026-05-01 10:11:12` from RFC 3339, for tables.
    static func time(_ text: String?) -> String {
        guard let text else { return "-" }
        guard text.count >= 19, text.contains("T") else { return text }
        return text.prefix(19).replacingOccurrences(of: "T", with: " ")
    }

    /// How many of something: `1 file`, `2 files`.
    static func count(_ number: some BinaryInteger, _ noun: String) -> String {
        number == 1 ? "1 \(noun)" : "\(number) \(noun)s"
    }
}
