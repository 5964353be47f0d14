import Content
import Platform

extension IndexView.ChunkPlace {
    /// Nil for bytes that are no place.
    init?(_ key: UnsafeRawBufferPointer, behind length: Int, _ value: UnsafeRawBufferPointer) {
        var place = Array(key[length...])[...]
        var rest = Array(value)[...]
        guard let file = place.readOrdered(), let offset = place.readOrdered(), let size = rest.readOrdered() else { return nil }
        self.init(file: file, offset: offset, size: UInt32(truncatingIfNeeded: size))
    }
}

extension IndexRow {
    /// Numbers are short when they are small: half a million rows stand in the memory that a look at them needs.
    func encoded() -> [UInt8] {
        var encoder = CanonicalEncoder(reserving: 40 + (treeName?.utf8.count ?? 0))
        encoder.write(UInt64(status.mode) << 3 | UInt64(status.kind.rawValue))
        for number in [id, status.size, status.inode] { encoder.write(number) }
        encoder.write(signed: status.modifiedAt)
        // Most files change last when they are written.
        encoder.write(signed: status.changedAt &- status.modifiedAt)
        if let treeName { encoder.write(raw: treeName.utf8) }
        return encoder.bytes
    }

    /// Nil for bytes that are no row.
    init?(_ bytes: UnsafeRawBufferPointer) {
        var offset = 0
        func number() -> UInt64? {
            var value: UInt64 = 0
            var shift: UInt64 = 0
            while offset < bytes.count, shift < 64 {
                let byte = bytes[offset]
                offset += 1
                value |= UInt64(byte & 0x7f) << shift
                if byte < 0x80 { return value }
                shift += 7
            }
            return nil
        }
        func signed() -> Int64? { number().map { Int64(bitPattern: $0 >> 1) ^ -Int64(bitPattern: $0 & 1) } }
        guard let head = number(), let kind = FileStatus.Kind(rawValue: UInt8(head & 7)), let id = number(), let size = number(),
            let inode = number(), let modifiedAt = signed(), let sinceThen = signed()
        else { return nil }
        self.id = id
        status = FileStatus(
            kind: kind, size: size, modifiedAt: modifiedAt, changedAt: modifiedAt &+ sinceThen, inode: inode, device: 0,
            mode: UInt16(truncatingIfNeeded: head >> 3))
        treeName = offset < bytes.count ? String(validating: bytes[offset...], as: UTF8.self) : nil
    }
}

extension [UInt8] {
    mutating func append(integer value: UInt64) {
        Swift.withUnsafeBytes(of: value.bigEndian) { append(contentsOf: $0) }
    }

    /// In as few bytes as it needs, so that the order of the bytes is that of the numbers: how many bytes follow, and those, the highest first.
    mutating func append(ordered value: UInt64) {
        let count = 8 - value.leadingZeroBitCount / 8
        append(UInt8(count))
        for index in stride(from: count - 1, through: 0, by: -1) { append(UInt8(truncatingIfNeeded: value >> (UInt64(index) * 8))) }
    }
}

extension ArraySlice<UInt8> {
    /// Eight bytes from `offset` behind the start, big-endian.
    func readInteger(at offset: Int) -> UInt64 {
        self[(startIndex + offset)..<(startIndex + offset + 8)].reduce(0) { $0 << 8 | UInt64($1) }
    }

    /// Takes what `append(ordered:)` wrote from the front; nil if it is not there.
    mutating func readOrdered() -> UInt64? {
        guard let count = first, count <= 8, self.count > Int(count) else { return nil }
        defer { removeFirst(Int(count) + 1) }
        return self[(startIndex + 1)..<(startIndex + 1 + Int(count))].reduce(0) { $0 << 8 | UInt64($1) }
    }
}
