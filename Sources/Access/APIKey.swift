import Content

/// A secret that a person or a program shows to get tokens: `pando_ID_SECRET`, with 16 and 64 hexadecimal digits. Only
/// the hash of the secret is ever stored.
public struct APIKey: Sendable {
    private static let prefix = "pando"
    private static let idLength = 16
    private static let secretLength = 64

    /// Names the key where the secret must not be.
    public let id: String
    private let secret: String

    /// - Parameter random: 40 bytes that nobody can guess.
    public init(random: [UInt8]) {
        precondition(random.count == 40, "8 bytes of id and 32 of secret")
        id = random[..<8].hex
        secret = random[8...].hex
    }

    /// Reads a key as a user gives it; nil if it is none.
    public init?(_ text: String) {
        let parts = text.split(separator: "_", omittingEmptySubsequences: false)
        guard parts.count == 3, parts[0] == APIKey.prefix, parts[1].utf8.count == APIKey.idLength,
            parts[2].utf8.count == APIKey.secretLength, text.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7f })
        else { return nil }
        id = String(parts[1])
        secret = String(parts[2])
    }

    /// What the holder is given, once.
    public var text: String { "\(APIKey.prefix)_\(id)_\(secret)" }

    /// What is stored. A plain hash will do, because the secret is 256 random bits and no password.
    public var secretHash: ContentHash { ContentHash(sha256: secret.utf8) }
}

extension Sequence where Element == UInt8 {
    /// Lower-case hexadecimal digits.
    public var hex: String {
        let digits = Array("0123456789abcdef".utf8)
        return String(decoding: flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
    }
}
