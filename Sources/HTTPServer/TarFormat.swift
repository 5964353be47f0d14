import FileDatabase

/// The tar format of POSIX.1-2017 (`pax`), as every tar reads it: `ustar` headers, with an extended one before those whose
/// name, target or size does not fit.
enum TarFormat {
    static let blockSize = 512

    private enum Kind: UInt8 {
        case file = 0x30
        case symlink = 0x32
        case directory = 0x35
        case extended = 0x78
    }

    /// Bytes that fill up the last block of a content.
    static func padding(after size: UInt64) -> Int { Int((512 - size % 512) % 512) }

    static func header(_ item: ArchiveItem) -> [UInt8] {
        let name = Array(item.name.utf8)
        let target = Array((item.symlinkTarget ?? "").utf8)
        let size = item.kind == .file ? item.size : 0
        var records: [UInt8] = []
        if !fits(name) { records += record("path", name) }
        if !fits(target) { records += record("linkpath", target) }
        if size > largestSize { records += record("size", Array("\(size)".utf8)) }
        let kind: Kind = switch item.kind {
        case .file: .file
        case .symlink: .symlink
        case .directory: .directory
        }
        let own = block(name: name, target: target, kind, mode: item.mode & 0o7777, size: min(size, largestSize), time: item.modifiedAt)
        if records.isEmpty { return own }
        let extended = block(
            name: Array("PaxHeaders/item".utf8), target: [], .extended, mode: 0o644, size: UInt64(records.count), time: item.modifiedAt)
        return extended + records + [UInt8](repeating: 0, count: padding(after: UInt64(records.count))) + own
    }

    private static let largestSize = UInt64(0o777_7777_7777)

    private static func fits(_ text: [UInt8]) -> Bool { text.count <= 100 && text.allSatisfy { $0 < 0x80 } }

    /// `LENGTH KEY=VALUE\n`, where the length counts itself.
    private static func record(_ key: String, _ value: [UInt8]) -> [UInt8] {
        let rest = Array(" \(key)=".utf8) + value + [0x0a]
        var length = rest.count
        while "\(length)".utf8.count + rest.count != length { length = "\(length)".utf8.count + rest.count }
        return Array("\(length)".utf8) + rest
    }

    private static func block(
        name: [UInt8], target: [UInt8], _ kind: Kind, mode: UInt32, size: UInt64, time: Int64
    ) -> [UInt8] {
        var block = [UInt8](repeating: 0, count: blockSize)
        func put(_ bytes: some Collection<UInt8>, at offset: Int, _ width: Int) {
            for (index, byte) in bytes.prefix(width).enumerated() { block[offset + index] = byte }
        }
        func put(octal value: UInt64, at offset: Int, _ width: Int) {
            let digits = String(value, radix: 8)
            put((String(repeating: "0", count: max(0, width - 1 - digits.utf8.count)) + digits).utf8, at: offset, width - 1)
        }
        put(name, at: 0, 100)
        put(octal: UInt64(mode), at: 100, 8)
        put(octal: 0, at: 108, 8)
        put(octal: 0, at: 116, 8)
        put(octal: size, at: 124, 12)
        put(octal: UInt64(clamping: max(0, min(time, Int64(largestSize)))), at: 136, 12)
        block[156] = kind.rawValue
        put(target, at: 157, 100)
        put("ustar\0".utf8, at: 257, 6)
        put("00".utf8, at: 263, 2)
        // The sum is taken with spaces in its own place.
        put([UInt8](repeating: 0x20, count: 8), at: 148, 8)
        put(octal: block.reduce(0) { $0 + UInt64($1) }, at: 148, 7)
        block[154] = 0
        return block
    }
}

extension ArchiveItem {
    var symlinkTarget: String? { info.symlinkTarget }
}
