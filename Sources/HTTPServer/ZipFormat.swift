import FileDatabase

/// The ZIP format (APPNOTE.TXT 6.3.10) as far as it takes to stream files whose checksum is known only at their end: stored,
/// not compressed, with names in UTF-8, times in UTC and sizes of 64 bits where they are needed.
enum ZipFormat {
    private static let limit = UInt64(UInt32.max)
    /// A checksum and sizes follow the content; the name is UTF-8.
    private static let flags: UInt16 = 1 << 3 | 1 << 11

    static func localHeader(_ item: ArchiveItem) -> [UInt8] {
        let name = Array(item.name.utf8)
        let isLarge = item.size >= limit
        var out = LittleEndianBytes()
        out.write(UInt32(0x0403_4b50))
        out.write(version(isLarge))
        out.write(flags)
        out.write(UInt16(0))
        out.write(dosTime(item.modifiedAt))
        // What only the descriptor tells. A reader learns from the extra field that the descriptor's sizes have 64 bits.
        out.write(UInt32(0))
        out.write(isLarge ? .max : UInt32(0))
        out.write(isLarge ? .max : UInt32(0))
        let extra = time(item) + (isLarge ? largeSizes([0, 0]) : [])
        out.write(UInt16(name.count))
        out.write(UInt16(extra.count))
        return out.bytes + name + extra
    }

    static func descriptor(_ item: ArchiveItem, sum: UInt32) -> [UInt8] {
        var out = LittleEndianBytes()
        out.write(UInt32(0x0807_4b50))
        out.write(sum)
        for _ in 0..<2 {
            if item.size >= limit { out.write(item.size) } else { out.write(UInt32(item.size)) }
        }
        return out.bytes
    }

    /// Bytes of an item with its header and descriptor.
    static func length(_ item: ArchiveItem) -> UInt64 {
        let isLarge = item.size >= limit
        return UInt64(30 + item.name.utf8.count + 9 + (isLarge ? 20 : 0)) + item.size + (isLarge ? 24 : 16)
    }

    static func centralRecord(_ item: ArchiveItem, sum: UInt32, offset: UInt64) -> [UInt8] {
        let name = Array(item.name.utf8)
        var large: [UInt64] = []
        func short(_ value: UInt64) -> UInt32 {
            if value < limit { return UInt32(value) }
            large.append(value)
            return .max
        }
        let sizes = [short(item.size), short(item.size)]
        let place = short(offset)
        var out = LittleEndianBytes()
        out.write(UInt32(0x0201_4b50))
        // Made on a system whose modes are POSIX's.
        out.write(UInt16(3 << 8 | 45))
        out.write(version(!large.isEmpty))
        out.write(flags)
        out.write(UInt16(0))
        out.write(dosTime(item.modifiedAt))
        out.write(sum)
        for size in sizes { out.write(size) }
        let extra = time(item) + (large.isEmpty ? [] : largeSizes(large))
        out.write(UInt16(name.count))
        out.write(UInt16(extra.count))
        // No comment, the first disk, nothing of the content's nature.
        for _ in 0..<3 { out.write(UInt16(0)) }
        out.write(item.mode << 16 | (item.kind == .directory ? 0x10 : 0))
        out.write(place)
        return out.bytes + name + extra
    }

    /// The end of the archive.
    /// - Parameters:
    ///   - offset: where the directory of the archive begins.
    ///   - length: bytes of it.
    static func end(count: UInt64, offset: UInt64, length: UInt64) -> [UInt8] {
        var out = LittleEndianBytes()
        if count >= UInt64(UInt16.max) || offset >= limit || length >= limit {
            out.write(UInt32(0x0606_4b50))
            out.write(UInt64(44))
            out.write(UInt16(3 << 8 | 45))
            out.write(UInt16(45))
            out.write(UInt32(0))
            out.write(UInt32(0))
            out.write(count)
            out.write(count)
            out.write(length)
            out.write(offset)
            out.write(UInt32(0x0706_4b50))
            out.write(UInt32(0))
            out.write(offset + length)
            out.write(UInt32(1))
        }
        out.write(UInt32(0x0605_4b50))
        out.write(UInt32(0))
        out.write(UInt16(clamping: count))
        out.write(UInt16(clamping: count))
        out.write(UInt32(clamping: length))
        out.write(UInt32(clamping: offset))
        out.write(UInt16(0))
        return out.bytes
    }

    // MARK: Parts

    private static func version(_ isLarge: Bool) -> UInt16 { isLarge ? 45 : 20 }

    /// Extra field 1: sizes of 64 bits.
    private static func largeSizes(_ sizes: [UInt64]) -> [UInt8] {
        var out = LittleEndianBytes()
        out.write(UInt16(1))
        out.write(UInt16(8 * sizes.count))
        for size in sizes { out.write(size) }
        return out.bytes
    }

    /// Extra field 0x5455: seconds since 1970, since the format's own times are of no zone.
    private static func time(_ item: ArchiveItem) -> [UInt8] {
        var out = LittleEndianBytes()
        out.write(UInt16(0x5455))
        out.write(UInt16(5))
        out.write(UInt8(1))
        out.write(UInt32(truncatingIfNeeded: Int32(clamping: item.modifiedAt)))
        return out.bytes
    }

    /// The time and the date of MS-DOS, from 1980 to 2107, in steps of two seconds.
    private static func dosTime(_ seconds: Int64) -> UInt32 {
        let text = Array(HTTPTime.rfc3339(max(seconds, 315_532_800) * 1_000_000_000).utf8)
        func number(_ range: Range<Int>) -> UInt32 { text[range].reduce(0) { $0 * 10 + UInt32($1 - UInt8(ascii: "0")) } }
        let date = (min(number(0..<4), 2107) - 1980) << 9 | number(5..<7) << 5 | number(8..<10)
        return date << 16 | number(11..<13) << 11 | number(14..<16) << 5 | number(17..<19) / 2
    }
}

private struct LittleEndianBytes {
    private(set) var bytes: [UInt8] = []

    mutating func write(_ value: some FixedWidthInteger & UnsignedInteger) {
        withUnsafeBytes(of: value.littleEndian) { bytes.append(contentsOf: $0) }
    }
}
