import Causality
import Content
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
        hashes.insert(Leaks.word(root))
    }

    mutating func hide(_ register: Register?, at path: String, on node: Int) {
        guard node == 0, !Leaks.shows(path) else { return }
        hasSecrets = true
        for version in register?.versions ?? [] {
            guard case .file(let file) = version.value, file.content.size > 0, file.content.height == 0 else { continue }
            chunk = file.content.root
        }
    }

    private static func word(_ hash: ContentHash) -> UInt64 {
        hash.withBytes { $0.loadUnaligned(as: UInt64.self) }
    }

    /// What of it is in some bytes, in words; nil if nothing is.
    /// - Parameter asked: what the receiver has sent, and may be sent back.
    func find(in bytes: [UInt8], asked: [UInt8]) -> String? {
        for word in Leaks.words where bytes.contains(word) && !asked.contains(word) { return "'\(String(decoding: word, as: UTF8.self))'" }
        guard bytes.count >= ContentHash.byteCount else { return nil }
        return bytes.withUnsafeBytes { bytes in
            for offset in 0...(bytes.count - ContentHash.byteCount) where hashes.contains(bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self)) {
                return "the root of a tree"
            }
            return nil
        }
    }
}
