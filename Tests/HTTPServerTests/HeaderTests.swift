import Content
import FileDatabase
import HTTPTypes
import Testing

@testable import HTTPServer

@Suite struct HeaderTests {
    @Test(arguments: [
        ("bytes=0-1", ByteRange.part(0..<2)), ("bytes=2-", .part(2..<6)), ("bytes=-2", .part(4..<6)), ("bytes=-100", .part(0..<6)),
        ("bytes=5-100", .part(5..<6)), ("BYTES=0-0", .part(0..<1)), ("bytes= 1 - 2", .part(1..<3)),
        ("bytes=0-99999999999999999999999", .part(0..<6)),
        ("bytes=2-1", .whole), ("bytes=a-b", .whole), ("bytes=-", .whole), ("bytes", .whole), ("", .whole), ("lines=0-1", .whole),
        ("bytes=0-0,2-3", .whole), ("bytes=+1-2", .whole), ("bytes=1--2", .whole),
        ("bytes=6-", .unsatisfiable), ("bytes=6-10", .unsatisfiable), ("bytes=-0", .unsatisfiable),
        ("bytes=99999999999999999999999-", .unsatisfiable),
    ])
    func ranges(_ header: String, _ range: ByteRange) {
        #expect(ByteRange(header, size: 6) == range)
    }

    @Test func anEmptyFileHasNoRanges() {
        for header in ["bytes=0-", "bytes=0-0", "bytes=-1"] { #expect(ByteRange(header, size: 0) == .unsatisfiable) }
    }

    @Test func tags() {
        let hash = ContentHash(of: .chunk, [1])
        #expect(EntityTags("*") == .any)
        #expect(EntityTags("\"\(hash)\"")?.matchesStrongly(hash) == true)
        #expect(EntityTags("W/\"\(hash)\"")?.matchesStrongly(hash) == false)
        #expect(EntityTags("\"x\" ,, W/\"\(hash)\"")?.matchesWeakly(hash) == true)
        #expect(EntityTags("\"a,b\"") == .some([EntityTags.Tag(isWeak: false, text: "a,b")]))
        for broken in ["", ",", "x", "\"x", "\"x\" \"y\"", "w/\"x\"", "* , \"x\""] { #expect(EntityTags(broken) == nil, "\(broken)") }
    }

    @Test func conditionsOfWrites() throws {
        let hash = ContentHash(of: .chunk, [1])
        #expect(try WriteCondition([:]) == .none)
        #expect(try WriteCondition([.ifNoneMatch: "*"]) == .absent)
        #expect(try WriteCondition([.ifMatch: "*"]) == .matches([]))
        #expect(try WriteCondition([.ifMatch: "\"\(hash)\""]) == .matches([hash]))
        // What is no hash must not turn the condition into "anything".
        #expect(try WriteCondition([.ifMatch: "\"x\", W/\"\(hash)\""]) == .matches([.zero]))
        for headers: HTTPFields in [[.ifMatch: "x"], [.ifNoneMatch: "\"x\""], [.ifMatch: "*", .ifNoneMatch: "*"]] {
            #expect(throws: Problem.self) { try WriteCondition(headers) }
        }
    }

    @Test func mediaTypes() {
        for type in ["text/plain", "text/plain; charset=utf-8", "application/vnd.a+b.c-d"] { #expect(MediaType.isValid(type)) }
        for type in ["", "text", "text/", "/plain", "a/b/c", "text/pl ain/x", "a/b\r\nX: y", "ä/b", String(repeating: "a", count: 255) + "/b"] {
            #expect(!MediaType.isValid(type), "\(type)")
        }
    }
}
