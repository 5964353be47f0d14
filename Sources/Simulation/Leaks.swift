import Causality
import Content
import Foundation
import Merkle

/// What those must not get who may see a part of the files only: names and content of the rest, and hashes that tell of it.
struct Leaks {
    /// The part that can be seen, with all below it.
    static let visible = "/d"

    static func shows(_ path: String) -> Bool { path == visible || path.hasPrefix(visible + "/") }

    /// What users at whole nodes put at the beginning of content that is not for all, and names of the rest.
    static let mark = "hidden content"
    private static let words = [mark, "hot.txt", "moved-"].map { Array($0.utf8) }

    /// First halves of hashes, by which they are recognised.
    private var hashes: Set<UInt64> = []
    /// A bit for each value of their first 16 bits: most places need no look at the set.
    private var beginnings = [UInt64](repeating: 0, count: 1 << 10)
    private var chunk: ContentHash?
    private var root: ContentHash?
    /// Where there is nothing but what all may see, a root tells nothing.
    private var hasSecrets = false

    /// The newest object and root that are secret.
    var some: (chunk: ContentHash, root: ContentHash)? {
        if let chunk, let root { (chunk, root) } else { nil }
    }

    mutating func hide(_ root: ContentHash, on node: Int) {
        guard hasSecrets, node == 0 else { return }
        self.root = root
        hide(root)
    }

    /// - Parameter content: that is nowhere but in the hidden part. Its hash tells of it, even to whoever is asked for it.
    mutating func hide(content: [UInt8]) { hide(ContentHash(of: .chunk, content)) }

    private mutating func hide(_ hash: ContentHash) {
        let word = hash.withBytes { $0.loadUnaligned(as: UInt64.self) }
        hashes.insert(word)
        beginnings[Int(word & 0xffff) >> 6] |= 1 << (word & 63)
    }

    mutating func hide(_ register: Register?, at path: String, on node: Int) {
        guard node == 0, !Leaks.shows(path) else { return }
        hasSecrets = true
        for version in register?.versions ?? [] {
            guard case .file(let file) = version.value, file.content.size > 0, file.content.height == 0 else { continue }
            chunk = file.content.root
        }
    }

    /// What of it is in some bytes, in words; nil if nothing is.
    /// - Parameter asked: what the receiver has sent, and may be sent back.
    func find(in bytes: [UInt8], asked: [UInt8]) -> String? {
        for word in Leaks.words where Leaks.has(bytes, word) && !Leaks.has(asked, word) { return "'\(String(decoding: word, as: UTF8.self))'" }
        guard bytes.count >= ContentHash.byteCount else { return nil }
        return bytes.withUnsafeBytes { bytes in
            for offset in 0...(bytes.count - ContentHash.byteCount) {
                let word = bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self)
                if beginnings[Int(word & 0xffff) >> 6] & 1 << (word & 63) != 0, hashes.contains(word) {
                    return "the hash of a tree or of hidden content, byte \(offset) of \(bytes.count),"
                }
            }
            return nil
        }
    }

    private static func has(_ bytes: [UInt8], _ word: [UInt8]) -> Bool {
        bytes.withUnsafeBytes { bytes in
            var rest = bytes
            while rest.count >= word.count, let found = memchr(rest.baseAddress!, Int32(word[0]), rest.count - word.count + 1) {
                let place = rest.baseAddress!.distance(to: found)
                if memcmp(found, word, word.count) == 0 { return true }
                rest = UnsafeRawBufferPointer(rebasing: rest.dropFirst(place + 1))
            }
            return false
        }
    }
}
