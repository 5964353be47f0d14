/// A pattern over one name: `?` is one character, `*` any run of them.
struct NamePattern: Sendable {
    let characters: [Character]
    /// The same as bytes, where each character is one.
    let bytes: [UInt8]?
    /// Where the first and the last `*` stand in the bytes; nil where there is none.
    private let stars: (first: Int, last: Int)?

    init(_ text: some StringProtocol) {
        let name = GlobName(String(text))
        characters = name.characters ?? Array(String(text))
        bytes = name.characters == nil ? name.bytes : nil
        let star = UInt8(ascii: "*")
        stars = bytes.flatMap { bytes in bytes.firstIndex(of: star).map { ($0, bytes.lastIndex(of: star) ?? $0) } }
    }

    /// The one name that matches, where there are no wildcards.
    var onlyName: String? {
        characters.contains { $0 == "*" || $0 == "?" } ? nil : String(characters)
    }

    /// The byte that every name of plain bytes begins with that matches; nil for any.
    var firstByte: UInt8? { bytes?.first.flatMap { NamePattern.isWildcard($0) ? nil : $0 } }
    /// The byte that it ends with.
    var lastByte: UInt8? { bytes?.last.flatMap { NamePattern.isWildcard($0) ? nil : $0 } }
    /// The pairs of bytes that it has; none for a pattern of other characters.
    var pairs: BytePairs { BytePairs(bytes ?? []) { !NamePattern.isWildcard($0) && !NamePattern.isWildcard($1) } }

    private static func isWildcard(_ byte: UInt8) -> Bool { byte == UInt8(ascii: "*") || byte == UInt8(ascii: "?") }

    /// O(pattern × name); without more than one `*`, O(pattern).
    func matches(_ name: GlobName) -> Bool {
        guard let bytes, name.characters == nil else {
            return NamePattern.matches(characters[...], (name.characters ?? name.asCharacters)[...], star: "*", one: "?")
        }
        let text = name.bytes
        guard let stars else { return bytes.count == text.count && NamePattern.isSame(bytes, upTo: bytes.count, text, upTo: text.count, bytes.count) }
        let (head, tail) = (stars.first, bytes.count - 1 - stars.last)
        guard text.count >= head + tail, NamePattern.isSame(bytes, upTo: bytes.count, text, upTo: text.count, tail),
            NamePattern.isSame(bytes, upTo: head, text, upTo: head, head)
        else { return false }
        if stars.first == stars.last { return true }
        return NamePattern.matches(
            bytes[stars.first...stars.last], text[head..<(text.count - tail)], star: UInt8(ascii: "*"), one: UInt8(ascii: "?"))
    }

    /// Whether so many bytes of a text are what those of a pattern mean, which have no `*` among them. Both end at a place.
    private static func isSame(_ pattern: [UInt8], upTo end: Int, _ text: [UInt8], upTo textEnd: Int, _ count: Int) -> Bool {
        // From the end, where the names of one kind differ from others.
        var back = 1
        while back <= count {
            let wanted = pattern[end - back]
            if wanted != text[textEnd - back], wanted != UInt8(ascii: "?") { return false }
            back += 1
        }
        return true
    }

    /// The classic two-pointer match with one point to return to.
    private static func matches<Element: Equatable>(
        _ pattern: ArraySlice<Element>, _ name: ArraySlice<Element>, star: Element, one: Element
    ) -> Bool {
        var position = pattern.startIndex
        var index = name.startIndex
        var back: (position: Int, index: Int)?
        while index < name.endIndex {
            if position < pattern.endIndex, pattern[position] == star {
                back = (position, index)
                position += 1
            } else if position < pattern.endIndex, pattern[position] == one || pattern[position] == name[index] {
                position += 1
                index += 1
            } else if let known = back {
                position = known.position + 1
                index = known.index + 1
                back = (known.position, index)
            } else {
                return false
            }
        }
        return pattern[position...].allSatisfy { $0 == star }
    }
}

extension NamePattern: Hashable {
    static func == (left: NamePattern, right: NamePattern) -> Bool { left.characters == right.characters }
    func hash(into hasher: inout Hasher) { hasher.combine(characters) }
}

/// Which pairs of bytes stand side by side in a name: a set in 64 bits, in which several pairs share one.
struct BytePairs {
    private(set) var bits: UInt64 = 0

    init(_ bytes: [UInt8], where isWanted: (UInt8, UInt8) -> Bool = { _, _ in true }) {
        var index = 1
        while index < bytes.count {
            let (left, right) = (bytes[index - 1], bytes[index])
            if isWanted(left, right) { bits |= 1 << ((UInt64(left) &* 37 &+ UInt64(right)) & 63) }
            index += 1
        }
    }

    mutating func formIntersection(_ other: BytePairs) { bits &= other.bits }
}

/// A name as patterns look at it: byte by byte where each is a character, which is so in nearly all names.
public struct GlobName: Sendable {
    let bytes: [UInt8]
    /// Nil where the bytes are the characters.
    let characters: [Character]?

    public init(_ name: String) {
        bytes = Array(name.utf8)
        // A carriage return and a line feed are one character together.
        characters = bytes.allSatisfy { $0 < 0x80 && $0 != 0x0d } ? nil : Array(name)
    }

    var asCharacters: [Character] { characters ?? bytes.map { Character(Unicode.Scalar($0)) } }
}
