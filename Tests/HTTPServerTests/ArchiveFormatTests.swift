import Causality
import Content
import FileDatabase
import Merkle
import Testing

@testable import HTTPServer

@Suite("Archive formats") struct ArchiveFormatTests {
    /// A file of any size, as a walk finds it.
    func item(_ name: String, size: UInt64) throws -> ArchiveItem {
        let content = FileContent(root: ContentHash(of: .chunk, []), height: size > 0 ? 3 : 0, size: size)
        let value = Value.file(FileValue(content: content, mediaType: "text/plain", modifiedAt: 1_580_702_706 * 1_000_000_000))
        let dot = Dot(timestamp: Timestamp(microseconds: 1_000_000), actor: Actor(node: NodeID(publicKey: [1]), incarnation: 0))
        let register = Register(Version(dot: dot, past: VersionVector(), value: value))
        let info = try #require(FileInfo(TreePath("/" + name), Entry(name: name, register: register)))
        return ArchiveItem(info: info, name: name)
    }

    func number(_ bytes: [UInt8], _ offset: Int, _ count: Int) -> UInt64 {
        (0..<count).reduce(0) { $0 | UInt64(bytes[offset + $1]) << (8 * UInt64($1)) }
    }

    @Test("The checksum is the one that everybody uses, however the bytes come")
    func checksum() {
        let text = Array("123456789".utf8)
        for cut in 0...9 {
            var sum = CRC32()
            sum.add(text[..<cut])
            sum.add(text[cut...])
            #expect(sum.value == 0xcbf4_3926)
        }
        #expect(CRC32().value == 0)
        var long = CRC32()
        long.add(ArraySlice(repeatElement(0, count: 100_003)))
        #expect(long.value != 0)
    }

    @Test("An item is as long as is said, with sizes of 64 bits from 4 GiB on", arguments: [0, 1, 0xffff_fffe, 0xffff_ffff, 5 << 30] as [UInt64])
    func lengths(size: UInt64) throws {
        let item = try item("größe.bin", size: size)
        let (header, descriptor) = (ZipFormat.localHeader(item), ZipFormat.descriptor(item, sum: 7))
        #expect(ZipFormat.length(item) == UInt64(header.count + descriptor.count) + size)
        let isLarge = size >= 0xffff_ffff
        #expect(number(header, 4, 2) == (isLarge ? 45 : 20))
        #expect(descriptor.count == (isLarge ? 24 : 16))
        #expect(number(descriptor, 8, isLarge ? 8 : 4) == size)
        let record = ZipFormat.centralRecord(item, sum: 7, offset: 0)
        #expect(number(record, 24, 4) == (isLarge ? 0xffff_ffff : size))
        #expect(record.count == 46 + "größe.bin".utf8.count + Int(number(record, 30, 2)))
        // Behind the time: the field of 64 bits, with the size twice.
        if isLarge { #expect(number(record, 46 + 11 + 9 + 4, 8) == size) }
    }

    @Test("The end has 64 bits where the offset, the length or the count need them")
    func end() {
        #expect(ZipFormat.end(count: 3, offset: 100, length: 200).count == 22)
        for (count, offset, length) in [(65_535, 0, 0), (1, 5 << 30, 0), (1, 0, 5 << 30)] as [(UInt64, UInt64, UInt64)] {
            let end = ZipFormat.end(count: count, offset: offset, length: length)
            #expect(end.count == 56 + 20 + 22)
            #expect(number(end, 32, 8) == count && number(end, 40, 8) == length && number(end, 48, 8) == offset)
            #expect(number(end, 56 + 8, 8) == offset + length)
        }
    }

    @Test("A tar's header takes long names and large sizes into a record of its own", arguments: [
        ("a.txt", 10, 512), (String(repeating: "n", count: 101), 10, 1536), ("ü", 10, 1536), ("large", 0o777_7777_7777 + 1, 1536),
    ] as [(String, UInt64, Int)])
    func tar(name: String, size: UInt64, length: Int) throws {
        let header = TarFormat.header(try item(name, size: size))
        #expect(header.count == length)
        for start in [0, length - 512] {
            let block = header[start..<start + 512]
            let sum = block.enumerated().reduce(0) { $0 + ((148..<156).contains($1.offset) ? 32 : Int($1.element)) }
            #expect(Int(String(decoding: block[(start + 148)..<(start + 154)], as: UTF8.self), radix: 8) == sum)
        }
        if length > 512 {
            let text = String(decoding: header[512..<1024].prefix { $0 != 0 }, as: UTF8.self)
            let record = size > 10 ? "size=\(size)\n" : "path=\(name)\n"
            #expect(text.hasSuffix(record) && text.hasPrefix("\(text.utf8.count) "))
        }
    }
}
