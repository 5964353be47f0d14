/// A line of a `.pandoignore` file, by the rules of gitignore(5). Matches bytes.
struct IgnorePattern: Sendable {
    /// The line as it was written.
    let text: String
    /// Whether it takes back what an earlier one ignores.
    let isNegated: Bool
    let directoriesOnly: Bool
    /// Whether it is compared with the last name alone, at any depth.
    let matchesName: Bool
    private let matcher: Matcher

    /// Most patterns are one of the first three, which cost no simulation.
    private enum Matcher {
        case exact([UInt8])
        case ending([UInt8])
        case beginning([UInt8])
        case parts([Part])
        /// A class that is never closed, or a backslash at the end: matches nothing.
        case nothing
    }

    private enum Part {
        case byte(UInt8)
        case oneOf(ByteSet)
        /// Any run within a name.
        case run
        /// Any run at all.
        case anything
        /// No or any number of whole names, each with its slash.
        case directories
    }

    /// - Returns: nil for an empty line or a comment.
    init?(_ line: some Collection<UInt8>) {
        var bytes = Array(line)
        if bytes.last == UInt8(ascii: "\r") { bytes.removeLast() }
        text = String(decoding: bytes, as: UTF8.self)
        guard bytes.first != UInt8(ascii: "#") else { return nil }
        IgnorePattern.dropTrailingSpaces(&bytes)
        isNegated = bytes.first == UInt8(ascii: "!")
        if isNegated { bytes.removeFirst() }
        directoriesOnly = bytes.last == UInt8(ascii: "/")
        if directoriesOnly { bytes.removeLast() }
        guard !bytes.isEmpty else { return nil }
        matchesName = !bytes.contains(UInt8(ascii: "/"))
        if bytes.first == UInt8(ascii: "/") { bytes.removeFirst() }
        matcher = IgnorePattern.compile(bytes, matchesName: matchesName)
    }

    /// Spaces at the end mean nothing unless a backslash stands before them.
    private static func dropTrailingSpaces(_ bytes: inout [UInt8]) {
        var end = 0
        var index = 0
        while index < bytes.count {
            if bytes[index] == UInt8(ascii: "\\") {
                index = min(index + 2, bytes.count)
                end = index
            } else {
                index += 1
                if bytes[index - 1] != UInt8(ascii: " ") { end = index }
            }
        }
        bytes.removeLast(bytes.count - end)
    }

    // MARK: Matching

    /// - Parameter text: the last name if that is what it is compared with, or else the path below the directory of the file
    ///   that the pattern stands in.
    func matches(_ text: ArraySlice<UInt8>, isDirectory: Bool) -> Bool {
        if directoriesOnly, !isDirectory { return false }
        switch matcher {
        case .exact(let bytes): return text.elementsEqual(bytes)
        case .ending(let bytes): return text.count >= bytes.count && text.suffix(bytes.count).elementsEqual(bytes)
        case .beginning(let bytes): return text.starts(with: bytes)
        case .parts(let parts): return IgnorePattern.matches(parts, text)
        case .nothing: return false
        }
    }

    /// Steps through the text with the set of places in the pattern where a match may stand, so that no pattern takes
    /// exponential time.
    private static func matches(_ parts: [Part], _ text: ArraySlice<UInt8>) -> Bool {
        var states = [Bool](repeating: false, count: parts.count + 1)
        enter(0, parts, &states)
        for byte in text {
            var next = [Bool](repeating: false, count: parts.count + 1)
            var isAlive = false
            for (index, part) in parts.enumerated() where states[index] {
                switch part {
                case .byte(let wanted):
                    if byte != wanted { continue }
                    enter(index + 1, parts, &next)
                case .oneOf(let set):
                    if !set.contains(byte) { continue }
                    enter(index + 1, parts, &next)
                case .run:
                    if byte == UInt8(ascii: "/") { continue }
                    enter(index, parts, &next)
                case .anything:
                    enter(index, parts, &next)
                case .directories:
                    // In the middle of a name nothing can follow yet.
                    next[index] = true
                    if byte == UInt8(ascii: "/") { enter(index + 1, parts, &next) }
                }
                isAlive = true
            }
            if !isAlive { return false }
            states = next
        }
        return states[parts.count]
    }

    /// Notes a place, and those behind parts that may stand for nothing.
    private static func enter(_ index: Int, _ parts: [Part], _ states: inout [Bool]) {
        var index = index
        states[index] = true
        while index < parts.count {
            switch parts[index] {
            case .run, .anything, .directories: index += 1
            case .byte, .oneOf: return
            }
            states[index] = true
        }
    }

    // MARK: Reading

    private static func compile(_ bytes: [UInt8], matchesName: Bool) -> Matcher {
        let special: Set<UInt8> = Set("*?[\\".utf8)
        if !bytes.contains(where: special.contains) { return .exact(bytes) }
        if matchesName {
            let star = UInt8(ascii: "*")
            if bytes.first == star, !bytes.dropFirst().contains(where: special.contains) { return .ending(Array(bytes.dropFirst())) }
            if bytes.last == star, !bytes.dropLast().contains(where: special.contains) { return .beginning(Array(bytes.dropLast())) }
        }
        var parts: [Part] = []
        var index = 0
        while index < bytes.count {
            switch bytes[index] {
            case UInt8(ascii: "*"):
                let start = index
                while index < bytes.count, bytes[index] == UInt8(ascii: "*") { index += 1 }
                parts.append(stars(bytes, start..<index, matchesName: matchesName))
                // The slash belongs to the names that it stands for.
                if case .directories = parts[parts.count - 1] { index += 1 }
            case UInt8(ascii: "?"):
                parts.append(.oneOf(ByteSet.all.subtracting(UInt8(ascii: "/"))))
                index += 1
            case UInt8(ascii: "["):
                guard let (set, end) = byteClass(bytes, from: index) else { return .nothing }
                parts.append(.oneOf(set.subtracting(UInt8(ascii: "/"))))
                index = end
            case UInt8(ascii: "\\"):
                guard index + 1 < bytes.count else { return .nothing }
                parts.append(.byte(bytes[index + 1]))
                index += 2
            default:
                parts.append(.byte(bytes[index]))
                index += 1
            }
        }
        return .parts(parts)
    }

    /// Two stars mean whole names only where they stand alone between slashes.
    private static func stars(_ bytes: [UInt8], _ range: Range<Int>, matchesName: Bool) -> Part {
        if matchesName { return .anything }
        let slash = UInt8(ascii: "/")
        let standsAlone = range.lowerBound == 0 || bytes[range.lowerBound - 1] == slash
        guard range.count > 1, standsAlone else { return .run }
        if range.upperBound == bytes.count { return .anything }
        return bytes[range.upperBound] == slash ? .directories : .run
    }

    /// Reads `[...]`.
    /// - Returns: the bytes that it stands for and where the pattern goes on; nil if it is never closed.
    private static func byteClass(_ bytes: [UInt8], from start: Int) -> (ByteSet, Int)? {
        var index = start + 1
        var set = ByteSet()
        guard index < bytes.count else { return nil }
        let isNegated = bytes[index] == UInt8(ascii: "!") || bytes[index] == UInt8(ascii: "^")
        if isNegated { index += 1 }
        var isFirst = true
        while index < bytes.count {
            if bytes[index] == UInt8(ascii: "]"), !isFirst { return (isNegated ? set.inverted : set, index + 1) }
            isFirst = false
            if bytes[index] == UInt8(ascii: "["), index + 1 < bytes.count, bytes[index + 1] == UInt8(ascii: ":"),
                let end = bytes[(index + 2)...].firstIndex(of: UInt8(ascii: "]"))
            {
                if end > index + 2, bytes[end - 1] == UInt8(ascii: ":") {
                    guard let named = ByteSet(named: String(decoding: bytes[index + 2..<end - 1], as: UTF8.self)) else { return nil }
                    set.formUnion(named)
                    index = end + 1
                } else {
                    set.insert(UInt8(ascii: "["))
                    index += 1
                }
                continue
            }
            guard let low = classByte(bytes, &index) else { return nil }
            if index + 1 < bytes.count, bytes[index] == UInt8(ascii: "-"), bytes[index + 1] != UInt8(ascii: "]") {
                index += 1
                guard let high = classByte(bytes, &index) else { return nil }
                if low <= high { for byte in low...high { set.insert(byte) } }
            } else {
                set.insert(low)
            }
        }
        return nil
    }

    private static func classByte(_ bytes: [UInt8], _ index: inout Int) -> UInt8? {
        if bytes[index] == UInt8(ascii: "\\") { index += 1 }
        guard index < bytes.count else { return nil }
        defer { index += 1 }
        return bytes[index]
    }
}

/// A set of byte values.
struct ByteSet: Hashable, Sendable {
    private var words: [UInt64] = [0, 0, 0, 0]

    static let all = ByteSet().inverted

    init() {}

    /// A class of POSIX, of the bytes of ASCII; nil for an unknown one.
    init?(named name: String) {
        func isLetter(_ byte: UInt8) -> Bool { isUpper(byte) || isLower(byte) }
        func isUpper(_ byte: UInt8) -> Bool { (0x41...0x5a).contains(byte) }
        func isLower(_ byte: UInt8) -> Bool { (0x61...0x7a).contains(byte) }
        func isDigit(_ byte: UInt8) -> Bool { (0x30...0x39).contains(byte) }
        func isGraphic(_ byte: UInt8) -> Bool { (0x21...0x7e).contains(byte) }
        let test: (UInt8) -> Bool
        switch name {
        case "alpha": test = isLetter
        case "upper": test = isUpper
        case "lower": test = isLower
        case "digit": test = isDigit
        case "alnum": test = { isLetter($0) || isDigit($0) }
        case "xdigit": test = { isDigit($0) || (0x41...0x46).contains($0) || (0x61...0x66).contains($0) }
        case "space": test = { $0 == 0x20 || (0x09...0x0d).contains($0) }
        case "blank": test = { $0 == 0x20 || $0 == 0x09 }
        case "cntrl": test = { $0 < 0x20 || $0 == 0x7f }
        case "graph": test = isGraphic
        case "print": test = { isGraphic($0) || $0 == 0x20 }
        case "punct": test = { isGraphic($0) && !isLetter($0) && !isDigit($0) }
        default: return nil
        }
        for byte in UInt8.min...UInt8.max where test(byte) { insert(byte) }
    }

    func contains(_ byte: UInt8) -> Bool { words[Int(byte >> 6)] >> UInt64(byte & 63) & 1 == 1 }

    mutating func insert(_ byte: UInt8) { words[Int(byte >> 6)] |= 1 << UInt64(byte & 63) }

    mutating func formUnion(_ other: ByteSet) {
        for index in words.indices { words[index] |= other.words[index] }
    }

    func subtracting(_ byte: UInt8) -> ByteSet {
        var set = self
        set.words[Int(byte >> 6)] &= ~(1 << UInt64(byte & 63))
        return set
    }

    var inverted: ByteSet {
        var set = self
        for index in words.indices { set.words[index] = ~words[index] }
        return set
    }
}
