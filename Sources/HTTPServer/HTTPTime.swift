import NIOCore

/// Times as HTTP and JSON write them, by integer arithmetic: formatters cost more than the rest of a small answer.
enum HTTPTime {
    private static let days: [StaticString] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"]
    private static let months: [StaticString] = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ]
    private static let nanoseconds: Int64 = 1_000_000_000

    /// Whole seconds since 1970 of a time in nanoseconds, rounded down.
    static func seconds(_ nanoseconds: Int64) -> Int64 { floorDivide(nanoseconds, HTTPTime.nanoseconds) }

    // MARK: RFC 3339

    /// Writes `2026-05-01T10:11:12.345Z`, with the given number of digits of the second's fraction.
    static func writeRFC3339(_ time: Int64, digits: Int, to buffer: inout ByteBuffer) {
        let seconds = seconds(time)
        let days = floorDivide(seconds, 86_400)
        let (year, month, day) = civil(fromDays: days)
        let ofDay = seconds - days * 86_400
        buffer.reserveCapacity(minimumWritableBytes: 32)
        write(year, 4, "-", to: &buffer)
        write(month, 2, "-", to: &buffer)
        write(day, 2, "T", to: &buffer)
        write(ofDay / 3600, 2, ":", to: &buffer)
        write(ofDay / 60 % 60, 2, ":", to: &buffer)
        write(ofDay % 60, 2, ".", to: &buffer)
        var fraction = floorModulo(time, nanoseconds)
        for _ in digits..<9 { fraction /= 10 }
        write(fraction, digits, "Z", to: &buffer)
    }

    /// The same as text.
    static func rfc3339(_ time: Int64, digits: Int = 3) -> String {
        var buffer = ByteBuffer()
        writeRFC3339(time, digits: digits, to: &buffer)
        return String(buffer: buffer)
    }

    /// Reads a time with `Z` or an offset and any digits of a second's fraction, of which nine count; nil for anything
    /// else, and for years that nanoseconds in 64 bits cannot hold.
    static func nanoseconds(rfc3339 text: String) -> Int64? {
        if case .time(let time) = reading(text) { time } else { nil }
    }

    /// What a text turns out to be.
    private enum Reading {
        case time(Int64)
        /// A time that nanoseconds in 64 bits cannot hold.
        case outOfRange
        case noTime
    }

    /// Why a text cannot be taken for a time, as words behind it; nil where it can.
    static func fault(inRFC3339 text: String) -> String? {
        switch reading(text) {
        case .time: nil
        case .outOfRange: "is out of range: times from 1677-09-21T00:12:44Z to 2262-04-11T23:47:16Z are known"
        case .noTime: "is no time; write it like 2026-05-01T10:11:12Z"
        }
    }

    private static func reading(_ text: String) -> Reading {
        var bytes = Array(text.utf8)[...]
        guard let year = take(4, "-", from: &bytes), let month = take(2, "-", from: &bytes), let day = take(2, from: &bytes),
            let separator = bytes.popFirst(), [UInt8(ascii: "T"), UInt8(ascii: "t"), UInt8(ascii: " ")].contains(separator),
            let hour = take(2, ":", from: &bytes), let minute = take(2, ":", from: &bytes), let second = take(2, from: &bytes),
            let days = days(year: year, month: month, day: day), hour < 24, minute < 60, second <= 60
        else { return .noTime }
        var fraction: Int64 = 0
        if bytes.first == UInt8(ascii: ".") {
            bytes.removeFirst()
            var scale: Int64 = 100_000_000
            guard let first = bytes.first, isDigit(first) else { return .noTime }
            while let digit = bytes.first, isDigit(digit) {
                fraction += Int64(digit - UInt8(ascii: "0")) * scale
                scale /= 10
                bytes.removeFirst()
            }
        }
        var offset: Int64 = 0
        switch bytes.popFirst() {
        case UInt8(ascii: "Z"), UInt8(ascii: "z"): break
        case let sign? where sign == UInt8(ascii: "+") || sign == UInt8(ascii: "-"):
            guard let hours = take(2, ":", from: &bytes), let minutes = take(2, from: &bytes), hours < 24, minutes < 60 else { return .noTime }
            offset = (hours * 3600 + minutes * 60) * (sign == UInt8(ascii: "-") ? -1 : 1)
        default: return .noTime
        }
        guard bytes.isEmpty else { return .noTime }
        let seconds = days * 86_400 + hour * 3600 + minute * 60 + second - offset
        // Towards zero first, so that the least time is read, too.
        let isBefore = seconds < 0 && fraction > 0
        let (product, overflow) = (isBefore ? seconds + 1 : seconds).multipliedReportingOverflow(by: nanoseconds)
        let (sum, carry) = product.addingReportingOverflow(isBefore ? fraction - nanoseconds : fraction)
        return overflow || carry ? .outOfRange : .time(sum)
    }

    // MARK: RFC 9110, section 5.6.7

    /// `Sun, 06 Nov 1994 08:49:37 GMT`, from seconds since 1970.
    static func imfFixdate(_ seconds: Int64) -> String {
        let number = floorDivide(seconds, 86_400)
        let (year, month, day) = civil(fromDays: number)
        let ofDay = seconds - number * 86_400
        var buffer = ByteBufferAllocator().buffer(capacity: 32)
        // 1970 began on a Thursday.
        buffer.writeStaticString(days[Int(floorModulo(number + 3, 7))])
        buffer.writeStaticString(", ")
        write(day, 2, " ", to: &buffer)
        buffer.writeStaticString(months[Int(month) - 1])
        buffer.writeStaticString(" ")
        write(year, 4, " ", to: &buffer)
        write(ofDay / 3600, 2, ":", to: &buffer)
        write(ofDay / 60 % 60, 2, ":", to: &buffer)
        write(ofDay % 60, 2, " ", to: &buffer)
        buffer.writeStaticString("GMT")
        return String(buffer: buffer)
    }

    /// Reads the three forms of a date that HTTP has; seconds since 1970, or nil.
    static func seconds(httpDate text: String) -> Int64? {
        var words = text.split { " ,-:".contains($0) }.map(String.init)
        // asctime: Sun Nov  6 08:49:37 1994
        if words.count == 7, Int64(words[1]) == nil { words = [words[0], words[2], words[1], words[6], words[3], words[4], words[5]] }
        guard words.count == 7 || words.count == 8 && words[7] == "GMT",
            let month = months.firstIndex(where: { $0.description == words[2] }),
            let day = Int64(words[1]), var year = Int64(words[3]), let hour = Int64(words[4]), let minute = Int64(words[5]),
            let second = Int64(words[6]), (0..<24).contains(hour), (0..<60).contains(minute), (0...60).contains(second)
        else { return nil }
        if words[3].utf8.count == 2 { year += year < 70 ? 2000 : 1900 }
        guard (0...9999).contains(year), let days = days(year: year, month: Int64(month) + 1, day: day) else { return nil }
        return days * 86_400 + hour * 3600 + minute * 60 + second
    }

    // MARK: The calendar

    // Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms": proleptic Gregorian, years that begin in March.

    private static func civil(fromDays days: Int64) -> (year: Int64, month: Int64, day: Int64) {
        let shifted = days + 719_468
        let era = floorDivide(shifted, 146_097)
        let ofEra = shifted - era * 146_097
        let year = (ofEra - ofEra / 1460 + ofEra / 36_524 - ofEra / 146_096) / 365
        let ofYear = ofEra - (365 * year + year / 4 - year / 100)
        let month = (5 * ofYear + 2) / 153
        let day = ofYear - (153 * month + 2) / 5 + 1
        let civilMonth = month < 10 ? month + 3 : month - 9
        return (year + era * 400 + (civilMonth <= 2 ? 1 : 0), civilMonth, day)
    }

    /// Days since 1970; nil where there is no such day.
    private static func days(year: Int64, month: Int64, day: Int64) -> Int64? {
        guard (1...12).contains(month), (1...31).contains(day) else { return nil }
        let shiftedYear = month <= 2 ? year - 1 : year
        let era = floorDivide(shiftedYear, 400)
        let ofEra = shiftedYear - era * 400
        let ofYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
        let days = era * 146_097 + ofEra * 365 + ofEra / 4 - ofEra / 100 + ofYear - 719_468
        let (_, _, again) = civil(fromDays: days)
        return again == day ? days : nil
    }

    private static func floorDivide(_ value: Int64, _ divisor: Int64) -> Int64 {
        value >= 0 ? value / divisor : -((-(value + 1)) / divisor) - 1
    }

    private static func floorModulo(_ value: Int64, _ divisor: Int64) -> Int64 {
        // Not by way of the quotient, whose product can be below the least number.
        let rest = value % divisor
        return rest < 0 ? rest + divisor : rest
    }

    // MARK: Digits

    private static func write(_ value: Int64, _ digits: Int, _ separator: Unicode.Scalar, to buffer: inout ByteBuffer) {
        var scale: Int64 = 1
        for _ in 1..<digits { scale *= 10 }
        var rest = value
        while scale > 0 {
            buffer.writeInteger(UInt8(ascii: "0") + UInt8(rest / scale % 10))
            rest %= scale
            scale /= 10
        }
        buffer.writeInteger(UInt8(ascii: separator))
    }

    private static func isDigit(_ byte: UInt8) -> Bool { byte >= UInt8(ascii: "0") && byte <= UInt8(ascii: "9") }

    private static func take(_ count: Int, _ separator: Unicode.Scalar? = nil, from bytes: inout ArraySlice<UInt8>) -> Int64? {
        guard bytes.count >= count else { return nil }
        var value: Int64 = 0
        for byte in bytes.prefix(count) {
            guard isDigit(byte) else { return nil }
            value = value * 10 + Int64(byte - UInt8(ascii: "0"))
        }
        bytes = bytes.dropFirst(count)
        if let separator {
            guard bytes.popFirst() == UInt8(ascii: separator) else { return nil }
        }
        return value
    }
}
