/// The checksum of ZIP and of Ethernet (ISO 3309): polynomial 0xEDB88320 reflected, eight bytes a step.
struct CRC32 {
    private var state = UInt32.max

    var value: UInt32 { ~state }

    private static let tables: [UInt32] = {
        var tables = [UInt32](repeating: 0, count: 8 * 256)
        for index in 0..<256 {
            var value = UInt32(index)
            for _ in 0..<8 { value = value & 1 == 1 ? value >> 1 ^ 0xedb8_8320 : value >> 1 }
            tables[index] = value
        }
        for index in 256..<tables.count {
            let before = tables[index - 256]
            tables[index] = before >> 8 ^ tables[Int(before & 0xff)]
        }
        return tables
    }()

    mutating func add(_ bytes: ArraySlice<UInt8>) {
        var state = state
        CRC32.tables.withUnsafeBufferPointer { tables in
            bytes.withUnsafeBytes { bytes in
                var index = 0
                while index + 8 <= bytes.count {
                    let word = UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: index, as: UInt64.self)) ^ UInt64(state)
                    state = 0
                    for place in 0..<8 { state ^= tables[(7 - place) << 8 | Int(word >> (8 * UInt64(place)) & 0xff)] }
                    index += 8
                }
                while index < bytes.count {
                    state = state >> 8 ^ tables[Int((state ^ UInt32(bytes[index])) & 0xff)]
                    index += 1
                }
            }
        }
        self.state = state
    }
}
