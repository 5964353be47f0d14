import Content
import Objects
import Platform

/// A file's extended attributes as an object: Finder's tags and resource forks, and what programs note about a file.
///
/// Canonical: a count, then for each attribute, in the order of the names' bytes, its name (text) and its value (bytes).
struct FileAttributes: Hashable, Sendable {
    /// More than any file system takes for one file, save for resource forks, which stay where they are.
    static let maximumSize = 1 << 20
    private static let maximumCount = 1024
    private static let maximumNameLength = 255

    private(set) var values: [(name: String, value: [UInt8])]

    /// Reads those of a file. Nil if there are none, or the file system has none.
    init?(of file: OpenFile) throws(DiskError) {
        guard let names = try file.attributeNames(), !names.isEmpty else { return nil }
        var values: [(name: String, value: [UInt8])] = []
        for name in names.sorted(by: { $0.utf8.lexicographicallyPrecedes($1.utf8) }) {
            if let value = try file.attribute(name) { values.append((name, value)) }
        }
        guard !values.isEmpty else { return nil }
        self.values = values
    }

    init(decoding bytes: [UInt8]) throws(MalformedBytes) {
        var decoder = CanonicalDecoder(bytes)
        values = []
        for _ in 0..<(try decoder.readCount(limit: FileAttributes.maximumCount)) {
            let name = try decoder.readText(limit: FileAttributes.maximumNameLength)
            if let last = values.last, !last.name.utf8.lexicographicallyPrecedes(name.utf8) { throw decoder.malformed("attributes out of order") }
            values.append((name, Array(bytes[try decoder.readByteString(limit: FileAttributes.maximumSize)])))
        }
        try decoder.finish()
    }

    func encoded() -> [UInt8] {
        var encoder = CanonicalEncoder()
        encoder.write(values.count)
        for (name, value) in values {
            encoder.write(name)
            encoder.write(value)
        }
        return encoder.bytes
    }

    /// Gives them to a file, and takes all others from it.
    /// - Returns: false if the file system did not take them all.
    func apply(to file: OpenFile) throws(DiskError) -> Bool {
        try FileAttributes.removeAll(of: file, but: Set(values.map(\.name)))
        var isWhole = true
        for (name, value) in values {
            if try !file.setAttribute(name, to: value) { isWhole = false }
        }
        return isWhole
    }

    static func removeAll(of file: OpenFile, but kept: Set<String> = []) throws(DiskError) {
        for name in try file.attributeNames() ?? [] where !kept.contains(name) { _ = try file.setAttribute(name, to: nil) }
    }

    static func == (left: FileAttributes, right: FileAttributes) -> Bool { left.encoded() == right.encoded() }
    func hash(into hasher: inout Hasher) { hasher.combine(encoded()) }
}
