import Causality

extension MediaType {
    /// Whether the text is a media type (RFC 9110, section 8.3.1) that can stand in a header: two tokens and a slash, then
    /// any parameters of visible characters.
    public static func isValid(_ text: String) -> Bool {
        let bytes = text.utf8
        guard bytes.count <= 255, bytes.allSatisfy({ $0 >= 0x20 && $0 < 0x7f }) else { return false }
        var essence = bytes.prefix { $0 != UInt8(ascii: ";") }
        while essence.last == 0x20 { essence.removeLast() }
        let parts = essence.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
        return parts.count == 2 && parts.allSatisfy { !$0.isEmpty && $0.allSatisfy(isTokenByte) }
    }

    private static func isTokenByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "a")...UInt8(ascii: "z"): true
        default: "!#$%&'*+-.^_`|~".utf8.contains(byte)
        }
    }
}

extension Value {
    /// What a user's value may not be, though it can be written; nil if it may.
    public var fileFault: String? {
        switch self {
        case .tombstone, .directory: nil
        case .symlink(let target): target.isEmpty || target.utf8.contains(0) ? "the link's target is empty or has a NUL" : nil
        case .file(let file): MediaType.isValid(file.mediaType) ? nil : "the media type is not one"
        }
    }
}
